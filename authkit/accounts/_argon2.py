"""argon2 (RFC 9106): its profiles by name, which stored hashes are read, and what the library's failures mean."""

from __future__ import annotations

from ..decision import _set, _Value
from ..errors import ConfigurationError, Unavailable


class Work(_Value):
    """How much of it: `memory` in KiB, `passes` and `lanes`, argon2's m, t and p."""

    __slots__ = ("memory", "passes", "lanes")
    memory: int
    passes: int
    lanes: int

    def __init__(self, memory: int, passes: int, lanes: int) -> None:
        _set(self, "memory", memory)
        _set(self, "passes", passes)
        _set(self, "lanes", lanes)


SALT_BYTES = 16  # RFC 9106 section 4
HASH_BYTES = 32
# A stored hash that asks for more was not made by anybody's login. KiB: as the largest profile has, which others come from.
MOST_MEMORY, MOST_PASSES, MOST_LANES = 2**21, 100, 64

DEFAULT_PROFILE = "rfc9106-low-memory"
PROFILES = {
    "rfc9106-low-memory": Work(2**16, 3, 4),  # RFC 9106 section 4, second recommended option: 64 MiB
    "rfc9106-high-memory": Work(2**21, 1, 4),  # the first: 2 GiB for each login
    "owasp": Work(19_456, 2, 1),  # OWASP Password Storage Cheat Sheet, the least that it recommends: 19 MiB
}


def work_of(profile: str | None, memory: int | None, passes: int | None, lanes: int | None) -> Work:
    """The parameters of a profile, or those that are given beside the default one's. Raises: `ConfigurationError`."""
    usual = PROFILES[DEFAULT_PROFILE]
    if profile is not None:
        if type(profile) is not str or profile not in PROFILES:
            raise ConfigurationError(f"profile is one of {', '.join(PROFILES)}")
        if (memory, passes, lanes) != (None, None, None):
            raise ConfigurationError("profile and memory, passes or lanes contradict each other: which is meant?")
        return PROFILES[profile]
    work = Work(
        usual.memory if memory is None else memory,
        usual.passes if passes is None else passes,
        usual.lanes if lanes is None else lanes,
    )
    for name, number in (("passes", work.passes), ("lanes", work.lanes)):
        if type(number) is not int or not 1 <= number < 2**20:
            raise ConfigurationError(f"{name} is a whole number of at least 1")
    if type(work.memory) is not int or not 8 * work.lanes <= work.memory < 2**24:
        raise ConfigurationError("memory is a whole number of KiB, at least 8 for each lane")
    return work


def hashed(password: bytes, salt: bytes, work: Work) -> str:
    """The argon2id hash in PHC form. Raises: `Unavailable` if argon2 cannot have its memory or threads."""
    from argon2.exceptions import HashingError
    from argon2.low_level import Type, hash_secret

    try:
        return hash_secret(password, salt, work.passes, work.memory, work.lanes, HASH_BYTES, Type.ID).decode()
    except HashingError:
        raise Unavailable("argon2 could not have its memory or threads") from None


def is_readable(stored: str, ours: Work) -> bool:
    """Whether it is an argon2 hash, and one that this machine could ever have made."""
    if not stored.startswith("$argon2") or not stored.isascii() or len(stored) > 1024:
        return False
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError

    try:
        found = extract_parameters(stored)
    except (InvalidHashError, ValueError):
        return False
    most = Work(max(MOST_MEMORY, ours.memory), max(MOST_PASSES, ours.passes), max(MOST_LANES, ours.lanes))
    return found.memory_cost <= most.memory and found.time_cost <= most.passes and found.parallelism <= most.lanes


def verify(password: bytes, stored: str) -> bool | None:
    """Whether they match; None if the stored hash could not be read after all, so that no work was done.

    Raises: `Unavailable` if argon2 cannot have its memory or threads.
    """
    from argon2 import extract_parameters
    from argon2.exceptions import VerificationError, VerifyMismatchError
    from argon2.low_level import verify_secret

    try:
        return verify_secret(stored.encode(), password, extract_parameters(stored).type)
    except VerifyMismatchError:
        return False
    except VerificationError as error:
        if str(error) in ("Memory allocation error", "Threading failure"):
            raise Unavailable("argon2 could not have its memory or threads") from None
        return None


def is_todays(stored: str, work: Work) -> bool:
    """Whether a readable hash was made with the parameters of today."""
    from argon2 import Parameters, extract_parameters
    from argon2.low_level import Type

    return extract_parameters(stored) == Parameters(Type.ID, 19, SALT_BYTES, HASH_BYTES, work.passes, work.memory, work.lanes)


def work_in(stored: str) -> Work:
    """What a readable hash costs."""
    from argon2 import extract_parameters

    found = extract_parameters(stored)
    return Work(found.memory_cost, found.time_cost, found.parallelism)


def dummy(work: Work, salt: bytes, tag: bytes) -> str:
    """A well-formed hash that nothing is known to match; made without hashing anything."""
    from base64 import b64encode

    texts = (b64encode(raw).decode().rstrip("=") for raw in (salt, tag))
    return f"$argon2id$v=19$m={work.memory},t={work.passes},p={work.lanes}$" + "$".join(texts)
