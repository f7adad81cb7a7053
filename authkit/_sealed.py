"""`Seal`: what lies in a user's row, or in a store, and only its owner's login opens.

AES-256-GCM. The key is made by HKDF-SHA-256 (RFC 5869) from a secret, for one purpose and one subject: a text that is copied to
another user opens nowhere, and no key ever sees so many texts that random nonces could meet (SP 800-38D section 8.3). A row
that is put back as it was, by whoever can write the table, still opens.
"""

from __future__ import annotations

import os
from _operator import _compare_digest as compare_digest  # what `hmac` gives, which is slow to load

from ._samples import is_sample
from .errors import ConfigurationError, Unavailable
from .secrets.secret import Secret
from .secrets.versions import Masked, SecretVersions, as_bytes
from .tokens import base64url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    Derive: TypeAlias = Callable[[bytes], bytes]

MIN_BYTES = 32
FORM = "s1"  # of what is written here: another form will have another name
_NONCE = 12  # bytes: 96 bits, SP 800-38D section 5.2.1.1
_INFO = b"authkit seal 1\0"


class Unsealable(Unavailable):
    """A sealed text that opens under none of the keys there are: nobody can tell what it says, so nobody gets in by it."""


class _Key(Masked):
    """One value of the secret: its id, and the keys that are made of it."""

    __slots__ = ("id", "derive")

    def __init__(self, derive: Derive) -> None:
        self.derive = derive
        self.id = base64url.encode(derive(b"id")[:6]).decode()


class Keys(Masked):
    """The keys at one moment, for a caller who asks the secret once and then seals and opens without I/O."""

    __slots__ = ("versions", "_current", "_by_id", "_random")

    def __init__(self, versions: SecretVersions, current: _Key, others: list[_Key], random: Callable[[int], bytes]) -> None:
        self.versions = versions
        self._current = current
        self._by_id = {key.id: key for key in (*reversed(others), current)}
        self._random = random

    def seal(self, purpose: str, subject: str, data: bytes) -> str:
        """`data` as a text that `open` opens, for the same purpose and subject alone."""
        key = self._current
        nonce = self._random(_NONCE)
        if len(nonce) != _NONCE:
            raise ValueError(f"random gives {_NONCE} bytes when asked for them")
        label = _label(FORM, purpose, subject)
        return f"{FORM}.{key.id}.{base64url.encode(nonce + _cipher(key, label).encrypt(nonce, data, label)).decode()}"

    def open(self, purpose: str, subject: str, text: str) -> bytes:
        """What was sealed. Raises: `Unsealable`, whatever is wrong with the text."""
        data = self.opened(purpose, subject, text)
        if data is None:  # raised here, where no key and no cause is in sight
            raise Unsealable("a sealed text opens under no key there is: it is damaged, another user's, or its key is gone")
        return data

    def mac(self, purpose: str, subject: str, text: str) -> str:
        """What is kept of a short code, which a bare digest would not hide; `matches` knows it again."""
        return _mac(self._current, purpose, subject, text)

    def matches(self, purpose: str, subject: str, text: str, mac: str) -> bool:
        """Whether `mac` was made of this text, in constant time."""
        key = self._by_id.get(mac.partition(".")[0])
        return key is not None and compare_digest(_mac(key, purpose, subject, text).encode(), mac.encode())

    def is_current(self, text: str) -> bool:
        """Whether a sealed text is under the key that seals today."""
        return text.startswith(f"{FORM}.{self._current.id}.")

    def opened(self, purpose: str, subject: str, text: str) -> bytes | None:
        """What was sealed; None where `open` would raise. It raises nothing: its frames may hold what is secret."""
        form, _, rest = text.partition(".")
        id, _, body = rest.partition(".")
        key = self._by_id.get(id)
        if form != FORM or key is None:
            return None
        from cryptography.exceptions import InvalidTag

        try:
            raw = base64url.decode(body)
            label = _label(form, purpose, subject)
            return _cipher(key, label).decrypt(raw[:_NONCE], raw[_NONCE:], label)
        except (ValueError, InvalidTag):
            return None


class Seal(Masked):
    """`current` seals; `current`, `previous` until its end, and `pending` open, as with a pepper.

    What is sealed lies there for years, and `previous` has to stay until all of it is under `current`: else it opens no more.

    Raises: `ConfigurationError` for a secret that is a known sample or shorter than 32 bytes: a literal one here, another when
    it is first read. A previous or pending value like that is left out: nothing was sealed with it.
    """

    __slots__ = ("_secret", "_held", "_random")
    _secret: Secret
    _held: Keys | None

    def __init__(self, secret: Secret | None, random: Callable[[int], bytes] = os.urandom) -> None:
        if secret is None:
            raise ConfigurationError("seal is empty, blank, or not a Secret, text or bytes")
        self._secret = secret
        self._random = random
        self._held = None
        versions = secret.fresh()
        if versions is not None:
            self._follow(versions)

    async def load(self) -> Keys:
        """The keys, for a coroutine that anybody may drive. Raises: `ConfigurationError`, `SecretNotFound`, `Unavailable`."""
        return self._follow(await self._secret.load())

    async def look_again(self, keys: Keys) -> Keys | None:
        """The keys after one more look at the secret, at most one in its cooldown; None: nothing is new."""
        return await self.load() if await self._secret.reload_after_failure(keys.versions) else None

    def _follow(self, versions: SecretVersions) -> Keys:
        keys = self._held
        if keys is None or keys.versions is not versions:
            made = _keys(versions)
            current = made.pop("current", None)
            if current is None:
                name = self._secret.name
                raise ConfigurationError(
                    f"seal: the secret {name} is a sample, or shorter than {MIN_BYTES} bytes: generate one"
                )
            keys = self._held = Keys(versions, current, list(made.values()), self._random)
        return keys


def _keys(versions: SecretVersions) -> dict[str, _Key]:
    """The versions that are fit to seal with. It raises nothing: its frames hold the values."""
    found = {}
    for version, value in versions.named():
        raw = as_bytes(value)
        if raw is not None and len(raw) >= MIN_BYTES and not is_sample(value):
            found[version] = _Key(_derive_from(raw))
    return found


def _derive_from(raw: bytes) -> Derive:
    import hmac

    extracted = hmac.digest(bytes(32), raw, "sha256")  # HKDF-Extract without a salt: RFC 5869 section 2.2

    def derive(info: bytes) -> bytes:
        return hmac.digest(extracted, _INFO + info + b"\1", "sha256")  # HKDF-Expand, its first block: section 2.3

    return derive


def _label(form: str, purpose: str, subject: str) -> bytes:
    """What a text is bound to. Lengths, so that no two of them read the same."""
    parts = [part.encode("utf-8", "surrogatepass") for part in (form, purpose, subject)]
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def _cipher(key: _Key, label: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key.derive(b"cipher\0" + label))


def _mac(key: _Key, purpose: str, subject: str, text: str) -> str:
    import hmac

    made = hmac.digest(key.derive(b"mac\0" + _label("m1", purpose, subject)), text.encode("utf-8", "surrogatepass"), "sha256")
    return f"{key.id}.{base64url.encode(made).decode()}"
