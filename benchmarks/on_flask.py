"""What a guard adds to a Flask request with a token seen before, beside what people use instead."""

from __future__ import annotations

import functools
from typing import Any

import flask
from flask_jwt_extended import JWTManager, create_access_token, jwt_required

from authkit import Principal, require_auth

from . import _peers, _wsgi
from ._table import Table, beside_peers
from ._timing import AUDIENCE, ISSUER, SECRET, added


def orders() -> Any:
    return "orders"


def _app(view: Any) -> flask.Flask:
    app = flask.Flask(__name__)
    app.add_url_rule("/orders", "orders", view)
    return app


def _by_hand(view: Any) -> Any:
    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        claims = _peers.by_hand(flask.request.headers.get("Authorization"))
        if claims is None:
            return "", 401
        flask.g.claims = claims
        return view(*args, **kwargs)

    return guarded


def _extended() -> tuple[Any, str]:
    app = _app(jwt_required()(orders))
    app.config.update(
        JWT_SECRET_KEY=SECRET, JWT_ENCODE_ISSUER=ISSUER, JWT_DECODE_ISSUER=ISSUER, JWT_ENCODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_AUDIENCE=AUDIENCE, JWT_ACCESS_TOKEN_EXPIRES=86_400,
    )  # fmt: skip
    JWTManager(app)
    with app.app_context():
        return app, create_access_token("user-1")


def tables(seconds: float) -> list[Table]:
    auth = require_auth(_peers.tokens())
    token = _peers.token()

    @auth
    def with_principal(principal: Principal) -> Any:
        return "orders"

    outside = _app(orders)
    outside.wsgi_app = auth(outside.wsgi_app)  # type: ignore[method-assign]
    subjects: dict[str, tuple[Any, str]] = {
        "authkit": (_app(auth(orders)), token),
        "authkit, principal": (_app(with_principal), token),
        "authkit around the app": (outside, token),
        "PyJWT by hand": (_app(_by_hand(orders)), token),
        "Flask-JWT-Extended": _extended(),
    }
    for app, sent in subjects.values():
        assert _wsgi.status(app, _wsgi.environ(None)) == 401
        assert _wsgi.status(app, _wsgi.environ(sent)) == 200
    bare = _wsgi.batch(_app(orders), token)
    found = added({name: (_wsgi.batch(app, sent), bare) for name, (app, sent) in subjects.items()}, seconds=seconds)
    return [beside_peers("Flask", found)]
