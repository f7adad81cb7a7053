"""A site that people log in at, on each kind of host; told by the environment.

`LOGIN_ISSUER`, `LOGIN_BASE`: of the provider, and where the site is. `LOGIN_STORE`: a file in which sessions lie; none: they
are sealed. Every app is `login.app` and `/page`, which tells who is logged in.
"""

from __future__ import annotations

import os
from typing import Any

from authkit import Principal, require_auth
from authkit.oidc import OIDCProvider
from authkit.stores import SqliteStore

BASE = os.environ["LOGIN_BASE"]
STORE = os.environ.get("LOGIN_STORE")
PROVIDER = OIDCProvider(os.environ["LOGIN_ISSUER"], audience="https://api.example.test/")
LOGIN = PROVIDER.login(
    client_id="web",
    client_secret="web-secret-0123456789abcdef0123456789abcdef",
    redirect_uri=f"{BASE}/callback",
    session_key="a session key of a test: 0123456789abcdef",
    scopes=["openid", "profile"],
    store=SqliteStore(STORE, timeout=30) if STORE else None,
    logged_out_uri="http://127.0.0.1/logged-out",
    timeout=30,
)
GUARD = require_auth(LOGIN.session)
OURS = ("/login", "/callback", "/logout", "/backchannel-logout")


def text(principal: Principal | None) -> str:
    assert principal is not None
    return f"{principal.subject} {principal.claims['name']}"


@GUARD
async def _asgi_page(scope: dict[str, Any], receive: Any, send: Any) -> None:
    from authkit import current_principal

    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text(current_principal()).encode()})


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await (LOGIN.app if scope["path"] in OURS else _asgi_page)(scope, receive, send)


@GUARD
def _wsgi_page(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    from authkit import current_principal

    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text(current_principal()).encode()]


def wsgi(environ: dict[str, Any], start_response: Any) -> Any:
    return (LOGIN.app if environ["PATH_INFO"] in OURS else _wsgi_page)(environ, start_response)


@GUARD
def _on_lambda_page(event: dict[str, Any], context: Any, principal: Principal) -> dict[str, Any]:
    return {"statusCode": 200, "body": text(principal)}


def on_lambda(event: dict[str, Any], context: Any) -> Any:
    return (LOGIN.app if event["rawPath"] in OURS else _on_lambda_page)(event, context)


def _flask() -> Any:
    import flask

    app = flask.Flask("site")
    app.add_url_rule("/login", view_func=LOGIN.start.flask)
    app.add_url_rule("/callback", view_func=LOGIN.callback.flask)
    app.add_url_rule("/logout", view_func=LOGIN.logout.flask, methods=["GET", "POST"])
    app.add_url_rule("/page", view_func=GUARD(_flask_page))
    return app


def _flask_page(principal: Principal) -> str:
    return text(principal)


def _fastapi() -> Any:
    import fastapi
    from fastapi.responses import PlainTextResponse

    app = fastapi.FastAPI()
    app.get("/login")(LOGIN.start.fastapi)
    app.get("/callback")(LOGIN.callback.fastapi)
    app.api_route("/logout", methods=["GET", "POST"])(LOGIN.logout.fastapi)

    @app.get("/page", response_class=PlainTextResponse)
    @GUARD
    async def page(principal: Principal) -> str:
        return text(principal)

    return app


def _django() -> Any:
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    @GUARD
    def page(request: Any, principal: Principal) -> Any:
        return HttpResponse(text(principal))

    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["127.0.0.1"],
        SECRET_KEY="of django",
        MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    )
    urlpatterns.extend(
        [
            path("login", LOGIN.start.django),
            path("callback", LOGIN.callback.django),
            path("logout", LOGIN.logout.django),
            path("page", page),
        ]
    )
    return get_wsgi_application()


urlpatterns: list[Any] = []
MADE = {"flask": _flask, "fastapi": _fastapi, "django": _django}
app = MADE[os.environ["LOGIN_APP"]]() if os.environ.get("LOGIN_APP") in MADE else None
