"""SHA-crypt with SHA-512, the `$6$` of /etc/shadow, as its specification has it: 5000 rounds unless it says others."""

from __future__ import annotations

import hashlib

from ._older_kdf import same

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

MOST_BYTES = 256  # each round hashes the whole password again: a longer one would make a login slow, and matches nothing
LEAST_ROUNDS, USUAL_ROUNDS = 1000, 5000
_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def sha512_crypt(password: bytes, _: str | None, found: re.Match[str]) -> bool:
    rounds = max(LEAST_ROUNDS, int(found["rounds"] or USUAL_ROUNDS))
    matches = same(_crypt(password[:MOST_BYTES], found["salt"].encode(), rounds), found["tag"])
    return matches and len(password) <= MOST_BYTES


def _crypt(password: bytes, salt: bytes, rounds: int) -> str:
    sha = hashlib.sha512
    length = len(password)
    inner = sha(password + salt + password).digest()
    mixed = sha(password + salt + _filling(inner, length))
    bits = length
    while bits:
        mixed.update(inner if bits & 1 else password)
        bits >>= 1
    state = mixed.digest()
    p = _filling(sha(password * length).digest(), length)
    s = _filling(sha(salt * (16 + state[0])).digest(), len(salt))
    for number in range(rounds):
        odd = number & 1
        state = sha(
            (p if odd else state) + (s if number % 3 else b"") + (p if number % 7 else b"") + (state if odd else p)
        ).digest()
    return _encoded(state)


def _filling(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _encoded(state: bytes) -> str:
    """Three bytes at a time, taken from the three thirds in turn, the lowest six bits first."""
    text = ""
    for number in range(21):
        thirds = (state[number], state[number + 21], state[number + 42]) * 2
        high, middle, low = thirds[number % 3 : number % 3 + 3]
        text += _four(high << 16 | middle << 8 | low, 4)
    return text + _four(state[63], 2)


def _four(value: int, count: int) -> str:
    return "".join(_DIGITS[value >> 6 * place & 63] for place in range(count))
