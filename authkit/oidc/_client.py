"""How we show an authorization server who asks: client authentication (RFC 6749 section 2.3.1, RFC 7523, RFC 6750)."""

from __future__ import annotations

import os
import time

from ..errors import ConfigurationError
from ..secrets.secret import Secret
from ..secrets.versions import Masked, is_blank
from ..tokens import Key, base64url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..secrets.versions import SecretVersions

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2
LIFE = 60  # seconds of an assertion
BASIC, POST, NONE = "client_secret_basic", "client_secret_post", "none"


class Client(Masked):
    """One client at one authorization server. Exactly one of `secret`, `key` (private_key_jwt) and `bearer` is given, and none
    of them with the method "none": of a public client, who has nothing to show but its id.

    `secret`, `bearer`: text or a `Secret`, whose newest value is used. `key`: a `Key`, what makes one, or a `Secret` of that.
    `method`: how the secret is sent, client_secret_basic or client_secret_post; None: client_secret_basic, unless the server
    says that it takes the other alone. Raises: `ConfigurationError`.
    """

    __slots__ = ("id", "_method", "_secret", "_key", "_made", "_clock", "_random")

    def __init__(
        self,
        client_id: str | None,
        *,
        secret: Any = None,
        key: Any = None,
        bearer: Any = None,
        method: str | None = BASIC,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        given = [name for name, value in (("client_secret", secret), ("key", key), ("bearer", bearer)) if value is not None]
        held, made, wrong = _taken(secret if secret is not None else bearer, key)
        del secret, key, bearer  # what is raised below may be shown with its locals
        if len(given) != 1 and not (method == NONE and not given):
            raise ConfigurationError("one of client_secret, key and bearer says how we authenticate at the server")
        if wrong is not None:
            raise ConfigurationError(f"{given[0]}: {wrong}")
        if given != ["bearer"] and (type(client_id) is not str or not client_id or not client_id.isprintable()):
            raise ConfigurationError("client_id is text, and not empty")
        if (given and method not in (BASIC, POST, None)) or (method == POST and given != ["client_secret"]):
            raise ConfigurationError("the way to send a client_secret is client_secret_basic or client_secret_post")
        self.id = client_id or ""
        self._method = {"key": "private_key_jwt", "bearer": "bearer"}.get(given[0], method) if given else method
        self._secret = held
        self._key = made
        self._made: tuple[SecretVersions, Key] | None = None
        self._clock, self._random = clock, random

    def authenticate(
        self, form: dict[str, str], headers: dict[str, str], audience: str, taken: Iterable[str] = ()
    ) -> SecretVersions | None:
        """Put what shows who we are into `form` or `headers`; `audience`: for whom an assertion is; `taken`: the methods that
        the server says it takes. It may block.

        Gives the versions of the secret that was used. Raises: as a `Secret` does; `ConfigurationError` for a key that is none.
        """
        versions = self._secret.versions() if self._secret is not None else None
        method = self._method or (POST if POST in taken and BASIC not in taken else BASIC)
        if method == NONE:
            form["client_id"] = self.id
        elif method == "private_key_jwt":
            form["client_id"] = self.id
            form["client_assertion_type"] = ASSERTION
            form["client_assertion"] = self._assertion(versions, audience)
        elif method == POST:
            form["client_id"], form["client_secret"] = self.id, self._text()
        elif method == BASIC:
            from binascii import b2a_base64
            from urllib.parse import quote_plus

            pair = f"{quote_plus(self.id)}:{quote_plus(self._text())}"  # each form-encoded: RFC 6749 section 2.3.1
            headers["authorization"] = "Basic " + b2a_base64(pair.encode(), newline=False).decode()
        else:
            headers["authorization"] = "Bearer " + self._text()
        return versions

    def recheck(self, seen: SecretVersions | None) -> bool:
        """Whether the secret has another value since `seen` was refused. It may block."""
        return self._secret is not None and self._secret.recheck(seen)

    def _text(self) -> str:
        text = self._secret.reveal()  # type: ignore[union-attr]  # these methods have one
        if not (text.isascii() and text.isprintable()) and self._method == "bearer":
            del text
            raise ConfigurationError("bearer: the token is visible ASCII")
        return text

    def _assertion(self, versions: SecretVersions | None, audience: str) -> str:
        key = self._key or self._read(versions)
        from ..tokens.issue import encoded

        now = int(self._clock())
        claims = {
            "iss": self.id, "sub": self.id, "aud": audience, "iat": now, "exp": now + LIFE,
            "jti": base64url.encode(self._random(16)).decode(),
        }  # fmt: skip
        header = {"alg": key.alg, "typ": "JWT", "kid": key.kid}
        data = base64url.encode(encoded(header)) + b"." + base64url.encode(encoded(claims))
        return (data + b"." + base64url.encode(key.sign(data))).decode()

    def _read(self, versions: SecretVersions | None) -> Key:
        made = self._made
        if made is None or made[0] is not versions:
            key = _key(lambda: versions.current)  # type: ignore[union-attr]  # without a key there is a secret
            if isinstance(key, str):
                raise ConfigurationError(f"key: {key}")
            made = self._made = (versions, key)  # type: ignore[assignment]
        return made[1]  # type: ignore[index]


def client_of(client_id: str | None, **settings: Any) -> tuple[str | None, Client | None]:
    """The client, or what is wrong with it. It raises nothing: its frame holds secrets."""
    try:
        return None, Client(client_id, **settings)
    except ConfigurationError as error:
        return str(error), None


def _taken(text: Any, key: Any) -> tuple[Secret | None, Key | None, str | None]:
    """The secret, the key, and what is wrong. It raises nothing: its frame holds them."""
    if isinstance(key, Secret):
        made = _key(lambda: key.versions().current) if key.is_fixed else None
        return key, None, made if isinstance(made, str) else None
    if isinstance(text, Secret):
        return text, None, None
    if key is not None:
        made = _key(lambda: key)
        return (None, None, made) if isinstance(made, str) else (None, made, None)
    if text is None:
        return None, None, None
    if is_blank(text) or not isinstance(text, str):
        return None, None, "it is empty, blank, or not text"
    return Secret.of(text), None, None


def _key(material: Callable[[], Any]) -> Key | str:
    """A key that signs, with a key pair, or what is wrong with the material. It raises nothing."""
    try:
        found = material()
        key = found if isinstance(found, Key) else Key(found)
    except ConfigurationError as error:
        return str(error)
    if key.algorithm.kty == "oct" or not key.can_sign:
        return "private_key_jwt wants a private key (PEM or JWK)"
    return key
