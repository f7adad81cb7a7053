"""`accounts.registration`: whoever likes may have a name that is free, so many from one network, and nothing else with it."""

from __future__ import annotations

import json

import pytest

from authkit import ConfigurationError, Request
from authkit.accounts import Accounts, Cookies, MemoryUsers, Registration
from tests.stores.parts import in_threads

from .parts import FORM, PASSWORD, SAME_SITE, Service, cheap, cookies_of, tokens_of, told, whole
from .test_passwords import Argon2Calls

NEW = {"username": "bob", "password": "a new password"}


@pytest.fixture
def service():
    return Service(registration=True)


def register(service, username="bob", password="a new password", **options):
    return service.send("/register", {"username": username, "password": password}, **options)


def test_who_registers_is_logged_in_and_may_log_in_again(service):
    answer = register(service, " BOB ")
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    pair = told(answer)
    assert {name: type(value) for name, value in pair.items()} == {
        "user": str, "access_token": str, "refresh_token": str, "token_type": str, "expires_in": int,
    }  # fmt: skip
    assert pair["user"] == "bob"
    principal = service.tokens.verify(pair["access_token"])
    assert (principal.subject, principal.roles, principal.scopes) == ("bob", frozenset(), frozenset())
    assert principal.claims["amr"] == ["pwd"]
    assert service.refresh(pair["refresh_token"]).status == 200
    assert service.login("bob", "a new password").status == 200
    assert service.users.find("bob").password_changed == service.clock()


def test_it_is_there_only_where_it_was_switched_on():
    service = Service()
    assert not hasattr(service.accounts, "registration")
    assert register(service).status == 404
    assert service.users.find("bob") is None


def test_it_is_an_endpoint_by_itself(service):
    answer = service.accounts.registration(
        Request.build("POST", "/", {"content-type": "application/json"}, json.dumps(NEW).encode())
    )
    assert answer.status == 201


@pytest.mark.parametrize("name", ["alice", "ALICE", "Alice ", "  aLiCe", "ａｌｉｃｅ", "ⓐlice"])
def test_pwd_09_a_name_that_is_taken_is_taken_in_every_spelling(service, name):
    before = service.users.find("alice")
    answer = register(service, name)
    assert (answer.status, told(answer)["code"]) == (409, "username_taken")
    assert service.users.find("alice") is before
    assert service.login().status == 200


@pytest.mark.parametrize("name", ["\u200bbob", "bob\t", "b" * 129, "   ", "\u202ebob"])
def test_a_name_that_nobody_can_have_is_refused(service, name):
    answer = register(service, name)
    assert (answer.status, told(answer)["code"]) == (400, "username_not_acceptable")


@pytest.mark.parametrize(
    ("password", "code"),
    [("1234567", "password_too_short"), ("x" * 4097, "password_not_acceptable"), ("bobbobbob", "password_not_acceptable")],
)
def test_a_password_that_will_not_do_is_named_and_nobody_is_registered(service, password, code):
    with Argon2Calls() as calls:
        answer = register(service, "bobbobbob", password)
    assert (answer.status, told(answer)["code"]) == (400, code)
    assert calls.count == 0
    assert service.users.find("bobbobbob") is None


def test_nobody_gives_themselves_roles(service):
    for more in ({"roles": ["admin"]}, {"scopes": ["*"]}, {"subject": "alice"}, {"disabled": False}):
        assert service.send("/register", {**NEW, **more}).status == 400
    assert service.users.find("bob") is None


def test_rtl_13_so_many_from_one_network_and_then_nothing_is_hashed_or_looked_up(service):
    """Also a registration that was refused counts: it has said whether a name is taken."""
    assert [register(service, "alice").status for _ in range(9)] == [409] * 9
    assert register(service, "bob").status == 201
    with Argon2Calls() as calls:
        answers = [register(service, name) for name in ("alice", "carol", "\0")]
    assert calls.count == 0
    assert {(answer.status, told(answer)["code"]) for answer in answers[:2]} == {(429, "rate_limited")}
    assert whole(answers[0]) == whole(answers[1])
    assert 1 <= int(answers[0].headers["retry-after"]) <= 6
    assert register(service, "carol", peer="198.51.100.7").status == 201
    assert service.login().status == 200  # it is no limit of logins


def test_the_limit_is_the_applications_to_choose():
    service = Service(registration=Registration(address="1/hour"))
    assert [register(service, f"user{n}").status for n in range(2)] == [201, 429]
    assert [register(Service(registration=True, insecure_unlimited=True), "alice").status for _ in range(30)] == [409] * 30


def test_of_many_who_want_one_name_at_once_one_has_it():
    service = Service(registration=True, insecure_unlimited=True)
    answers = []
    in_threads(8, lambda n: answers.append((register(service, password=f"password number {n}").status, n)))
    ((_, winner),) = [answer for answer in answers if answer[0] == 201]
    assert sorted(status for status, _ in answers) == [201] + [409] * 7
    assert service.login("bob", f"password number {winner}").status == 200


def test_with_cookies_the_tokens_are_in_no_body_and_another_site_registers_nobody():
    service = Service(registration=True, cookies=Cookies())
    for headers in ({}, {"host": "api.example", "origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert register(service, headers=headers).status == 403
    assert service.users.find("bob") is None
    answer = register(service, headers=SAME_SITE)
    assert answer.status == 201
    assert set(cookies_of(answer)) == {"__Host-access", "__Host-refresh"}
    assert set(told(answer)) == {"user", "expires_in"}


def test_a_form_will_do_but_not_one_of_another_site(service):
    body = b"username=bob&password=a+new+password"
    assert service.send("/register", body, {**FORM, "origin": "https://evil.example", "host": "api.example"}).status == 403
    assert service.users.find("bob") is None
    assert service.send("/register", body, FORM).status == 201


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_registers(service, method):
    assert register(service, method=method).status == 405
    assert service.users.find("bob") is None


@pytest.mark.parametrize("registration", ["yes", 1, None, "10/hour", []])
def test_the_switch_is_true_or_a_registration(registration):
    with pytest.raises(ConfigurationError, match="registration"):
        Accounts(MemoryUsers(), tokens_of(), cheap(), registration=registration)


@pytest.mark.parametrize("address", ["", (), "ten", ["5/minute", "x"]])
def test_a_registration_has_limits(address):
    with pytest.raises(ConfigurationError):
        Registration(address=address)


def test_the_password_of_another_is_not_told_by_registering(service):
    """A name that is taken is refused with the same bytes whatever the password."""
    assert whole(register(service, "alice", PASSWORD)) == whole(register(service, "alice", "something else"))
