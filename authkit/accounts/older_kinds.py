"""The kinds of older hashes by name: one entry each. What they may cost is some seconds, of scrypt also 1 GiB.

The forms are those of bcrypt (OpenBSD), Django's `contrib.auth.hashers`, Werkzeug's `security`, passlib, SHA-crypt (Drepper)
and the `salt:key` that people write with Node's `crypto.scrypt` and its defaults.
"""

from __future__ import annotations

from ._older_argon2 import behind_prefix
from ._older_bcrypt import plain, prehashed_base64, prehashed_hex, prehashed_hmac
from ._older_kdf import ab64, base64, from_ab64, from_hex, hexadecimal, pbkdf2, salted, scrypt, text
from ._older_sha_crypt import sha512_crypt
from .older import OlderHash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_N = "[1-9][0-9]{0,8}"  # a number
_S = "(?P<salt>[^$]{1,128})"  # a salt that stands for itself
_ROUNDS = {"rounds": 5_000_000}
_COST = {"cost": 16}
_SCRYPT = {"n": 2**20, "r": 32, "p": 16}
_BCRYPT = r"(?P<setting>\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{22})(?P<tag>[./A-Za-z0-9]{31})"
_B64, _AB64, _HEX = "[A-Za-z0-9+/]", "[A-Za-z0-9./]", "[0-9a-f]"


def _bcrypt(name: str, form: str, matches: Any) -> OlderHash:
    return OlderHash(name, form, matches, most=_COST, package="bcrypt")


def _bcrypts() -> list[OlderHash]:
    return [_bcrypt("bcrypt", _BCRYPT, plain)]


def _django() -> list[OlderHash]:
    return [
        OlderHash("django-pbkdf2-sha256", rf"pbkdf2_sha256\$(?P<rounds>{_N})\${_S}\$(?P<tag>{_B64}{{43}}=)",
                  pbkdf2("sha256", text, base64), most=_ROUNDS),
        OlderHash("django-scrypt", rf"scrypt\$(?P<n>{_N})\${_S}\$(?P<r>{_N})\$(?P<p>{_N})\$(?P<tag>{_B64}{{86}}==)",
                  scrypt(text, base64), most=_SCRYPT),
        OlderHash("django-argon2", r"argon2\$(?P<phc>argon2(?:id|i|d)\$[!-~]+)", behind_prefix),
    ]  # fmt: skip


def _django_bcrypt() -> list[OlderHash]:
    return [
        _bcrypt("django-bcrypt-sha256", rf"bcrypt_sha256\${_BCRYPT}", prehashed_hex),
        _bcrypt("django-bcrypt", rf"bcrypt\${_BCRYPT}", plain),
    ]


def _werkzeug() -> list[OlderHash]:
    return [
        OlderHash("werkzeug-scrypt", rf"scrypt:(?P<n>{_N}):(?P<r>{_N}):(?P<p>{_N})\${_S}\$(?P<tag>{_HEX}{{128}})",
                  scrypt(text, hexadecimal), most=_SCRYPT),
        OlderHash("werkzeug-pbkdf2-sha256", rf"pbkdf2:sha256:(?P<rounds>{_N})\${_S}\$(?P<tag>{_HEX}{{64}})",
                  pbkdf2("sha256", text, hexadecimal), most=_ROUNDS),
        OlderHash("werkzeug-pbkdf2-sha512", rf"pbkdf2:sha512:(?P<rounds>{_N})\${_S}\$(?P<tag>{_HEX}{{128}})",
                  pbkdf2("sha512", text, hexadecimal), most=_ROUNDS),
    ]  # fmt: skip


def _passlib() -> list[OlderHash]:
    salt = f"(?P<salt>{_AB64}{{1,128}})"
    return [
        OlderHash("passlib-pbkdf2-sha256", rf"\$pbkdf2-sha256\$(?P<rounds>{_N})\${salt}\$(?P<tag>{_AB64}{{43}})",
                  pbkdf2("sha256", from_ab64, ab64), most=_ROUNDS),
        OlderHash("passlib-pbkdf2-sha512", rf"\$pbkdf2-sha512\$(?P<rounds>{_N})\${salt}\$(?P<tag>{_AB64}{{86}})",
                  pbkdf2("sha512", from_ab64, ab64), most=_ROUNDS),
    ]  # fmt: skip


def _passlib_bcrypt() -> list[OlderHash]:
    salt, tag = f"(?P<salt>{_AB64}{{22}})", f"(?P<tag>{_AB64}{{31}})"
    first = rf"\$bcrypt-sha256\$(?P<ident>2[aby]),(?P<cost>[0-9]{{1,2}})\${salt}\${tag}"
    second = rf"\$bcrypt-sha256\$v=2,t=(?P<ident>2[aby]),r=(?P<cost>[0-9]{{1,2}})\${salt}\${tag}"
    return [
        _bcrypt("passlib-bcrypt-sha256", first, prehashed_base64),
        _bcrypt("passlib-bcrypt-sha256-v2", second, prehashed_hmac),
    ]


def _sha_crypt() -> list[OlderHash]:
    form = rf"\$6\$(?:rounds=(?P<rounds>{_N})\$)?(?P<salt>[^$]{{0,16}})\$(?P<tag>{_AB64}{{86}})"
    return [OlderHash("sha512-crypt", form, sha512_crypt, most={"rounds": 1_000_000})]


def _node(name: str, salt: Callable[[str], bytes]) -> list[OlderHash]:
    form = f"(?P<salt>(?:{_HEX}{{2}}){{8,64}}):(?P<tag>{_HEX}{{128}})"
    return [OlderHash(name, form, scrypt(salt, hexadecimal, n=16_384, r=8, p=1))]


def _weak_pbkdf2(name: str, form: str, shown: Any) -> list[OlderHash]:
    return [OlderHash(name, form, pbkdf2("sha1", text, shown), most=_ROUNDS, weak=True)]


def _weak_salted(name: str, digest: str, length: int) -> list[OlderHash]:
    return [OlderHash(name, rf"{digest}\${_S}\$(?P<tag>{_HEX}{{{length}}})", salted(digest), weak=True)]


# What `PasswordHasher(also=[...])` takes, and what only `insecure_also` does.
STRONG: dict[str, Callable[[], list[OlderHash]]] = {
    "bcrypt": _bcrypts,
    "django": _django,
    "django-bcrypt": _django_bcrypt,
    "werkzeug": _werkzeug,
    "passlib": _passlib,
    "passlib-bcrypt": _passlib_bcrypt,
    "sha512-crypt": _sha_crypt,
    "node-scrypt": lambda: _node("node-scrypt", from_hex),
    "node-scrypt-text-salt": lambda: _node("node-scrypt-text-salt", text),
}
WEAK: dict[str, Callable[[], list[OlderHash]]] = {
    "django-pbkdf2-sha1": lambda: _weak_pbkdf2(
        "django-pbkdf2-sha1", rf"pbkdf2_sha1\$(?P<rounds>{_N})\${_S}\$(?P<tag>{_B64}{{27}}=)", base64
    ),
    "werkzeug-pbkdf2-sha1": lambda: _weak_pbkdf2(
        "werkzeug-pbkdf2-sha1", rf"pbkdf2:sha1:(?P<rounds>{_N})\${_S}\$(?P<tag>{_HEX}{{40}})", hexadecimal
    ),
    "django-sha1": lambda: _weak_salted("django-sha1", "sha1", 40),
    "django-md5": lambda: _weak_salted("django-md5", "md5", 32),
}
