"""Hashes that another system made: what is named verifies and is to be made anew, and what is not matches nothing."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authkit import ConfigurationError, InvalidCredentials
from authkit.accounts import Accounts, HandbookSha256, MemoryUsers, OlderHash, PasswordHasher, User
from authkit.accounts._older_kdf import MOST_SCRYPT, hexadecimal, scrypt, text
from authkit.accounts.older import OlderHashes, chosen
from authkit.accounts.older_kinds import STRONG, WEAK

from .test_passwords import MALFORMED, Argon2Calls

PUBLISHED = json.loads((Path(__file__).parents[1] / "vectors" / "passwords" / "hashes.json").read_text())["cases"]
HASHES = [case for case in PUBLISHED if case["scheme"] not in ("argon2id", "argon2i")]  # those are read without being named
CHEAP = {"memory": 64, "passes": 1, "lanes": 1}
SALT = "someRandomSecretString_pleaseUseProperSecrets:)"
# The schemes of the vectors -> what switches them on.
NAMES = {
    "bcrypt": "bcrypt",
    "django-argon2i": "django",
    "django-bcrypt-sha256": "django-bcrypt",
    "django-md5": "django-md5",
    "django-pbkdf2-sha256": "django",
    "django-scrypt": "django",
    "django-sha1": "django-sha1",
    "node-scrypt-hex": "node-scrypt",
    "node-scrypt-hex-textsalt": "node-scrypt-text-salt",
    "passlib-bcrypt-sha256": "passlib-bcrypt",
    "passlib-pbkdf2-sha256": "passlib",
    "passlib-pbkdf2-sha512": "passlib",
    "serverless-handbook-sha256": "handbook",
    "sha512-crypt": "sha512-crypt",
    "werkzeug-pbkdf2": "werkzeug",
    "werkzeug-scrypt": "werkzeug",
}


def reading(*names: str | None) -> PasswordHasher:
    """A hasher that reads these kinds and no others."""
    weak = [HandbookSha256(SALT) if name == "handbook" else name for name in names if name in {*WEAK, "handbook"}]
    return PasswordHasher(**CHEAP, also=[name for name in names if name in STRONG], insecure_also=weak)


EVERYTHING = reading(*STRONG, *WEAK, "handbook")


@pytest.mark.parametrize("case", HASHES, ids=lambda case: case["id"])
def test_a_published_hash_is_read_where_its_kind_is_named(case):
    hasher = reading(NAMES[case["scheme"]])
    matches = hasher.verify(case["password"], case["hash"], case.get("username"))
    assert matches is (case["expect_match"] and case["password"] != "")  # the empty password is one for none of our users
    assert hasher.needs_rehash(case["hash"])


@pytest.mark.parametrize("case", [case for case in HASHES if not case["password"]], ids=lambda case: case["id"])
def test_a_published_hash_of_the_empty_password_is_read_by_its_kind(case):
    """Which the hasher never asks for it."""
    kinds = OlderHashes(STRONG[NAMES[case["scheme"]]]())
    assert kinds.matches([b""], None, case["hash"]) is True
    assert kinds.matches([b"x"], None, case["hash"]) is False


@pytest.mark.parametrize("case", HASHES, ids=lambda case: case["id"])
def test_a_kind_that_is_not_named_matches_nothing_for_the_price_of_one_hash(case):
    others = [name for name in (*STRONG, *WEAK, "handbook") if name != NAMES[case["scheme"]]]
    if "node" in case["scheme"]:  # two readings of one form: here only of it is asked who reads it
        others = [name for name in others if "node" not in name]
    hasher = reading(*others)
    with Argon2Calls() as calls:
        assert hasher.verify(case["password"], case["hash"], case.get("username")) is False
    assert calls.count == hasher.acceptable(case["password"])


@pytest.mark.parametrize("case", HASHES, ids=lambda case: case["id"])
def test_a_wrong_password_matches_no_published_hash(case):
    with Argon2Calls() as calls:
        assert EVERYTHING.verify(case["password"] + "?", case["hash"], case.get("username")) is False
    assert calls.count >= 1


DIGEST = "a" * 200
BROKEN = [
    *MALFORMED,
    "$2b$12$",
    "$2b$99$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m",
    "$2b$17$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m",
    "$2x$05$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m",
    "$2b$05$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m\n",
    "$2b$00$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m",
    "pbkdf2_sha256$0$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
    "pbkdf2_sha256$5000001$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
    "pbkdf2_sha256$99999999999999$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
    "pbkdf2_sha256$\u0663\u0669$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
    "pbkdf2_sha256$390000$seasalt$",
    "pbkdf2_sha256$390000$$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=",
    "scrypt$16383$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==",
    "scrypt$1$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==",
    "scrypt$1048576$seasalt$32$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==",
    f"scrypt:32768:8:99$abcdefghijklmnop${DIGEST[:128]}",
    f"scrypt:32768:8:1$abcdefghijklmnop${DIGEST[:127]}",
    f"pbkdf2:md5:1000$salt${DIGEST[:32]}",
    "argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN",
    "argon2$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q",
    "argon2$plain",
    "$pbkdf2-sha256$1212$4$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ",
    "$bcrypt-sha256$2a,99$E/e/2AOhqM5W/KJTFQzLce$F6dYSxOdAEoJZO2eoHUZWZljW/e0TXO",
    "$6$rounds=1000001$wakX8nGKEzgJ4Scy$" + DIGEST[:86],
    "$6$rounds=0$wakX8nGKEzgJ4Scy$" + DIGEST[:86],
    "$6$" + "s" * 17 + "$" + DIGEST[:86],
    "ab:" + DIGEST[:128],
    "sha1$$" + DIGEST[:40],
    "md5$seasalt$" + "\u0661" * 32,
    DIGEST[:63],
]


@pytest.mark.parametrize("stored", [None, *BROKEN], ids=lambda stored: ascii(stored)[:40])
def test_a_malformed_hash_matches_nothing_and_costs_one_hash(stored):
    """PWD-07, with every kind switched on: what asks for too much work is malformed, too."""
    began = time.perf_counter()
    for password in ("correct horse", stored):
        if password and EVERYTHING.acceptable(password):
            with Argon2Calls() as calls:
                assert reading(*STRONG, *WEAK, "handbook").verify(password, stored, "alice") is False
            assert 1 <= calls.count <= 2
    assert time.perf_counter() - began < 5


@settings(max_examples=100, deadline=None)
@given(
    st.text(min_size=1, max_size=80),
    st.one_of(
        st.text(max_size=200),
        st.sampled_from([case["hash"] for case in HASHES]).flatmap(
            lambda stored: st.builds(
                lambda at, put: stored[:at] + put + stored[at + 1 :], st.integers(0, len(stored) - 1), st.text(max_size=2)
            )
        ),
    ),
)
def test_a_hash_with_a_letter_changed_is_no_match_and_no_error(password, stored):
    hasher = reading(*(name for name in (*STRONG, "handbook") if name not in ("django", "werkzeug")))
    if all(case["hash"] != stored for case in HASHES):
        assert hasher.verify(password, stored, "alice") is False


# Who else made them


def test_what_django_makes_is_read():
    done = subprocess.run([sys.executable, "-c", DJANGO], capture_output=True, text=True, check=True, timeout=60)
    made = json.loads(done.stdout)
    assert set(made) == {"pbkdf2_sha256", "scrypt", "argon2", "bcrypt_sha256", "bcrypt", "pbkdf2_sha1", "md5"}
    hasher = reading("django", "django-bcrypt", "django-pbkdf2-sha1", "django-md5")
    for name, stored in made.items():
        assert hasher.verify("l\u00e8tmein", stored), name
        assert not hasher.verify("letmein", stored), name


DJANGO = """
import json
from django.conf import settings
names = ("PBKDF2", "Scrypt", "Argon2", "BCryptSHA256", "BCrypt", "PBKDF2SHA1", "MD5")
settings.configure(PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{name}PasswordHasher" for name in names])
from django.contrib.auth.hashers import BCryptPasswordHasher, BCryptSHA256PasswordHasher
from django.contrib.auth.hashers import PBKDF2PasswordHasher, PBKDF2SHA1PasswordHasher, get_hashers, make_password
BCryptPasswordHasher.rounds = BCryptSHA256PasswordHasher.rounds = 4
PBKDF2PasswordHasher.iterations = PBKDF2SHA1PasswordHasher.iterations = 1000
print(json.dumps({one.algorithm: make_password("l\\u00e8tmein", hasher=one.algorithm) for one in get_hashers()}))
"""


@pytest.mark.parametrize("method", ["scrypt", "scrypt:1024:8:2", "pbkdf2", "pbkdf2:sha256:1000", "pbkdf2:sha512:1000"])
def test_what_werkzeug_makes_is_read(method):
    from werkzeug.security import generate_password_hash

    stored = generate_password_hash("p\u00e4ssword", method=method)
    assert reading("werkzeug").verify("p\u00e4ssword", stored)
    assert not reading("werkzeug").verify("password", stored)


def test_werkzeugs_pbkdf2_with_sha1_is_weak():
    from werkzeug.security import generate_password_hash

    stored = generate_password_hash("password", method="pbkdf2:sha1:1000")
    assert not reading("werkzeug").verify("password", stored)
    assert reading("werkzeug-pbkdf2-sha1").verify("password", stored)


@pytest.mark.parametrize("prefix", ["2a", "2b", "2y"])
def test_what_bcrypt_makes_is_read(prefix):
    made = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    stored = f"${prefix}{made[3:]}"
    assert reading("bcrypt").verify("correct horse", stored)
    assert not reading("bcrypt").verify("correct hors", stored)


def test_passlibs_second_bcrypt_sha256_is_read():
    """Its form, made here from bcrypt and HMAC: the published one is the first."""
    import hmac

    setting = bcrypt.gensalt(4).decode()
    salt = setting[-22:]
    sealed = base64.b64encode(hmac.digest(salt.encode(), b"correct horse", "sha256"))
    stored = f"$bcrypt-sha256$v=2,t=2b,r=4${salt}${bcrypt.hashpw(sealed, setting.encode()).decode()[-31:]}"
    assert reading("passlib-bcrypt").verify("correct horse", stored)
    assert not reading("passlib-bcrypt").verify("correct horsf", stored)


# 72 bytes


def test_a_password_of_more_than_72_bytes_matches_no_bcrypt_hash_and_is_never_cut():
    for kind in ("", "bcrypt$"):
        stored = kind + bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
        hasher = reading("bcrypt", "django-bcrypt")
        assert hasher.verify("x" * 72, stored)
        assert not hasher.verify("x" * 73, stored)
        assert not hasher.verify("x" * 71 + "\u00e4", stored)


def test_a_scheme_that_hashes_before_bcrypt_takes_passwords_of_any_length():
    password = "x" * 100
    sealed = hashlib.sha256(password.encode()).hexdigest().encode()
    stored = "bcrypt_sha256$" + bcrypt.hashpw(sealed, bcrypt.gensalt(4)).decode()
    assert reading("django-bcrypt").verify(password, stored)
    assert not reading("django-bcrypt").verify(password[:-1], stored)


def test_a_long_password_matches_no_sha_crypt_hash_and_is_never_cut():
    from authkit.accounts._older_sha_crypt import _crypt

    stored = "$6$rounds=1000$salt$" + _crypt(b"x" * 256, b"salt", 1000)
    assert reading("sha512-crypt").verify("x" * 256, stored)
    assert not reading("sha512-crypt").verify("x" * 257, stored)


# How it is spelled


def test_the_password_is_tried_as_it_was_typed_and_as_it_is_prepared():
    composed, apart = "caf\u00e9", "cafe\u0301"
    for made_of in (composed, apart):
        stored = "pbkdf2_sha256$1$salt$" + _django_tag(made_of)
        assert reading("django").verify(made_of, stored)
    assert reading("django").verify(apart, "pbkdf2_sha256$1$salt$" + _django_tag(composed))


def _django_tag(password: str) -> str:
    return base64.b64encode(hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt", 1)).decode()


def test_the_handbooks_user_name_is_tried_as_it_was_typed_and_in_its_canonical_form():
    def stored(name: str) -> str:
        return hashlib.sha256(f"password{SALT}{name}password".encode()).hexdigest()

    hasher = reading("handbook")
    assert hasher.verify("password", stored("Alice"), "Alice")
    assert hasher.verify("password", stored("alice"), "ALICE")
    assert not hasher.verify("password", stored("alice"), "bob")
    assert not hasher.verify("password", stored("alice"))
    assert not PasswordHasher(**CHEAP, insecure_also=[HandbookSha256("another")]).verify("password", stored("alice"), "alice")


# What it costs


def steps(hasher: PasswordHasher, stored: str | None) -> tuple[int, int]:
    """How often argon2 and the older kind were called for a wrong password."""
    before = COUNTED.count
    with Argon2Calls() as calls:
        assert hasher.verify("wrong", stored, "alice") is False
    return calls.count, COUNTED.count - before


class Counted:
    count = 0

    def __call__(self, password, username, found):
        self.count += 1
        return password == b"right"


COUNTED = Counted()


def test_pwd_01_every_login_that_fails_takes_the_same_work_once_an_older_hash_was_seen():
    hasher = PasswordHasher(**CHEAP, also=[OlderHash("counted", "old:.*", COUNTED)])
    ours = hasher.hash("another")
    everybody = (None, ours, "$argon2id$nonsense", "", "!")
    assert [steps(hasher, stored) for stored in everybody] == [(1, 0)] * len(everybody), "none of them was seen yet"
    assert steps(hasher, "old:1") == (1, 1)
    assert [steps(hasher, stored) for stored in (*everybody, "old:2")] == [(1, 1)] * (len(everybody) + 1)


def test_a_login_that_succeeds_pays_for_nobody_else():
    hasher = PasswordHasher(**CHEAP, also=[OlderHash("counted", "old:.*", COUNTED)])
    steps(hasher, "old:1")
    ours, before = hasher.hash("right"), COUNTED.count
    with Argon2Calls() as calls:
        assert hasher.verify("right", ours)
    assert (calls.count, COUNTED.count) == (1, before)
    with Argon2Calls() as calls:
        assert hasher.verify("right", "old:1")
    assert (calls.count, COUNTED.count) == (0, before + 1)


def test_a_pepper_is_in_no_older_hash_and_the_next_hash_has_it():
    hasher = PasswordHasher(**CHEAP, pepper="a pepper of thirty-two bytes or more", also=["django"])
    stored = "pbkdf2_sha256$1$salt$" + _django_tag("correct horse")
    assert hasher.verify("correct horse", stored)
    assert not hasher.verify("wrong", stored)
    assert hasher.needs_rehash(stored)
    assert hasher.hash("correct horse").startswith("$hmac-sha256$")


def test_no_memory_for_scrypt_is_unavailable_and_no_wrong_password():
    program = (
        "import resource\n"
        "from authkit.accounts import PasswordHasher\n"
        "from authkit import Unavailable\n"
        "hasher = PasswordHasher(memory=64, passes=1, lanes=1, also=['werkzeug'])\n"
        "hasher.verify('a', 'scrypt:2:8:1$a$' + 'a' * 128)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))\n"
        "try: print(hasher.verify('a', 'scrypt:524288:8:1$a$' + 'a' * 128))\n"
        "except Unavailable: print('unavailable')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == ["unavailable"], done.stderr


def test_scrypt_is_asked_for_no_more_than_a_gibibyte_and_some_seconds():
    import re

    form = re.compile("(?P<n>.*),(?P<r>.*),(?P<p>.*),(?P<salt>.*),(?P<tag>.*)")
    for n, r, p in itertools.product((2**20, 2**19), (8, 16), (2, 16)):
        if n * r * p > MOST_SCRYPT:
            with pytest.raises(ValueError, match=r"^$"):
                scrypt(text, hexadecimal)(b"a", None, form.fullmatch(f"{n},{r},{p},salt,tag"))


# How it is switched on


@pytest.mark.parametrize(
    "settings",
    [
        {"also": "bcrypt"},
        {"also": ["bcrypt", "md5"]},
        {"also": ["django-md5"]},
        {"also": [HandbookSha256("salt")]},
        {"also": [b"bcrypt"]},
        {"also": None},
        {"also": 7},
        {"insecure_also": ["bcrypt"]},
        {"insecure_also": "django-md5"},
        {"insecure_also": [OlderHash("mine", "x", COUNTED)]},
    ],
    ids=str,
)
def test_what_is_no_kind_or_stands_in_the_wrong_list_is_refused_when_built(settings):
    with pytest.raises(ConfigurationError):
        PasswordHasher(**settings)


@pytest.mark.parametrize("salt", ["", " ", None, b"salt"])
def test_the_handbooks_salt_is_text(salt):
    with pytest.raises(ConfigurationError):
        HandbookSha256(salt)


def test_no_salt_and_no_hash_is_in_what_is_shown_of_them():
    kind = HandbookSha256(SALT)
    kinds = chosen([], [kind])
    kinds.matches([b"a"], "a", "a" * 64)
    shown = repr(kind) + repr(kinds) + "".join(repr(getattr(kinds, name)) for name in kinds.__slots__)
    assert SALT not in shown
    assert "a" * 64 not in shown


def test_bcrypt_that_is_not_installed_is_told_when_built_and_by_what_brings_it():
    program = (
        "import sys\n"
        "sys.modules['bcrypt'] = None\n"
        "from authkit import ConfigurationError\n"
        "from authkit.accounts import PasswordHasher\n"
        "PasswordHasher(also=['django', 'werkzeug', 'passlib', 'sha512-crypt', 'node-scrypt'])\n"
        "for name in ('bcrypt', 'django-bcrypt', 'passlib-bcrypt'):\n"
        "    try: PasswordHasher(also=[name])\n"
        "    except ConfigurationError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    assert all("authkit-middleware[bcrypt]" in line for line in lines)


def test_a_hasher_that_reads_none_of_them_loads_nothing_for_them():
    program = (
        "import sys; from authkit.accounts import PasswordHasher as P; P(); print([m for m in sys.modules if 'older_' in m])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


# In a login


def test_a_login_with_an_older_hash_succeeds_and_leaves_one_of_today(tokens):
    password = "correct horse"
    stored = {
        "django": "pbkdf2_sha256$1$salt$" + _django_tag(password),
        "bcrypt": bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode(),
        "handbook": hashlib.sha256(f"{password}{SALT}handbook{password}".encode()).hexdigest(),
    }
    users = MemoryUsers()
    for name, hashed in stored.items():
        users.add(User(name, password_hash=hashed))
    accounts = Accounts(users, tokens, reading("django", "bcrypt", "handbook"), insecure_unlimited=True)
    for name, hashed in stored.items():
        with pytest.raises(InvalidCredentials):
            accounts.authenticate(name, "wrong horse")
        assert users.find(name).password_hash == hashed
        assert accounts.authenticate(name, password).password_hash.startswith("$argon2id$")
        assert users.find(name).password_hash.startswith("$argon2id$")
        assert accounts.authenticate(name, password).username == name


def test_the_handbooks_hash_is_compared_with_the_user_name_as_it_is_typed(tokens):
    """The table has the canonical one: who was registered as Alice types that."""
    users = MemoryUsers()
    users.add(User("alice", password_hash=hashlib.sha256(f"password{SALT}Alicepassword".encode()).hexdigest()))
    accounts = Accounts(users, tokens, reading("handbook"))
    with pytest.raises(InvalidCredentials):
        accounts.authenticate("alice", "password")
    assert accounts.authenticate("Alice", "password").username == "alice"
    assert accounts.authenticate("alice", "password").username == "alice", "it has a hash of today now"
