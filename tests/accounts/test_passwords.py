"""`PasswordHasher`: the work is the same whoever it is, and no stored text is ever equal by mistake."""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from pathlib import Path

import argon2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authkit import ConfigurationError, Unavailable
from authkit.accounts import PasswordHasher
from authkit.accounts._argon2 import PROFILES

HASHES = json.loads((Path(__file__).parents[1] / "vectors" / "passwords" / "hashes.json").read_text())["cases"]
ARGON2 = [case for case in HASHES if case["scheme"] in ("argon2id", "argon2i")]
MALFORMED = [
    "",
    "!",
    "*",
    "!!",
    "None",
    "correct horse",
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "pbkdf2_sha256$390000$seasalt$8xBlGd3jVgvJ+92h",
    "$2b$12$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m",
    "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
    "$argon2id$",
    "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
    "$argon2id$v=19$m=64,t=1,p=1$$",
    "$argon2id$v=19$m=x,t=1,p=1$c29tZXNhbHQ$aaaa",
    "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$\u00e9",
    "$argon2id$v=99$m=64,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=99999999,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=1,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id" + "$" * 5000,
    "\0",
    "\ud800",
]


class Argon2Calls:
    """Counts what argon2's own code is called for, seen by the interpreter's profiler. `told`: is called each time."""

    def __init__(self, told=lambda: None):
        self._told = told

    def __enter__(self):
        self.count = 0
        sys.setprofile(self._see)
        return self

    def _see(self, frame, event, called):
        if event == "c_call" and getattr(called, "__name__", "") in ("argon2_verify", "argon2_hash"):
            self.count += 1
            self._told()

    def __exit__(self, *_):
        sys.setprofile(None)


def test_the_default_is_the_low_memory_profile_of_rfc_9106():
    hashed = PasswordHasher().hash("correct horse")
    found = argon2.extract_parameters(hashed)
    assert found == argon2.profiles.RFC_9106_LOW_MEMORY
    assert argon2.PasswordHasher().verify(hashed, "correct horse")  # an independent reader
    assert PasswordHasher().verify("correct horse", hashed)


@pytest.mark.parametrize(
    ("profile", "found"),
    [
        ("rfc9106-low-memory", "m=65536,t=3,p=4"),
        ("rfc9106-high-memory", "m=2097152,t=1,p=4"),
        ("owasp", "m=19456,t=2,p=1"),
    ],
)
def test_a_profile_is_what_its_name_says(profile, found):
    assert f"$argon2id$v=19${found}$" in PasswordHasher(profile=profile)._dummy()


def test_the_profiles_of_rfc_9106_are_those_of_an_independent_reader():
    for name, theirs in (("low", argon2.profiles.RFC_9106_LOW_MEMORY), ("high", argon2.profiles.RFC_9106_HIGH_MEMORY)):
        assert argon2.extract_parameters(PasswordHasher(profile=f"rfc9106-{name}-memory")._dummy()) == theirs


@pytest.mark.parametrize("profile", PROFILES)
def test_a_hash_of_any_profile_is_read_after_a_change_to_any_other(profile):
    """Else nobody logs in any more who did before."""
    hashed = PasswordHasher(profile=profile)._dummy()
    for other in PROFILES:
        hasher = PasswordHasher(profile=other)
        assert hasher.kind(hashed) == "argon2id"
        assert hasher.needs_rehash(hashed) is (profile != other)


def test_a_hash_of_todays_profile_is_read_though_it_takes_more_than_any_other_may():
    hasher = PasswordHasher(profile="rfc9106-high-memory")
    assert not hasher.needs_rehash(hasher._dummy())
    assert PasswordHasher().needs_rehash(hasher._dummy())
    assert hasher.needs_rehash(PasswordHasher()._dummy())


def test_argon2i_and_argon2d_are_read_and_made_anew(hasher):
    for kind in (argon2.Type.I, argon2.Type.D):
        stored = argon2.PasswordHasher(1, 64, 1, 32, 16, type=kind).hash("correct horse")
        assert hasher.verify("correct horse", stored)
        assert hasher.needs_rehash(stored)
    assert not hasher.needs_rehash(argon2.PasswordHasher(1, 64, 1, 32, 16).hash("correct horse"))


def test_a_hash_matches_its_password_only(hasher):
    hashed = hasher.hash("correct horse")
    assert hasher.verify("correct horse", hashed)
    for other in ("correct horsf", "Correct horse", "correct horse ", "correct", "correct horse\u0301"):
        assert not hasher.verify(other, hashed)
    assert hashed != hasher.hash("correct horse")


def test_salts_come_from_the_random_that_was_passed_in():
    first, second = (PasswordHasher(memory=64, passes=1, lanes=1, random=lambda size: b"s" * size).hash("pw") for _ in range(2))
    assert first == second


@pytest.mark.parametrize("case", ARGON2, ids=lambda case: case["id"])
def test_published_hashes(hasher, case):
    assert hasher.verify(case["password"], case["hash"]) is case["expect_match"]


def test_a_published_hash_of_another_kind_matches_nothing_unless_that_is_named(hasher):
    """What is named: test_older.py."""
    for case in HASHES:
        if case not in ARGON2:
            with Argon2Calls() as calls:
                assert hasher.verify(case["password"], case["hash"], case.get("username")) is False, case["id"]
            assert calls.count == hasher.acceptable(case["password"])  # the empty password is one for none of our users


@pytest.mark.parametrize("stored", [None, *MALFORMED], ids=lambda stored: ascii(stored)[:40])
def test_a_malformed_hash_matches_nothing_and_costs_the_same(hasher, stored):
    """PWD-07."""
    for password in ("correct horse", stored):
        if password and hasher.acceptable(password):
            with Argon2Calls() as calls:
                assert hasher.verify(password, stored) is False
            # A hash may look well-formed until argon2 itself reads it: that call does no work.
            assert 1 <= calls.count <= 2


@pytest.mark.parametrize(
    "hasher", [{}, {"also": ["django"]}, {"pepper": "a pepper for these tests only, long enough"}], ids=str
)
def test_a_hash_that_is_no_text_matches_nothing_and_costs_the_same(hasher):
    """PWD-07: what a column of bytes gives, in a table of one's own."""
    hasher = PasswordHasher(memory=64, passes=1, lanes=1, **hasher)
    for stored in (hasher.hash("correct horse").encode(), 5, True, b""):
        with Argon2Calls() as calls:
            assert hasher.verify("correct horse", stored) is False
        assert calls.count == 1


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_as_a_hash_is_no_match_and_no_error(password, stored):
    assert PasswordHasher(memory=8, passes=1, lanes=1).verify(password, stored) is False


def test_an_overlong_password_is_refused_before_anything_looks_at_it(hasher):
    """PWD-03."""
    for password in ("x" * 1_000_000, "\u00e9" * 1_000_000, "x" * 4097, "\u00e9" * 2049):
        tracemalloc.start()
        began = time.perf_counter()
        with Argon2Calls() as calls:
            assert hasher.verify(password, hasher._dummy()) is False
        took = time.perf_counter() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert calls.count == 0
        assert peak < 65_536
        assert took < 1  # 2 ms by far; a loose bound, since nothing here is a benchmark
        with pytest.raises(ValueError, match="password"):
            hasher.hash(password)


@pytest.mark.parametrize(
    "password",
    ["x" * 64, "x" * 4096, "\u00e9" * 2048, "p\u00e4ss \U0001f511" * 10, " ", "a"],
    ids=lambda text: ascii(text)[:20],
)
def test_what_can_be_a_password(hasher, password):
    assert hasher.verify(password, hasher.hash(password))


@pytest.mark.parametrize("password", ["", "a\0b", "\n", "a\tb", "\x7f", "\ud800", "a\x85"], ids=ascii)
def test_what_can_be_no_password(hasher, password):
    assert not hasher.acceptable(password)
    assert not hasher.verify(password, hasher._dummy())


def test_a_password_typed_on_another_keyboard_is_the_same():
    """RFC 8265 section 4.2: composed or not, and every space a plain one; but no case folding and no compatibility forms."""
    hasher = PasswordHasher(memory=64, passes=1, lanes=1)
    hashed = hasher.hash("caf\u00e9 noir")
    assert hasher.verify("cafe\u0301\u00a0noir", hashed)
    assert not hasher.verify("CAF\u00c9 noir", hashed)
    assert not hasher.verify("caf\u00e9 no\u2170r", hashed)


def test_no_memory_is_unavailable_and_no_wrong_password():
    """PWD-05: in a process of its own, which may not have the memory."""
    import resource
    import subprocess

    if not hasattr(resource, "RLIMIT_AS"):
        pytest.fail("this platform cannot limit memory")
    program = (
        "import resource\n"
        "from authkit.accounts import PasswordHasher\n"
        "from authkit import Unavailable\n"
        "hasher = PasswordHasher(memory=2**19)\n"
        "small = PasswordHasher(memory=64, passes=1, lanes=1)\n"
        "small.verify('a', small.hash('a'))\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))\n"
        "for ask in (lambda: hasher.hash('a'), lambda: hasher.verify('a', hasher._dummy())):\n"
        "    try: ask()\n"
        "    except Unavailable: print('unavailable')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["unavailable", "unavailable"], done.stderr
    assert issubclass(Unavailable, Exception)


@pytest.mark.parametrize(
    "parameters",
    [
        *({"memory": 0}, {"memory": 31}, {"memory": "64"}, {"passes": 0}, {"lanes": 0}, {"max_bytes": 63}, {"passes": True}),
        *({"profile": "rfc9106"}, {"profile": 7}, {"profile": ""}, {"profile": "owasp", "memory": 65_536}),
        *({"profile": "rfc9106-low-memory", "passes": 3}, {"profile": "owasp", "lanes": 1}),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_refused_when_built(parameters):
    with pytest.raises(ConfigurationError):
        PasswordHasher(**parameters)


def test_pwd_01_a_hash_of_another_profile_makes_every_failed_login_cost_the_same():
    hasher, other = PasswordHasher(memory=64, passes=1, lanes=1), PasswordHasher(memory=128, passes=2, lanes=1)

    def cost(stored, password="wrong", matches=False):
        with Argon2Calls() as calls:
            assert hasher.verify(password, stored) is matches
        return calls.count

    everybody = (None, "", "!", hasher.hash("right"))
    assert [cost(stored) for stored in everybody] == [1] * len(everybody), "none was seen yet"
    assert cost(other.hash("right"), "right", matches=True) == 1
    assert [cost(stored) for stored in everybody] == [1] * len(everybody), "who succeeds changes nothing"
    assert cost(other.hash("right")) == 2
    assert [cost(stored) for stored in (*everybody, other.hash("right"))] == [2] * (len(everybody) + 1)
    assert cost(hasher.hash("right"), "right", matches=True) == 1
    assert "m=128,t=2,p=1" in hasher._other, "what is done over is that hash's work"
