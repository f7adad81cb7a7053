"""`Tokens`: its settings, what it remembers, and its keys through a rotation."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from authkit._run import run
from authkit.errors import ConfigurationError, InvalidToken, SecretNotFound, SecretUnavailable
from authkit.secrets import Secret, Secrets, SecretSource, SecretVersions
from authkit.tokens import Key, KeyRing, Tokens

from .craft import AUDIENCE, ISSUER, NOW, OTHER_SECRET, SECRET, Clock, header, key_for, payload, pem, sign, token, tokens

THIRD = "third-secret-55e1-tests-only-c04d-Kp"


class Vault(SecretSource):
    """A source whose versions a test sets."""

    def __init__(self, versions: SecretVersions | Exception) -> None:
        self.versions = versions
        self.asked = 0

    def fetch(self, name: str) -> SecretVersions:
        self.asked += 1
        if isinstance(self.versions, Exception):
            raise self.versions
        return self.versions


def verdict(verifier: Tokens, text: str) -> str:
    try:
        return verifier.verify(text).subject
    except InvalidToken as error:
        return error.reason


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("issuer", "audience") for value in ("", None, 5, b"x", ["x"])]
    + [(name, value) for name in ("access_ttl", "refresh_ttl") for value in (0, -1, 1.5, True, None, "900", 10**12)]
    + [
        ("refresh_overlap", -1),
        ("refresh_overlap", True),
        ("cache_size", -1),
        ("cache_size", None),
        ("cache_size", 1.5),
        ("store", object()),
    ],
)
def test_a_wrong_setting_is_named_when_tokens_are_made(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        tokens(**{name: value})


def test_without_a_store_pairs_refresh_and_revocation_are_a_configuration_error() -> None:
    both = tokens()
    for call in (both.issue_pair, both.refresh, both.revoke, both.revoke_subject):
        with pytest.raises(ConfigurationError, match="store"):
            call("a")


def test_every_form_of_a_key_is_taken() -> None:
    text = tokens(SECRET).issue("alice")
    for key in (SECRET, SECRET.encode(), Key(SECRET), KeyRing(SECRET), Secret.of(SECRET), Secret.of(SECRET.encode())):
        assert verdict(tokens(key), text) == "alice"
    for pair in (pem("P-256"), pem("P-256").encode(), Secret.of(pem("P-256"))):
        assert verdict(tokens(Key(pem("P-256")).public_jwk()), tokens(pair).issue("alice")) == "alice"


def test_it_shows_no_key() -> None:
    assert SECRET not in repr(tokens(SECRET))


# What is remembered (REF-09)


def test_a_token_seen_before_gives_the_same_principal() -> None:
    both = tokens()
    text = both.issue("alice")
    assert both.verify(text) is both.verify("".join(list(text)))


def test_ref_09_what_is_remembered_does_not_outlive_exp_nor_begin_before_nbf() -> None:
    clock = Clock()
    both = tokens(clock=clock, leeway=30)
    text = token(key_for("HS256"), nbf=NOW - 10, iat=..., exp=NOW + 100)
    assert verdict(both, text) == "alice"
    for now, expected in [
        (NOW + 129.999, "alice"), (NOW + 130, "token_expired"), (NOW + 10**6, "token_expired"), (NOW - 40, "alice"),
        (NOW - 40.001, "token_not_yet_valid"), (NOW, "alice"), (float("nan"), "token_expired"),
    ]:  # fmt: skip
        clock.now = now
        assert verdict(both, text) == expected, now


def test_ref_09_a_token_without_iat_is_remembered_no_longer_than_its_exp() -> None:
    clock = Clock()
    both = tokens(clock=clock)
    text = token(key_for("HS256"), iat=...)
    assert verdict(both, text) == "alice"
    clock.now = NOW + 931
    assert verdict(both, text) == "token_expired"


def test_ref_09_nothing_is_remembered_for_another_verifier_key_or_setting() -> None:
    text = tokens().issue("alice")
    warm = tokens()
    for _ in range(3):
        assert verdict(warm, text) == "alice"
    for other, expected in [
        (tokens(OTHER_SECRET), "token_key"), (tokens(issuer="https://other.example"), "token_issuer"),
        (tokens(audience="other"), "token_audience"),
        (tokens(clock=Clock(NOW + 910), leeway=0), "token_expired"), (tokens(key=Key(SECRET[:32], kid="k")), "token_key"),
    ]:  # fmt: skip
        assert verdict(other, text) == expected
        assert verdict(warm, text) == "alice"


def test_a_refused_token_is_judged_anew_each_time() -> None:
    clock = Clock(NOW - 3600)
    both = tokens(clock=clock)
    text = token(key_for("HS256"))
    assert verdict(both, text) == "token_issued_in_future"
    clock.now = NOW
    assert verdict(both, text) == "alice"


@pytest.mark.parametrize("size", [0, 1, 2, 10])
def test_what_is_remembered_is_bounded_in_number_and_length(size: int) -> None:
    both = tokens(cache_size=size)
    texts = [both.issue(f"user-{n}") for n in range(50)]
    for text in texts * 2:
        both.verify(text)
    state: Any = both._state
    kept = {**state.remembered._young, **state.remembered._old}
    assert len(kept) <= size + 1
    if size:
        before = len(state.remembered._young)
        both.verify(both.issue("alice", claims={"x": "x" * 4000}))
        assert len(state.remembered._young) == before


def test_what_is_used_is_kept_while_others_come_and_go() -> None:
    both = tokens(cache_size=10)
    mine = both.issue("mine")
    first = both.verify(mine)
    for n in range(100):
        both.verify(both.issue(f"user-{n}"))
        assert both.verify(mine) is first


def test_threads_get_right_answers_from_one_verifier() -> None:
    both = tokens(cache_size=8)
    texts = {both.issue(f"user-{n}"): f"user-{n}" for n in range(40)}
    bad = both.issue("bad")[:-2] + "xx"
    wrong: list[object] = []

    def work() -> None:
        for _ in range(5):
            for text, subject in texts.items():
                if verdict(both, text) != subject or verdict(both, bad) != "token_signature":
                    wrong.append(text)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# Rotation through a Secret


def rotating(versions: SecretVersions | Exception, clock: Clock) -> tuple[Tokens, Vault, Secrets]:
    vault = Vault(versions)
    secrets = Secrets(vault, ttl=300, clock=clock)
    return tokens(secrets["JWT"], clock=clock), vault, secrets


def test_a_secret_is_not_read_before_it_is_needed() -> None:
    both, vault, _ = rotating(SecretVersions(SECRET), Clock())
    assert vault.asked == 0
    assert verdict(both, both.issue("alice")) == "alice"
    assert vault.asked == 1
    assert not both.in_place
    assert tokens().in_place


def test_rotation_current_signs_and_previous_verifies_until_its_end() -> None:
    clock = Clock()
    both, vault, secrets = rotating(SecretVersions(SECRET), clock)
    old = both.issue("old", ttl=10**6)
    assert verdict(both, old) == "old"
    vault.versions = SecretVersions(OTHER_SECRET, previous=SECRET, previous_until=NOW + 1000)
    secrets.refresh()
    new = both.issue("new", ttl=10**6)
    assert verdict(tokens(OTHER_SECRET), new) == "new"
    assert verdict(both, old) == "old"
    assert verdict(both, new) == "new"
    clock.now = NOW + 999.9
    assert verdict(both, old) == "old"
    clock.now = NOW + 1000
    assert verdict(both, old) == "token_key", "remembered or not, its key is gone"
    assert verdict(both, new) == "new"


def test_ref_09_a_key_that_was_taken_away_ends_what_was_remembered_under_it() -> None:
    clock = Clock()
    both, vault, secrets = rotating(SecretVersions(SECRET), clock)
    old = both.issue("old")
    for _ in range(3):
        assert verdict(both, old) == "old"
    vault.versions = SecretVersions(OTHER_SECRET)
    secrets.refresh()
    assert verdict(both, old) == "token_key"


def test_an_unchanged_secret_keeps_what_is_remembered() -> None:
    clock = Clock()
    both, vault, secrets = rotating(SecretVersions(SECRET, previous=OTHER_SECRET, previous_until=NOW + 10**6), clock)
    text = both.issue("alice")
    first = both.verify(text)
    for _ in range(3):
        secrets.refresh()
        assert both.verify(text) is first
    assert vault.asked == 4


def test_a_pending_value_verifies_no_token_of_ours() -> None:
    both, _, _ = rotating(SecretVersions(SECRET, pending=OTHER_SECRET), Clock())
    assert verdict(both, tokens(OTHER_SECRET).issue("alice")) == "token_key"


def test_the_three_versions_are_told_apart_by_kid() -> None:
    clock = Clock()
    both, _, _ = rotating(SecretVersions(SECRET, previous=OTHER_SECRET, pending=THIRD), clock)
    forged = sign(Key(THIRD), header(Key(SECRET)), payload())
    assert verdict(both, forged) == "token_signature"
    assert verdict(both, tokens(OTHER_SECRET).issue("bob")) == "bob"


def test_a_previous_value_equal_to_the_current_one_is_one_key() -> None:
    both, _, _ = rotating(SecretVersions(SECRET, previous=SECRET), Clock())
    assert verdict(both, both.issue("alice")) == "alice"


def test_a_literal_secret_expires_its_previous_value_by_the_clock_of_the_tokens() -> None:
    clock = Clock()
    both = tokens(
        Secret.of(SecretVersions(SECRET, previous=OTHER_SECRET, previous_until=NOW + 10), clock=lambda: 0), clock=clock
    )
    old = tokens(OTHER_SECRET).issue("old")
    assert verdict(both, old) == "old"
    clock.now = NOW + 10
    assert verdict(both, old) == "token_key"


def test_a_secret_that_cannot_be_had_or_used_admits_nobody() -> None:
    text = tokens(SECRET).issue("alice")
    for failure, raised in [
        (SecretUnavailable(), SecretUnavailable),
        (SecretNotFound("JWT"), SecretNotFound),
        (OSError("down"), SecretUnavailable),
    ]:
        both, _, _ = rotating(failure, Clock())
        with pytest.raises(raised):
            both.verify(text)
        with pytest.raises(raised):
            run(both.warm())
    for short in ("too-short", "secret" * 6):
        with pytest.raises(ConfigurationError):
            rotating(SecretVersions(short), Clock())[0].verify(text)


def test_an_outage_keeps_the_key_that_is_known() -> None:
    clock = Clock()
    both, vault, _ = rotating(SecretVersions(SECRET), clock)
    text = both.issue("alice", ttl=10**5)
    vault.versions = SecretUnavailable()
    clock.now = NOW + 400
    assert verdict(both, text) == "alice"


async def test_averify_is_verify() -> None:
    both, vault, _ = rotating(SecretVersions(SECRET), Clock())
    text = tokens(SECRET).issue("alice")
    assert (await both.averify(text)).subject == "alice"
    assert (await tokens(SECRET).averify(text)).subject == "alice"
    with pytest.raises(InvalidToken):
        await both.averify(text + "x")
    assert vault.asked == 2, "a signature that does not hold may be under a newer key: it is looked up once"


def test_after_warm_verify_reads_nothing() -> None:
    both, vault, _ = rotating(SecretVersions(SECRET), Clock())
    run(both.warm())
    assert vault.asked == 1
    assert verdict(both, tokens(SECRET).issue("alice")) == "alice"
    assert vault.asked == 1


def test_two_issuers_do_not_accept_each_others_tokens() -> None:
    one = Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, clock=Clock())
    two = Tokens(SECRET, issuer=ISSUER + "/two", audience=AUDIENCE, clock=Clock())
    assert verdict(two, one.issue("alice")) == "token_issuer"
    assert verdict(one, two.issue("alice")) == "token_issuer"
