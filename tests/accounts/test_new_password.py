"""What a new password has to be: long enough, not the user name, and not one that attackers know."""

from __future__ import annotations

import logging
import threading

import pytest

from authkit import ConfigurationError, Unavailable
from authkit._run import arun, run
from authkit.accounts import PasswordHasher

CHEAP = {"memory": 64, "passes": 1, "lanes": 1}
KNOWN = {"password1", "letmein123"}


def refusing(password: str, username: str | None = None, **settings):
    return run(PasswordHasher(**CHEAP, **settings).refusing(password, username))


async def known(password: str) -> bool:
    return password in KNOWN


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("correct horse", None),
        ("eight ch", None),
        ("seven c", "password_too_short"),
        ("\U0001f511" * 8, None),
        ("\U0001f511" * 7, "password_too_short"),
        ("e\u0301" * 7, "password_too_short"),
        ("", "password_not_acceptable"),
        ("x" * 4097, "password_not_acceptable"),
        ("correct\nhorse", "password_not_acceptable"),
        ("alice@example.com", "password_not_acceptable"),
        ("ALICE@example.com", "password_not_acceptable"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_new_password_is_long_enough_and_not_the_user_name(password, reason):
    assert refusing(password, "Alice@Example.com") == reason


def test_passwords_that_are_there_already_are_not_asked_for_more(hasher):
    assert hasher.verify("short", hasher.hash("short"))


@pytest.mark.parametrize("length", [1, 15, 64])
def test_how_many_characters_is_a_setting(length):
    assert refusing("x" * length, min_length=length) is None
    assert refusing("x" * (length - 1) or "x", min_length=length) == ("password_too_short" if length > 1 else None)


def test_what_attackers_know_is_refused():
    assert refusing("password1", breached=KNOWN.__contains__) == "password_breached"
    assert refusing("correct horse", breached=KNOWN.__contains__) is None


def test_what_is_refused_anyway_is_told_to_nobody():
    asked = []

    def ask(password):
        asked.append(password)
        return False

    for password in ("short", "", "alice@example.com"):
        refusing(password, "alice@example.com", breached=ask)
    assert asked == []
    refusing("cafe\u0301 au lait", breached=ask)
    assert asked == ["caf\u00e9 au lait"], "as it will be hashed"


async def test_on_a_loop_a_callable_may_be_async_and_one_that_is_not_blocks_nobody():
    assert await arun(PasswordHasher(**CHEAP, breached=known).refusing("password1")) == "password_breached"
    threads = []

    def ask(password):
        threads.append(threading.current_thread())
        return False

    assert await arun(PasswordHasher(**CHEAP, breached=ask).refusing("correct horse")) is None
    assert threads != [threading.current_thread()]


def test_an_async_one_on_a_sync_host_is_a_mistake_and_no_pass():
    with pytest.raises(ConfigurationError, match="breached"):
        refusing("password1", breached=known)


def fails(password):
    raise RuntimeError(f"no answer for {password}")


@pytest.mark.parametrize("answer", [fails, lambda _: None, lambda _: 1, lambda _: "no", lambda _: 0], ids=range(5))
def test_a_check_that_fails_or_does_not_say_sets_no_password(answer, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as caught:
        refusing("correct horse", breached=answer)
    assert "correct horse" not in caplog.text + str(caught.value)
    assert caught.value.__suppress_context__
    assert caplog.records


def test_a_check_that_fails_is_passed_by_only_where_that_was_said():
    assert refusing("correct horse", breached=fails, breached_on_error="insecure_allow") is None
    assert refusing("password1", breached=KNOWN.__contains__, breached_on_error="insecure_allow") == "password_breached"


@pytest.mark.parametrize(
    "settings",
    [
        *({"min_length": 0}, {"min_length": 65}, {"min_length": "8"}, {"min_length": True}),
        *({"breached": "https://example.com"}, {"breached": True}),
        *({"breached_on_error": "allow"}, {"breached_on_error": None}),
    ],
    ids=str,
)
def test_a_wrong_setting_is_refused_when_built(settings):
    with pytest.raises(ConfigurationError):
        PasswordHasher(**settings)
