"""Flask-Login with a guard as its request loader, in a real app."""

from __future__ import annotations

import pytest
from flask import Flask, jsonify
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user

from authkit import ConfigurationError, allow_ips, require_auth
from authkit.adapters.flask_login import PrincipalUser, request_loader

from .parts import MALFORMED, MINT, TWO, Down, Named, bearer


class Person(UserMixin):
    def __init__(self, name):
        self.id = name


PEOPLE = {("https://issuer.example", "alice"): Person("user-1")}


def find(principal):
    return PEOPLE.get((principal.issuer, principal.subject))


def client_of(loader):
    app = Flask(__name__)
    app.secret_key = "only-for-the-tests-" * 3
    manager = LoginManager(app)
    manager.request_loader(loader)
    manager.user_loader(lambda name: Person(name))

    @app.get("/me")
    @login_required
    def me():
        return jsonify(user=current_user.get_id())

    @app.get("/open")
    def open_to_all():
        return jsonify(known=current_user.is_authenticated)

    @app.get("/subject")
    @login_required
    def subject():
        return jsonify(subject=current_user.principal.subject)

    @app.post("/login")
    def login():
        login_user(Person("user-2"))
        return "in"

    return app.test_client()


def test_a_good_token_is_the_user_of_its_issuer_and_subject():
    client = client_of(request_loader(Named(), load=find))
    assert client.get("/me", headers=bearer("alice")).json == {"user": "user-1"}


def test_nothing_sent_is_nobody():
    client = client_of(request_loader(Named(), load=find))
    assert client.get("/open").json == {"known": False}
    assert client.get("/me").status_code == 401


def test_somebody_who_is_no_user_here_is_refused_like_a_bad_token():
    client = client_of(request_loader(Named(), load=find))
    stranger, bad = (client.get("/me", headers=bearer(token)) for token in ("mallory", "a.b"))
    assert (stranger.status_code, stranger.data, list(stranger.headers)) == (401, bad.data, list(bad.headers))
    assert stranger.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("line", [*MALFORMED, TWO["authorization"]])
def test_the_header_is_read_as_the_guard_reads_it(line):
    app = Flask(__name__)
    app.add_url_rule("/me", view_func=require_auth(MINT.tokens)(lambda: "in"), endpoint="me")
    theirs = app.test_client().get("/me", headers={"authorization": line})
    mine = client_of(request_loader(MINT.tokens)).get("/me", headers={"authorization": line})
    own = sorted(one for one in mine.headers if one[0] != "Vary")  # Flask-Login has looked at the session
    assert (mine.status_code, mine.data, own) == (400, theirs.data, sorted(theirs.headers))


def test_every_bad_token_is_refused():
    client = client_of(request_loader(MINT.tokens))
    for name, token in MINT.bad().items():
        assert client.get("/open", headers=bearer(token)).status_code == 401, name


def test_a_credential_that_cannot_be_judged_is_503():
    answer = client_of(request_loader(Down())).get("/me", headers=bearer("abc"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


@pytest.mark.parametrize("token", ["a.b", "mallory"])
def test_a_page_that_tells_what_went_wrong_is_shown_to_nobody(token):
    """Flask's own answer is on its way, and a page that greets its user cannot be refused any more: that would be a 500."""
    client = client_of(request_loader(Named(), load=find))
    app = client.application

    def page(error):
        return f"no page for you: {current_user.is_authenticated}", error.code

    for code in (404, 405):
        app.register_error_handler(code, page)
    for place, code in (("/nowhere", 404), ("/login", 405)):
        answer = client.get(place, headers=bearer(token))
        assert (answer.status_code, answer.text) == (code, "no page for you: False")
        assert client.get(place, headers=bearer("alice")).text == "no page for you: True"


def test_after_the_refusal_nobody_is_there_and_nothing_is_refused_again():
    client = client_of(request_loader(Named(), load=find))
    seen = []

    @client.application.after_request
    def note(response):
        seen.append(current_user.is_authenticated)
        return response

    assert client.get("/me", headers=bearer("a.b")).status_code == 401
    assert client.get("/me", headers=bearer("alice")).status_code == 200
    assert seen == [False, True]


def test_without_a_load_the_user_is_the_principal():
    client = client_of(request_loader(MINT.tokens))
    assert client.get("/subject", headers=bearer(MINT.good("alice"))).json == {"subject": "alice"}


def test_such_a_user_gets_no_session():
    with pytest.raises(TypeError, match="no session"):
        PrincipalUser(MINT.tokens.verify(MINT.good())).get_id()


def test_a_session_comes_first_as_flask_login_has_it():
    client = client_of(request_loader(Named(), load=find))
    assert client.post("/login").status_code == 200
    assert client.get("/me", headers=bearer("alice")).json == {"user": "user-2"}


@pytest.mark.parametrize(
    "build",
    [
        lambda: request_loader(allow_ips("10.0.0.0/8")),
        lambda: request_loader(Named(), load=None),
        lambda: request_loader(require_auth(MINT.tokens), realm="x"),
    ],
)
def test_what_is_wrong_is_told_when_it_is_built(build):
    with pytest.raises(ConfigurationError):
        build()
