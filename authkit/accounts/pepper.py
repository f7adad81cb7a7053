"""`Pepper`: a secret that goes into the hash of every password and lies in no table of users, through its rotations.

A hash made with one says so, and with which:

    $hmac-sha256$keyid=<11 characters>$argon2id$v=19$m=65536,t=3,p=4$<salt>$<hash>

What follows the key id is a hash in PHC form as ever; only that what was hashed is HMAC-SHA-256 of the password under the
pepper. The key id is the first 8 bytes of HMAC-SHA-256 of a fixed text, in base64 without padding as PHC has it: it tells one
pepper from another, and of a pepper of 32 random bytes nothing else.
"""

from __future__ import annotations

from .._samples import is_sample
from ..errors import ConfigurationError
from ..secrets.secret import Secret
from ..secrets.versions import Masked, SecretVersions, as_bytes, is_blank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from hmac import HMAC
    from typing import TypeAlias

    AnyPepper: TypeAlias = Secret | SecretVersions | str | bytes
    Mac: TypeAlias = Callable[[bytes], bytes]

MIN_BYTES = 32  # the key id can be searched for a guessed pepper, without argon2's price
PREFIX = "$hmac-sha256$keyid="
ID_LENGTH = 11  # characters: 8 bytes, the longest keyid of the PHC string format
_ID_TEXT = b"\0authkit pepper id"  # no password: none has a NUL
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


class _Key(Masked):
    """One value of a pepper: what its id is, which version, and how it seals a password."""

    __slots__ = ("id", "version", "mac")

    def __init__(self, version: str, mac: Mac) -> None:
        from base64 import b64encode

        self.version = version
        self.mac = mac
        self.id = b64encode(mac(_ID_TEXT)[:8]).decode().rstrip("=")


class Keys:
    """The keys at one moment. The same versions, the same keys."""

    __slots__ = ("versions", "current", "by_id")

    def __init__(self, versions: SecretVersions, current: _Key, others: list[_Key]) -> None:
        self.versions = versions
        self.current = current
        self.by_id = {key.id: key for key in (*reversed(others), current)}


class Pepper(Masked):
    """`current` hashes; `current`, `previous` until its end, and `pending` verify.

    Raises: `ConfigurationError` for one that is empty, a known sample, or shorter than 32 bytes: a literal one here, another
    when it is first read. A previous or pending value like that is left out, with a warning: nothing was hashed with it.
    """

    __slots__ = ("_secret", "_held")
    _secret: Secret
    _held: Keys | None

    def __init__(self, secret: Secret | None) -> None:
        if secret is None:
            raise ConfigurationError("the pepper is empty, blank, or not text or bytes")
        self._secret = secret
        self._held = None
        versions = secret.fresh()
        if versions is not None:
            self._follow(versions)

    async def load(self) -> Keys:
        """The keys, for a coroutine that anybody may drive."""
        return self._follow(await self._secret.load())

    async def look_again(self, keys: Keys) -> bool:
        """Read the secret once more because nothing matched, at most once in its cooldown; whether there are others now."""
        return await self._secret.reload_after_failure(keys.versions)

    def current(self) -> _Key:
        """The key to hash with. I/O if the secret is due to be read."""
        return self._follow(self._secret.versions()).current

    def is_outdated(self, id: str | None) -> bool:
        """Whether a hash under this key id should be made anew, as far as is known without I/O. One under `pending` is ahead
        of us, not behind: another instance has seen the rotation already."""
        keys = self._held
        return keys is not None and (id is None or id not in keys.by_id or keys.by_id[id].version == "previous")

    def note_use(self, key: _Key) -> None:
        """Count a password that was right under this key."""
        self._secret.note_use(key.version)

    def _follow(self, versions: SecretVersions) -> Keys:
        keys = self._held
        if keys is None or keys.versions is not versions:
            made, unfit = _keys(versions)
            current = made.pop("current", None)
            if current is None:
                name = self._secret.name
                raise ConfigurationError(f"the pepper {name} is a sample, or shorter than {MIN_BYTES} bytes: generate one")
            for version in unfit:
                _warn_unfit(self._secret.name, version)
            keys = self._held = Keys(versions, current, list(made.values()))
        return keys


def split(stored: str) -> tuple[str | None, str]:
    """The key id of the pepper in a stored hash, or None; and the PHC hash. A prefix that is no such thing is left in place."""
    if stored.startswith(PREFIX):
        end = len(PREFIX) + ID_LENGTH
        id = stored[len(PREFIX) : end]
        if len(id) == ID_LENGTH and _ALPHABET.issuperset(id):
            return id, stored[end:]
    return None, stored


def secret_of(pepper: AnyPepper) -> Secret | None:
    """The pepper out of sight; None if it can be none. It raises nothing: its frame holds the value."""
    if isinstance(pepper, Secret):
        return pepper
    return Secret.of(pepper) if isinstance(pepper, SecretVersions) or not is_blank(pepper) else None


def _keys(versions: SecretVersions) -> tuple[dict[str, _Key], list[str]]:
    """The versions that are fit to be a pepper, and the names of the others. It raises nothing: its frames hold the values."""
    import hmac

    found, unfit = {}, []
    for version, value in versions.named():
        raw = as_bytes(value)
        if raw is not None and len(raw) >= MIN_BYTES and not is_sample(value):
            found[version] = _Key(version, _mac_of(hmac.new(raw, digestmod="sha256")))
        else:
            unfit.append(version)
    return found, unfit


def _warn_unfit(name: str, version: str) -> None:
    import logging

    logging.getLogger("authkit.accounts").warning(
        "the %s value of the pepper %s is left out: it is a sample, or shorter than %s bytes", version, name, MIN_BYTES
    )


def _mac_of(keyed: HMAC) -> Mac:
    def mac(data: bytes) -> bytes:
        one = keyed.copy()
        one.update(data)
        return one.digest()

    return mac
