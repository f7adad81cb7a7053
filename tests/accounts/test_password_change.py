"""`accounts.password`: who is logged in and knows the current password gets another one, and every session ends."""

from __future__ import annotations

import pytest

from authkit import Request
from authkit._run import arun
from authkit.accounts import Cookies, MemoryUsers, User
from authkit.errors import Unavailable
from authkit.stores import MemoryStore
from tests.stores.parts import in_threads

from .parts import PASSWORD, SAME_SITE, Service, cheap, cookies_of, tokens_of, told, whole
from .table import Hooked, Slow
from .test_passwords import Argon2Calls

NEW = "battery staple"


@pytest.fixture
def service():
    return Service()


def change(service, token=None, current=PASSWORD, new=NEW, *, headers=(), **options):
    sent = dict(headers)
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    return service.send("/password", {"current_password": current, "new_password": new}, sent, **options)


def test_it_is_another_password_and_the_answer_is_another_session(service):
    before = service.users.find("alice")
    service.clock.advance(60)
    answer = change(service, service.pair()["access_token"])
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    pair = told(answer)
    assert set(pair) == {"user", "access_token", "refresh_token", "token_type", "expires_in"}
    principal = service.tokens.verify(pair["access_token"])
    assert (principal.roles, principal.claims["amr"], principal.claims["auth_time"]) == (
        {"admin", "clerk"}, ["pwd"], int(service.clock()),
    )  # fmt: skip
    assert service.refresh(pair["refresh_token"]).status == 200
    assert service.login().status == 401
    assert service.login(password=NEW).status == 200
    after = service.users.find("alice")
    assert after.password_changed == service.clock()
    assert after.changed(password_hash=before.password_hash, password_changed=before.password_changed) == before


def test_ref_05_every_session_from_before_is_ended_the_one_that_asked_too(service):
    pairs = [service.pair() for _ in range(3)]
    assert change(service, pairs[0]["access_token"]).status == 200
    for pair in pairs:
        assert service.verify(pair["access_token"]).status == 401
        assert service.refresh(pair["refresh_token"]).status == 401


def test_a_session_alone_changes_no_password(service):
    pair, before = service.pair(), service.users.find("alice")
    answer = change(service, pair["access_token"], current="wrong")
    assert (answer.status, told(answer)["code"]) == (403, "password_wrong")
    assert "www-authenticate" not in answer.headers  # the credential was good
    assert service.users.find("alice") is before
    assert service.verify(pair["access_token"]).status == 200


def test_the_password_alone_changes_no_password(service):
    for headers, status in (({}, 401), ({"authorization": "Bearer x.y.z"}, 401), ({"authorization": "Basic YTpi"}, 401)):
        assert change(service, headers=headers).status == status
    assert service.login().status == 200


def test_pwd_10_guessing_here_is_limited_with_the_logins_and_nothing_is_hashed_past_that(service):
    """From a stolen session as from outside: the same limits, together. Then the right password is not looked at either."""
    token = service.pair()["access_token"]
    assert [change(service, token, current="wrong").status for _ in range(4)] == [403] * 4
    assert service.login(password="wrong").status == 401
    with Argon2Calls() as calls:
        answer = change(service, token)
        assert service.login().status == 429
    assert calls.count == 0
    assert (answer.status, told(answer)["code"]) == (429, "rate_limited")
    assert int(answer.headers["retry-after"]) >= 1


def test_pwd_12_a_right_password_counts_against_nobody(service):
    token = service.pair()["access_token"]
    for n in range(20):
        answer = change(service, token, PASSWORD if n % 2 == 0 else NEW, NEW if n % 2 == 0 else PASSWORD)
        token = told(answer)["access_token"]
    assert service.login().status == 200


@pytest.mark.parametrize(
    ("new", "code"),
    [("1234567", "password_too_short"), ("x" * 4097, "password_not_acceptable")],
)
def test_what_can_be_no_password_changes_nothing(service, new, code):
    pair, before = service.pair(), service.users.find("alice")
    answer = change(service, pair["access_token"], new=new)
    assert answer.status == 400
    assert told(answer)["code"] == code
    assert service.users.find("alice") is before
    assert service.verify(pair["access_token"]).status == 200


def test_second_factors_stay(service):
    user = service.users.find("alice")
    assert service.users.update(user, user.changed(factors="sealed"))
    token = service.tokens.issue("alice", claims={"amr": ["pwd", "otp", "mfa"], "auth_time": int(service.clock())})
    assert change(service, token).status == 200
    assert service.users.find("alice").factors == "sealed"


def test_the_new_session_says_no_more_of_a_second_factor_than_the_old_one(service):
    """A code of an hour ago is not made fresh by a password: `max_age` with `amr` would be passed by whoever has both."""
    then = int(service.clock()) - 3600
    claims = {"amr": ["pwd", "otp", "mfa"], "auth_time": then}
    user = service.users.find("alice")
    pair = service.tokens.issue_pair("alice", claims=claims, stamp=str(user.password_changed))
    principal = service.tokens.verify(told(change(service, pair.access_token))["access_token"])
    assert (principal.claims["amr"], principal.claims["auth_time"]) == (claims["amr"], then)


@pytest.mark.parametrize("claims", [{}, {"amr": ["otp"]}, {"auth_time": 1}])
def test_what_says_half_of_how_somebody_logged_in_says_nothing_of_it(service, claims):
    token = service.tokens.issue("alice", claims=claims)
    principal = service.tokens.verify(told(change(service, token))["access_token"])
    assert (principal.claims["amr"], principal.claims["auth_time"]) == (["pwd"], int(service.clock()))


def test_a_user_is_found_by_the_name_and_must_be_the_subject_of_the_token():
    service = Service()
    service.users.add(User("numbered", subject="17", password_hash=cheap().hash(PASSWORD)))
    token = told(service.login("numbered"))["access_token"]
    principal = service.tokens.verify(told(change(service, token))["access_token"])
    assert (principal.subject, principal.claims["preferred_username"]) == ("17", "numbered")
    assert service.login("numbered", NEW).status == 200
    for subject, name in (("17", "alice"), ("18", "numbered"), ("nobody", "nobody")):
        token = service.tokens.issue(subject, claims={"preferred_username": name})
        assert change(service, token).status == 401
    assert service.login().status == 200


def test_who_is_another_by_the_time_of_the_password_changes_nothing():
    """The name was deleted and is somebody else's now, with the same password."""

    class Table(MemoryUsers):
        found = 0

        def find(self, username):
            self.found += 1
            user = super().find(username)
            return user if user is None or self.found == 1 else user.changed(subject="somebody else")

    service = Service(users=Table())
    token = service.tokens.issue("alice")
    before = service.users.find("alice").password_hash
    service.users.found = 0
    assert change(service, token).status == 403
    assert service.users.find("alice").password_hash == before


def test_a_token_of_the_applications_own_makes_no_user_on_the_way():
    service = Service(create_on_first_login=True)
    assert change(service, service.tokens.issue("a machine")).status == 401
    assert service.users.find("a machine") is None


def test_a_user_who_was_disabled_changes_nothing(service):
    token = service.pair()["access_token"]
    user = service.users.find("alice")
    assert service.users.update(user, user.changed(disabled=True))  # behind our back, so that the token is still good
    answer = change(service, token)
    assert whole(answer) == whole(change(service, token, current="wrong"))
    assert answer.status == 403


def test_of_many_changes_at_once_one_is_made():
    """Whoever comes later brings what is no current password any more."""
    service = Service(insecure_unlimited=True)
    pairs = [service.pair() for _ in range(8)]
    answers = []
    in_threads(8, lambda n: answers.append((change(service, pairs[n]["access_token"], new=f"new password {n}").status, n)))
    ((_, winner),) = [answer for answer in answers if answer[0] == 200]
    assert {status for status, _ in answers} <= {200, 401, 403}
    assert service.login(password=f"new password {winner}").status == 200


def test_what_else_was_changed_meanwhile_is_not_lost():
    users = Hooked()
    service = Service(users=users)
    token = service.pair()["access_token"]
    users.before = lambda table, user: table.update(user, user.changed(roles=["clerk"]))
    answer = change(service, token)
    assert service.users.find("alice").roles == {"clerk"}
    assert service.tokens.verify(told(answer)["access_token"]).roles == {"clerk"}
    assert service.login(password=NEW).status == 200


@pytest.mark.parametrize("meanwhile", [{"password_changed": 1.0}, {"disabled": True}, {"subject": "another"}])
def test_who_lost_their_password_or_account_meanwhile_changes_nothing(meanwhile):
    users = Hooked()
    service = Service(users=users)
    token = service.pair()["access_token"]
    users.before = lambda table, user: table.update(user, user.changed(**meanwhile))
    assert change(service, token).status == 403
    assert cheap().verify(PASSWORD, users.find("alice").password_hash)


def test_an_update_whose_answer_was_lost_is_not_done_twice():
    class Forgetful(MemoryUsers):
        def update(self, old, new):
            super().update(old, new)
            updates.append(new)
            return False

    updates = []
    service = Service(users=Forgetful())
    assert change(service, service.pair()["access_token"]).status == 200
    assert len(updates) == 1


def test_a_table_that_cannot_update_is_told_before_anything_is_hashed(caplog):
    class Fixed:
        in_place = True

        def __init__(self):
            self._table = MemoryUsers()
            self.find, self.add = self._table.find, self._table.add

    service = Service(users=Fixed())
    token = service.pair()["access_token"]
    with Argon2Calls() as calls:
        assert change(service, token).status == 500
    assert calls.count == 0
    assert "users has no method update" in caplog.text


def test_cookies_are_replaced_and_another_site_changes_nothing():
    service = Service(cookies=Cookies())
    held = cookies_of(service.login(headers=SAME_SITE))
    cookie = {"cookie": "; ".join(f"{name}={value}" for name, (value, _) in held.items())}
    for headers in ({}, {"host": "api.example", "origin": "https://evil.example"}, {"sec-fetch-site": "same-site"}):
        answer = change(service, headers={**cookie, **headers})
        assert (answer.status, told(answer)["code"]) == (403, "csrf_failed")
    bearer = {"authorization": f"Bearer {held['__Host-access'][0]}"}
    assert change(service, headers=bearer).status == 403  # the answer would leave cookies behind, whoever asked
    answer = change(service, headers={**cookie, **SAME_SITE})
    assert answer.status == 200
    assert set(told(answer)) == {"user", "expires_in"}
    fresh = cookies_of(answer)
    assert fresh.keys() == held.keys()
    assert all(fresh[name] != held[name] for name in held)
    assert service.login(password=NEW, headers=SAME_SITE).status == 200


class Failing(MemoryStore):
    down = False

    def swap(self, *args):
        return self._or(super().swap, *args)

    def add(self, *args):
        return self._or(super().add, *args)

    def _or(self, fn, *args):
        if self.down:
            raise Unavailable("out of reach")
        return fn(*args)


def test_where_the_sessions_cannot_be_ended_that_is_no_success():
    store = Failing()
    service = Service(tokens=tokens_of(store=store))
    pair = service.pair()
    store.down = True
    assert change(service, pair["access_token"]).status == 503
    store.down = False
    assert service.refresh(pair["refresh_token"]).status == 401  # the password is another already, and ends them


def test_the_application_is_told(service):
    kinds = []
    service = Service(on_event=lambda kind, user: kinds.append((kind, user.username)))
    token = service.pair()["access_token"]
    change(service, token, current="wrong")
    change(service, token)
    assert kinds == [("password_changed", "alice")]


async def test_it_is_done_to_the_end_whoever_still_waits():
    """A client that goes away half-way leaves no password changed with its sessions alive."""
    import asyncio

    users = Slow()
    service = Service(users=users)
    pair = await asyncio.to_thread(service.pair)
    body = b'{"current_password": "%s", "new_password": "%s"}' % (PASSWORD.encode(), NEW.encode())
    headers = {"content-type": "application/json", "authorization": f"Bearer {pair['access_token']}"}
    request = Request.build("POST", "/password", headers, body, "203.0.113.5")

    async def ask():
        return await arun(service.accounts.password.answer(request))

    task = asyncio.get_running_loop().create_task(ask())
    assert await asyncio.to_thread(users.began.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    users.go_on.set()
    for _ in range(500):
        if (await asyncio.to_thread(service.verify, pair["access_token"])).status == 401:
            break
        await asyncio.sleep(0.01)
    assert (await asyncio.to_thread(service.verify, pair["access_token"])).status == 401
    assert (await asyncio.to_thread(service.login, "alice", NEW)).status == 200


BOTH = {"current_password": PASSWORD, "new_password": NEW}


@pytest.mark.parametrize(
    "body",
    [{}, {"current_password": PASSWORD}, {**BOTH, "new_password": 12345678}, {**BOTH, "username": "bob"}, [], b"{", b"null"],
)
def test_pwd_14_a_body_that_is_another_changes_nothing(service, body):
    token = service.pair()["access_token"]
    assert service.send("/password", body, {"authorization": f"Bearer {token}"}).status == 400
    assert service.login().status == 200


def test_log_01_no_password_and_no_token_is_in_any_log(service, caplog):
    caplog.set_level("DEBUG")
    token = service.pair()["access_token"]
    change(service, token, current="a wrong password")
    change(service, token, new="short")
    answer = told(change(service, token))
    for secret in (PASSWORD, NEW, "a wrong password", token, answer["access_token"], answer["refresh_token"]):
        assert secret not in caplog.text
