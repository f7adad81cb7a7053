"""`accounts.reset` and `reset_confirm`: who has the mail gets another password, once; who has not learns nothing."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest

from authkit import ConfigurationError, Request
from authkit._run import arun
from authkit.accounts import Accounts, Cookies, MemoryUsers, PasswordReset, SqliteUsers, User
from authkit.errors import StoreUnavailable
from authkit.stores import MemoryStore, SqliteStore
from authkit.testing import Clock, LambdaContext, lambda_event
from tests.stores.parts import in_threads

from .parts import FORM, KEY, PASSWORD, SAME_SITE, Service, cheap, tokens_of, told, whole
from .table import Hooked, Slow
from .test_passwords import Argon2Calls

NEW = "battery staple"


class Mail:
    """What was sent, to whom; it may take its time."""

    def __init__(self):
        self.sent = []
        self._came = threading.Condition()

    def __call__(self, user, token):
        with self._came:
            self.sent.append((user.username, token))
            self._came.notify_all()

    def token(self, number=1):
        """The newest token, when so many have been sent."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.sent) >= number, 10)
        return self.sent[-1][1]


@pytest.fixture
def mail():
    return Mail()


@pytest.fixture
def service(mail):
    service = Service(send_reset=mail)
    good = cheap().hash(PASSWORD)
    service.users.add(User("bob", password_hash=good, password_changed=1.0))
    service.users.add(User("disabled", password_hash=good, disabled=True))
    service.users.add(User("passwordless"))
    return service


def ask(service, username="alice", **options):
    return service.send("/password/reset", {"username": username}, **options)


def confirm(service, token, new=NEW, **options):
    return service.send("/password/reset/confirm", {"token": token, "new_password": new}, **options)


def code(answer):
    return answer.status, told(answer)["code"]


REFUSED = (400, "invalid_reset_token")


def test_a_token_is_sent_and_sets_another_password(service, mail):
    before = service.users.find("alice")
    service.clock.advance(60)
    assert ask(service, " ALICE ").status == 202
    answer = confirm(service, mail.token())
    assert (answer.status, answer.body) == (204, b"")
    assert mail.sent == [("alice", mail.token())]
    assert service.login().status == 401
    assert service.login(password=NEW).status == 200
    after = service.users.find("alice")
    assert after.password_changed == service.clock()
    assert after.changed(password_hash=before.password_hash, password_changed=before.password_changed) == before


def test_ref_05_every_session_is_ended(service, mail):
    pairs = [service.pair() for _ in range(3)]
    ask(service)
    assert all(service.verify(pair["access_token"]).status == 200 for pair in pairs)  # asking ends nothing
    confirm(service, mail.token())
    for pair in pairs:
        assert service.verify(pair["access_token"]).status == 401
        assert service.refresh(pair["refresh_token"]).status == 401


NAMES = ["alice", "nobody", "disabled", "passwordless", "\u200bno name", "x" * 500]


def test_pwd_02_whoever_it_is_the_answer_is_the_same_bytes(service, mail):
    answers = {name: whole(ask(service, name)) for name in NAMES}
    assert set(answers.values()) == {(202, b"", (("cache-control", "no-store"),))}
    mail.token()
    ask(service, "bob")
    mail.token(2)
    assert [name for name, _ in mail.sent] == ["alice", "bob"]


def test_pwd_01_for_nobody_the_same_is_done_as_for_somebody(mail):
    """The table and the store are asked the same, in the same order; the rest is a queue that both go through."""

    class Store(MemoryStore):
        def __getattribute__(self, name):
            if name in ("get", "add", "swap"):
                steps.append(name)
            return super().__getattribute__(name)

    class Table(MemoryUsers):
        def find(self, username):
            steps.append("find")
            return super().find(username)

    steps = []
    service = Service(users=Table(), store=Store(), send_reset=mail, limits=None)
    service.users.add(User("disabled", password_hash=cheap().hash(PASSWORD), disabled=True))
    seen = {}
    for name in ("alice", "nobody", "disabled", "passwordless"):
        steps.clear()
        assert ask(service, name).status == 202
        seen[name] = tuple(steps)
    assert set(seen.values()) == {("find", "add", "get", "swap")}


def test_no_clock_tells_who_exists(mail):
    """`send` takes half a second, and the answer does not."""

    def slow(user, token):
        time.sleep(0.5)
        mail(user, token)

    service = Service(send_reset=slow)
    for name in ("alice", "nobody"):
        began = time.perf_counter()
        assert ask(service, name).status == 202
        assert time.perf_counter() - began < 0.3
    mail.token()


def test_what_a_token_is_good_for_is_one_change(service, mail):
    ask(service)
    token = mail.token()
    assert confirm(service, token).status == 204
    assert code(confirm(service, token, "yet another one")) == REFUSED
    assert service.login(password=NEW).status == 200


def test_only_the_newest_token_of_a_user_is_good(service, mail):
    ask(service)
    old = mail.token()
    ask(service)
    new = mail.token(2)
    assert code(confirm(service, old)) == REFUSED
    assert confirm(service, new).status == 204


def test_a_token_is_good_for_a_quarter_of_an_hour_by_default(service, mail):
    ask(service)
    token = mail.token()
    service.clock.advance(899)
    assert code(confirm(service, token, "short")) == (400, "password_too_short")
    service.clock.advance(1)
    assert code(confirm(service, token)) == REFUSED
    assert service.login().status == 200


def test_how_long_is_the_applications_to_choose(mail):
    service = Service(send_reset=PasswordReset(mail, ttl=3600))
    ask(service)
    service.clock.advance(3599)
    assert confirm(service, mail.token()).status == 204


UNFIT = [("1234567", "password_too_short"), ("x" * 4097, "password_not_acceptable"), ("a\tbcdefgh", "password_not_acceptable")]


@pytest.mark.parametrize(("new", "why"), UNFIT)
def test_what_can_be_no_password_uses_no_token_up(service, mail, new, why):
    ask(service)
    with Argon2Calls() as calls:
        assert code(confirm(service, mail.token(), new)) == (400, why)
    assert calls.count == 0
    assert confirm(service, mail.token()).status == 204


def test_everything_else_that_is_no_token_is_refused_with_the_same_bytes(service, mail):
    """And nothing is hashed for it."""
    ask(service)
    token = mail.token()
    confirm(service, token)
    access = service.pair(password=NEW)["access_token"]
    with Argon2Calls() as calls:
        answers = {
            whole(confirm(service, bad))
            for bad in (token, token[:-1], token + "A", "A" * 43, "x", access, "' OR 1=1 --", "é" * 43, token.lower())
        }
    assert calls.count == 0
    ((status, body, headers),) = answers
    assert (status, json.loads(body)["code"]) == REFUSED
    assert "www-authenticate" not in dict(headers)


@pytest.mark.parametrize("how", ["endpoint", "method", "reset"])
def test_any_change_of_the_password_ends_what_was_sent_before_it(service, mail, how):
    """Also at the very same moment of the clock."""
    ask(service)
    token = mail.token()
    if how == "endpoint":
        headers = {"authorization": f"Bearer {service.pair()['access_token']}"}
        body = {"current_password": PASSWORD, "new_password": "changed meanwhile"}
        assert service.send("/password", body, headers).status == 200
    elif how == "method":
        service.accounts.set_password("alice", "changed meanwhile")
    else:
        ask(service)
        assert confirm(service, mail.token(2), "changed meanwhile").status == 204
    assert code(confirm(service, token)) == REFUSED
    assert service.login(password="changed meanwhile").status == 200


def test_a_hash_that_is_made_anew_ends_nothing(service, mail):
    """Whoever knows the password and logs in ends no reset that a forgetful owner has asked for, nor does a new pepper."""
    ask(service)
    user = service.users.find("alice")
    assert service.users.update(user, user.changed(password_hash=cheap().hash(PASSWORD)))
    assert confirm(service, mail.token()).status == 204


def test_who_was_disabled_meanwhile_stays_so(service, mail):
    ask(service)
    service.accounts.disable("alice")
    assert code(confirm(service, mail.token())) == REFUSED
    assert service.users.find("alice").disabled
    service.accounts.enable("alice")
    assert service.login(password=NEW).status == 401


def test_who_is_enabled_again_is_not_reset_by_a_token_from_before(service, mail):
    ask(service)
    mail.token()
    service.accounts.disable("alice")
    service.accounts.enable("alice")
    assert code(confirm(service, mail.token())) == REFUSED
    ask(service)
    assert confirm(service, mail.token(2)).status == 204


@pytest.mark.parametrize("password", [PASSWORD, "another one"])
def test_who_was_deleted_and_came_again_is_somebody_else(service, mail, password):
    service.clock.advance(60)
    ask(service)
    service.accounts.delete("alice")
    service.accounts.register("alice", password)
    assert code(confirm(service, mail.token())) == REFUSED
    assert service.login(password=password).status == 200


def test_who_has_no_password_any_more_gets_none(service, mail):
    ask(service)
    user = service.users.find("alice")
    assert service.users.update(user, user.changed(password_hash=None))
    with Argon2Calls() as calls:
        assert code(confirm(service, mail.token())) == REFUSED
    assert calls.count == 0


@pytest.mark.parametrize(
    "meanwhile", [{"password_hash": None}, {"password_changed": 1.0}, {"disabled": True}, {"subject": "b"}]
)
def test_what_becomes_of_a_user_at_the_last_moment_counts(mail, meanwhile):
    users = Hooked()
    service = Service(users=users, send_reset=mail)
    ask(service)
    users.before = lambda table, user: table.update(user, user.changed(**meanwhile))
    kept = {"password_hash": users.find("alice").password_hash, **meanwhile}["password_hash"]
    assert code(confirm(service, mail.token())) == REFUSED
    assert users.find("alice").password_hash == kept


async def test_it_is_done_to_the_end_whoever_still_waits(mail):
    """A client that goes away half-way leaves no password set with the sessions of the old one alive."""
    users = Slow()
    service = Service(users=users, send_reset=mail)
    token = (await asyncio.to_thread(service.pair))["access_token"]
    await asyncio.to_thread(ask, service)
    body = json.dumps({"token": await asyncio.to_thread(mail.token), "new_password": NEW}).encode()
    request = Request.build("POST", "/", {"content-type": "application/json"}, body, "203.0.113.5")

    async def confirming():
        return await arun(service.accounts.reset_confirm.answer(request))

    task = asyncio.get_running_loop().create_task(confirming())
    assert await asyncio.to_thread(users.began.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    users.go_on.set()
    for _ in range(500):
        if (await asyncio.to_thread(service.verify, token)).status == 401:
            break
        await asyncio.sleep(0.01)
    assert (await asyncio.to_thread(service.verify, token)).status == 401
    assert (await asyncio.to_thread(service.login, "alice", NEW)).status == 200


def test_names_that_nobody_has_take_no_lasting_room(mail):
    clock = Clock(1_800_000_000.0)
    service = Service(store=MemoryStore(max_keys=20, clock=clock), send_reset=mail, insecure_unlimited=True)
    for n in range(100):
        assert ask(service, f"nobody {n}").status == 202
        clock.advance(0.5)
    ask(service)
    assert confirm(service, mail.token()).status == 204


def test_second_factors_stay(service, mail):
    user = service.users.find("alice")
    assert service.users.update(user, user.changed(factors="sealed"))
    ask(service)
    assert confirm(service, mail.token()).status == 204
    assert service.users.find("alice").factors == "sealed"


def test_two_applications_with_one_store_do_not_take_each_others_tokens(mail):
    store, users = MemoryStore(), MemoryUsers()
    one = Service(users=users, store=store, send_reset=mail)
    from authkit import Tokens

    tokens = Tokens(KEY, issuer="https://other.example", audience="https://other.example", store=MemoryStore())
    other = Accounts(users, tokens, cheap(), store=store, send_reset=mail)
    ask(one)
    body = json.dumps({"token": mail.token(), "new_password": NEW}).encode()
    assert code(other.reset_confirm(Request.build("POST", "/", {"content-type": "application/json"}, body))) == REFUSED
    assert confirm(one, mail.token()).status == 204


@pytest.mark.parametrize("place", ["memory", "sqlite"])
def test_of_many_who_confirm_at_once_one_comes_through(place, tmp_path, mail):
    users = MemoryUsers() if place == "memory" else SqliteUsers(tmp_path / "users.db")
    store = MemoryStore() if place == "memory" else SqliteStore(tmp_path / "auth.db")
    service = Service(users=users, tokens=tokens_of(store=store), send_reset=mail, insecure_unlimited=True)
    for round_ in range(3):
        ask(service)
        token = mail.token(round_ + 1)
        answers = []
        in_threads(
            6,
            lambda n, token=token, answers=answers, r=round_: answers.append((confirm(service, token, f"password {r} {n}"), n)),
        )
        assert sorted(answer.status for answer, _ in answers) == [204] + [400] * 5
        ((_, winner),) = [answer for answer in answers if answer[0].status == 204]
        assert service.login(password=f"password {round_} {winner}").status == 200
    store.close()


def test_rtl_13_so_many_tokens_for_one_account_and_for_one_network(service, mail):
    """Also for a name that is nobody's: the limit tells no more than the answer."""
    for name in ("alice", "nobody"):
        statuses = [ask(service, name, peer=f"198.51.100.{n}").status for n in range(7)]
        assert statuses == [202] * 5 + [429] * 2
    limited = [whole(ask(service, name, peer="198.51.100.200")) for name in ("alice", "nobody")]
    assert limited[0] == limited[1]
    assert dict(limited[0][2])["retry-after"] == "720"
    statuses = [ask(service, f"user{n}", peer="192.0.2.9").status for n in range(12)]
    assert statuses == [202] * 10 + [429] * 2
    mail.token(5)
    assert len(mail.sent) == 5
    assert service.login().status == 200  # nobody is locked out of anything else


def test_pwd_12_who_asks_for_tokens_in_anothers_name_delays_them_and_no_more(service, mail):
    for n in range(5):
        ask(service, peer=f"198.51.100.{n}")
    assert confirm(service, mail.token(5)).status == 204  # the newest went to the owner, whoever asked for it
    service.clock.advance(1)
    assert ask(service).status == 429


def test_guessing_tokens_is_limited(service, mail):
    ask(service)
    statuses = [confirm(service, "A" * 43).status for _ in range(31)]
    assert statuses == [400] * 30 + [429]
    assert confirm(service, mail.token()).status == 429
    assert confirm(service, mail.token(), peer="198.51.100.7").status == 204


def test_limits_are_the_applications_to_choose(mail):
    service = Service(send_reset=PasswordReset(mail, account="1/hour", address="2/hour", confirm="1/hour"))
    assert [ask(service, name).status for name in ("alice", "alice", "bob", "bob")] == [202, 429, 429, 429]
    assert [confirm(service, "x").status for _ in range(2)] == [400, 429]
    free = Service(send_reset=mail, insecure_unlimited=True)
    assert {ask(free, "nobody").status for _ in range(40)} == {202}


def test_a_store_that_fails_is_a_503_for_everybody(mail):
    class Broken(MemoryStore):
        def add(self, *args):
            raise StoreUnavailable("out of reach")

    service = Service(store=Broken(), send_reset=mail)
    answers = {whole(ask(service, name)) for name in ("alice", "nobody")}
    assert {status for status, _, _ in answers} == {503}
    assert len(answers) == 1
    assert mail.sent == []


def test_where_the_sessions_cannot_be_ended_that_is_no_success(mail):
    """The new password is in force then; the old sessions cannot be refreshed, and end with their access tokens."""

    class Failing(MemoryStore):
        down = False

        def swap(self, *args):
            return self._or(super().swap, *args)

        def add(self, *args):
            return self._or(super().add, *args)

        def _or(self, fn, *args):
            if self.down:
                raise StoreUnavailable("out of reach")
            return fn(*args)

    sessions = Failing()
    service = Service(tokens=tokens_of(store=sessions), store=MemoryStore(), send_reset=mail)
    pair = service.pair()
    ask(service)
    sessions.down = True
    assert confirm(service, mail.token()).status == 503
    sessions.down = False
    assert service.refresh(pair["refresh_token"]).status == 401
    assert service.login(password=NEW).status == 200


def test_a_mail_that_fails_changes_no_answer_and_is_in_the_log_without_a_secret(caplog):
    done = threading.Event()

    def send(user, token):
        try:
            raise ConnectionError(f"could not send {token} to {user.username}@example.com")
        finally:
            sent.append(token)
            done.set()

    sent = []
    service = Service(send_reset=send)
    assert whole(ask(service, "alice")) == whole(ask(service, "nobody"))
    assert done.wait(10)
    end = time.monotonic() + 10
    while "send_reset failed: ConnectionError" not in caplog.text and time.monotonic() < end:
        time.sleep(0.01)
    assert "send_reset failed: ConnectionError" in caplog.text
    assert sent[0] not in caplog.text
    assert "example.com" not in caplog.text


def test_log_01_no_token_and_no_password_is_in_any_log(service, mail, caplog):
    caplog.set_level("DEBUG")
    ask(service)
    token = mail.token()
    confirm(service, token, "tiny pw")
    confirm(service, token)
    confirm(service, token)
    assert "reset_token_unknown" in caplog.text  # the audit knows why
    for secret in (token, NEW, "tiny pw"):
        assert secret not in caplog.text


def test_the_application_is_told_of_the_change_alone(mail):
    kinds = []
    service = Service(send_reset=mail, on_event=lambda kind, user: kinds.append((kind, user.username)))
    ask(service)
    confirm(service, "x")
    confirm(service, mail.token())
    assert kinds == [("password_changed", "alice")]


def test_on_lambda_it_is_sent_before_the_answer_and_nobody_is_answered_sooner(mail):
    service = Service(send_reset=PasswordReset(mail, at_least=0.2))
    for name in ("alice", "nobody"):
        event = lambda_event(
            "v2", "POST", "/", headers={"content-type": "application/json"}, body=json.dumps({"username": name})
        )
        began = time.perf_counter()
        answer = service.accounts.reset(event, LambdaContext())
        assert answer["statusCode"] == 202
        assert time.perf_counter() - began >= 0.2
        assert [name for name, _ in mail.sent] == ["alice"]


def test_with_cookies_another_site_asks_for_nothing(mail):
    service = Service(send_reset=mail, cookies=Cookies())
    for headers in ({}, {"host": "api.example", "origin": "https://evil.example"}):
        assert ask(service, headers=headers).status == 403
    assert ask(service, headers=SAME_SITE).status == 202
    assert confirm(service, mail.token(), headers=SAME_SITE).status == 204
    assert len(mail.sent) == 1


def test_a_form_of_another_site_asks_for_nothing(service, mail):
    body, elsewhere = b"username=alice", {"origin": "https://evil.example", "host": "api.example"}
    assert service.send("/password/reset", body, {**FORM, **elsewhere}).status == 403
    assert service.send("/password/reset", body, FORM).status == 202
    assert mail.token()


def test_fetching_a_link_uses_nothing_up(service, mail):
    """What reads mail before its owner follows links by GET and HEAD."""
    ask(service)
    for method in ("GET", "HEAD"):
        assert service.send(f"/password/reset/confirm?token={mail.token()}", method=method).status == 405
    assert confirm(service, mail.token()).status == 204


def test_it_is_there_only_where_something_can_be_sent():
    service = Service()
    assert not hasattr(service.accounts, "reset")
    assert not hasattr(service.accounts, "reset_confirm")
    assert {ask(service).status, confirm(service, "x").status} == {404}


@pytest.mark.parametrize("body", [{}, {"username": ""}, {"username": ["alice"]}, {"username": "a", "x": "y"}, [], b"\xff"])
def test_pwd_14_another_body_asks_for_nothing(service, mail, body):
    assert service.send("/password/reset", body).status == 400
    assert mail.sent == []


@pytest.mark.parametrize(
    "options",
    [{"ttl": 59}, {"ttl": 86_401}, {"ttl": 900.0}, {"account": ()}, {"address": "x"}, {"confirm": ""}, {"at_least": -1}],
)
def test_a_setting_that_is_none_is_refused(mail, options):
    with pytest.raises(ConfigurationError):
        PasswordReset(mail, **options)


def test_what_sends_is_callable_and_the_table_can_update(mail):
    class Fixed:
        find = add = staticmethod(lambda _: None)

    with pytest.raises(ConfigurationError, match="send_reset"):
        Accounts(MemoryUsers(), tokens_of(), cheap(), send_reset="mail")
    with pytest.raises(ConfigurationError, match="update"):
        Accounts(Fixed(), tokens_of(), cheap(), send_reset=mail)
