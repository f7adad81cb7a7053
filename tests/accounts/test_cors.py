"""CORS of the endpoints: exact origins, preflights, and nothing said to anybody else."""

from __future__ import annotations

import pytest

from authkit import ConfigurationError
from authkit.accounts import Cookies

from .parts import PASSWORD, Service

APP = "https://app.example"
LOGIN = {"username": "alice", "password": PASSWORD}
SAID = "access-control-"


def said(answer):
    return {name[len(SAID) :]: value for name, value in answer.headers.items() if name.startswith(SAID)}


def preflight(service, path="/login", origin=APP, method="POST"):
    return service.send(path, headers={"origin": origin, "access-control-request-method": method}, method="OPTIONS")


@pytest.fixture
def service():
    return Service(cors=[APP, "http://localhost:5173"])


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/login", "POST"), ("/verify", "POST"), ("/refresh", "POST"), ("/logout", "POST"), ("/.well-known/jwks.json", "GET")],
)
def test_a_preflight_is_answered_for_the_methods_there_are(service, path, methods):
    answer = preflight(service, path)
    assert (answer.status, answer.body) == (204, b"")
    assert said(answer)["allow-origin"] == APP
    assert said(answer)["allow-methods"] == methods
    assert said(answer)["allow-headers"] == "authorization, content-type"
    assert "allow-credentials" not in said(answer)
    assert answer.headers["vary"] == "origin"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://app.example.evil.example", "HTTPS://APP.EXAMPLE", "*"]
)
def test_a_preflight_from_elsewhere_is_refused(service, origin):
    answer = preflight(service, origin=origin)
    assert (answer.status, said(answer)) == (403, {})
    assert answer.headers["vary"] == "origin"


def test_who_is_listed_may_read_every_answer(service):
    for answer in (
        service.send("/login", LOGIN, {"origin": APP}),
        service.send("/login", {**LOGIN, "password": "wrong"}, {"origin": APP}),
        service.send("/login", b"{", {"origin": APP}),
        service.send("/login", headers={"origin": APP}, method="GET"),
    ):
        assert said(answer) == {"allow-origin": APP, "expose-headers": "retry-after, www-authenticate"}
        assert answer.headers["vary"] == "origin"


def test_who_is_not_may_read_none(service):
    for headers in ({"origin": "https://evil.example"}, {}):
        answer = service.send("/login", LOGIN, headers)
        assert (answer.status, said(answer), answer.headers["vary"]) == (200, {}, "origin")


def test_credentials_go_with_cookies_alone():
    service = Service(cors=[APP], cookies=Cookies())
    for answer in (preflight(service), service.send("/login", LOGIN, {"origin": APP})):
        assert said(answer)["allow-credentials"] == "true"
        assert said(answer)["allow-origin"] == APP


def test_without_cors_nothing_is_said():
    service = Service()
    answer = service.send("/login", LOGIN, {"origin": APP})
    assert (said(answer), "vary" in answer.headers) == ({}, False)
    assert preflight(service).status == 405


def test_options_that_is_no_preflight_is_405(service):
    """AUZ-05."""
    for headers in ({}, {"origin": APP}, {"access-control-request-method": "POST"}):
        assert service.send("/login", headers=headers, method="OPTIONS").status == 405


def test_a_form_that_says_it_comes_from_elsewhere_is_refused(service):
    """No page needs it, and a stranger's could have its readers fail at a login from their own address."""
    form = b"username=alice&password=correct+horse"
    kind = {"content-type": "application/x-www-form-urlencoded", "host": "api.example"}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        assert service.send("/login", form, {**kind, **headers}).status == 403
    for headers in ({}, {"origin": APP}, {"origin": "https://api.example"}, {"sec-fetch-site": "same-origin"}):
        assert service.send("/login", form, {**kind, **headers}).status == 200


@pytest.mark.parametrize(
    "origins",
    [
        "https://app.example",
        ["*"],
        ["null"],
        [""],
        ["app.example"],
        ["https://app.example/"],
        ["https://app.example/x"],
        ["https://*.example"],
        ["https://APP.example"],
        ["https://app.example:443"],
        ["http://app.example:80"],
        ["https://app.example:"],
        ["https://user@app.example"],
        ["https://"],
        ["ftp://app.example"],
        ["https://app.example\n"],
        ["https://\u00e4pp.example"],
        [None],
        [5],
    ],
    ids=ascii,
)
def test_wrong_origins_are_refused_when_built(origins):
    with pytest.raises(ConfigurationError, match="cors"):
        Service(cors=origins)


@pytest.mark.parametrize(
    "origin",
    ["https://app.example", "http://localhost:5173", "https://app.example:8443", "http://[::1]:3000", "http://127.0.0.1"],
)
def test_origins_as_browsers_send_them(origin):
    service = Service(cors=[origin])
    assert said(preflight(service, origin=origin))["allow-origin"] == origin
