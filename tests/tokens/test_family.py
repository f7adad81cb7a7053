"""What a refresh token says, how it stands to its family, and what of a family is kept."""

from __future__ import annotations

import hmac
import json
import time
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.decision import FrozenDict
from authkit.tokens import Grant, base64url, family
from authkit.tokens.family import CURRENT, EARLIER, FOREIGN, LAST, MAX_STEPS, Family

NAME = base64url.encode(bytes(range(27))).decode()
FIRST = b"1" * 32


def made(**changed: Any) -> Family:
    grant = Grant(
        NAME, "alice", scopes=["b", "a"], roles=["r"], claims=FrozenDict({"x": 1}), client="c", stamp="s", created=1.5
    )
    rest: dict[str, Any] = {
        "audience": "a", "iat": 1, "gen": ".", "idle": 10.0, "end": None, "index": 0,
        "hashed": sha256(FIRST).digest(), "rotated": 1.5, "seed": b"s" * 32, **changed,
    }  # fmt: skip
    return Family(grant, **rest)


def chain(steps: int) -> tuple[Family, list[bytes]]:
    """A family that was rotated so often, and its secrets."""
    current, secrets = made(), [FIRST]
    for _ in range(steps):
        standing, following = current.standing(current.index, secrets[-1])
        assert standing == CURRENT
        current = current.after(following, 2.0, 11.0)
        secrets.append(following)
    return current, secrets


def test_each_secret_is_known_as_what_it_is() -> None:
    current, secrets = chain(20)
    assert len(set(secrets)) == 21
    standings = [current.standing(index, secret)[0] for index, secret in enumerate(secrets)]
    assert standings == [EARLIER] * 19 + [LAST, CURRENT]
    assert current.standing(19, secrets[19])[1] == secrets[20]  # the same successor


def test_the_successor_is_an_hmac_of_the_secret_and_its_index() -> None:
    assert made().standing(0, FIRST)[1] == hmac.digest(b"s" * 32, FIRST + b"|0", "sha256")
    assert chain(20)[1][20] == hmac.digest(b"s" * 32, chain(20)[1][19] + b"|19", "sha256")


def test_a_secret_in_another_place_is_none() -> None:
    current, secrets = chain(20)
    for index in range(25):
        for place, secret in enumerate(secrets):
            if place != index:
                assert current.standing(index, secret)[0] == FOREIGN
    assert made(seed=b"t" * 32, hashed=current.hashed, index=20).standing(19, secrets[19])[0] == FOREIGN


def test_what_is_too_long_ago_is_not_worked_out() -> None:
    """One hostile request costs about 3 ms, on a machine that does nothing else."""
    current = made(index=MAX_STEPS)
    assert current.standing(0, FIRST)[0] == FOREIGN
    took = []
    for _ in range(5):
        start = time.perf_counter()
        current.standing(0, FIRST)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.1  # on one that does much else
    start = time.perf_counter()
    assert made(index=10**9).standing(0, FIRST) == (FOREIGN, b"")
    assert time.perf_counter() - start < 0.1


@given(st.integers(0, 10**10 - 1), st.binary(min_size=32, max_size=32))
def test_a_token_is_read_as_it_was_spelled(index: int, secret: bytes) -> None:
    assert family.parsed(family.spelled(NAME, index, secret)) == (NAME, index, secret)


@given(st.one_of(st.text(), st.text(alphabet="AQgw-_=.01 ", max_size=130), st.binary(), st.integers(), st.none()))
def test_whatever_is_sent_is_a_token_in_its_one_spelling_or_none(token: Any) -> None:
    found = family.parsed(token)
    assert found is None or family.spelled(*found) == token


@given(st.data())
def test_a_changed_token_is_another_or_none(data: st.DataObject) -> None:
    token = family.spelled(NAME, 7, FIRST)
    place = data.draw(st.integers(0, len(token) - 1))
    changed = token[:place] + data.draw(st.characters()) + token[place + 1 :]
    found = family.parsed(changed)
    assert found is None or family.spelled(*found) == changed


def test_a_family_is_read_as_it_was_written() -> None:
    for each in (made(), chain(3)[0], made(end=12.25, gen="abc.def", idle=1e10), made(end=12)):
        assert family.read(NAME, each.written()) == each


def test_neither_the_record_nor_a_repr_shows_a_secret() -> None:
    current, secrets = chain(3)
    for secret in secrets:
        assert base64url.encode(secret) not in current.written()
    for shown in (repr(current), repr(current.grant)):
        assert NAME not in shown
        assert "'s'" not in shown


@given(st.one_of(st.binary(), st.binary().map(lambda tail: made().written()[:-1] + tail)))
def test_any_bytes_are_a_family_or_a_value_error(raw: bytes) -> None:
    try:
        family.read(NAME, raw)
    except ValueError:
        return
    assert raw.startswith(b"{")


MEMBERS = json.loads(made().written())


@pytest.mark.parametrize("name", [name for name in MEMBERS if name not in ("client", "end")])
@pytest.mark.parametrize("value", [None, True, [5], {"a": 5}, "not base64url!"])
def test_a_member_of_another_type_is_a_value_error(name: str, value: Any) -> None:
    if (name, type(value)) == ("claims", dict) or (type(value) is str and name in ("aud", "sub", "stamp", "gen")):
        family.read(NAME, json.dumps({**MEMBERS, name: value}).encode())
        return
    with pytest.raises(ValueError):
        family.read(NAME, json.dumps({**MEMBERS, name: value}).encode())


@pytest.mark.parametrize("name", list(MEMBERS))
def test_every_member_is_wanted_but_those_that_may_be_nothing(name: str) -> None:
    rest = json.dumps({other: value for other, value in MEMBERS.items() if other != name}).encode()
    if name in ("client", "end"):
        assert family.read(NAME, rest).grant.subject == "alice"
    else:
        with pytest.raises(ValueError):
            family.read(NAME, rest)
