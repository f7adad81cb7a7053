"""`WebhookSender`: a sender of webhooks as its scheme declares it, with keys of its own, and what its receiver is told."""

from __future__ import annotations

import base64
import json
import os
import time

from ..webhooks import Verifier, schemes, signed
from ._handshakes import answer, question

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..http import Response
    from ..webhooks import Scheme, SignedDelivery

URL = "https://api.example.com/hooks/1?a=1"
# where the keys of senders are that are fetched, for senders that do not exist
CERTIFICATES = {
    "aws-sns": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
    "aws-sns-v1": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
    "paypal": "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-test",
    "paypal-sandbox": "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-test",
}


class WebhookSender:
    """A sender of one scheme, for tests: `sender.deliver(body)` is what it sends, `sender.verifier()` who receives it.

    `secret`: what it signs with; by default one is made, of the kind that the scheme wants. `known`: what the receiver is given
    as its secret: the same, or the public key; None where keys are fetched, with `fetch` then. `options`: what else a
    `Verifier` of the scheme is told; made up where nothing is given.
    """

    def __init__(
        self, scheme: str | Scheme, secret: str | None = None, *, clock: Callable[[], float] = time.time, **options: Any
    ) -> None:
        self.scheme = schemes()[scheme] if isinstance(scheme, str) else scheme
        self.clock = clock
        self.options: dict[str, Any] = {**dict.fromkeys(self.scheme.options, "test-1"), **options}
        self.fetch: Callable[[str], Any] | None = None
        if secret is None:
            self.secret, self.known = self._made()
        else:
            self.secret = self.known = secret

    def deliver(
        self,
        body: bytes | None = None,
        *,
        timestamp: float | None = None,
        id: str | None = None,
        url: str = URL,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> SignedDelivery:
        """A delivery with `body` (default: one that the scheme can sign), now unless `timestamp` says otherwise."""
        named = {name: CERTIFICATES[self.scheme.name] for name in self.scheme.key_from if ":" not in name}
        return signed(
            self.scheme,
            self.secret,
            self.body() if body is None else body,
            timestamp=self.clock() if timestamp is None else timestamp,
            id=id,
            url=url,
            method=method,
            headers={**self._listed(), **named, **(headers or {})},
            **self.options,
        )

    def ask(self, value: str = "challenge-1", *, verify_token: str | None = None, url: str = URL) -> SignedDelivery:
        """What it asks at registration, or now and then: its handshake. `value`: what is to be answered or, where the sender
        tells its secret so, that. `verify_token`: what both have agreed on. Raises: `ValueError` if the scheme has none."""
        return question(self, value, verify_token, url)

    def expects(self, value: str = "challenge-1") -> Response | None:
        """What it wants its endpoint to answer to `ask(value)`; None where that is the application's to say."""
        return answer(self, value)

    def verifier(self, **changes: Any) -> Verifier:
        """A `Verifier` that was told what the receiver of this sender is told."""
        told = {"clock": self.clock, **({"fetch": self.fetch} if self.fetch is not None else {}), **self.options, **changes}
        return Verifier(self.scheme, self.known, **told)

    def body(self) -> bytes:
        """A body with what the scheme signs in it."""
        whole: dict[str, Any] = {"id": "evt_1", "type": "test"}
        fields = [field for field in self.scheme.fields if not field.endswith("?")]
        names = [field.partition(":")[2] for field in fields if field.startswith("body:")]
        for listed in (field.partition(":")[2] for field in fields if field.startswith("lines:")):
            names += [name for name in listed.split(",") if not name.endswith("?")]
        if "params" in fields or any(
            one.partition(":")[0] == "form" for one in (*self.scheme.signature, *self.scheme.idempotency)
        ):
            return b"sale_id=sale-1&name=A+B&name=%C3%A9"
        for name in names:
            _put(whole, name.split("."), "Notification" if name == "Type" else "sample")
        for option, path in ((value[1:-1], place.name) for place, value in self.scheme.expected if place.kind == "body"):
            if option in self.options:
                _put(whole, path.split("."), self.options[option])
        if self.scheme.key_from and self.scheme.key_from[0].startswith("body:"):
            whole[self.scheme.key_from[0].partition(":")[2]] = CERTIFICATES[self.scheme.name]
        for signed_member in self.scheme.timestamp[:1] if self.scheme.timed else ():
            whole.pop(signed_member.partition(":")[2], None)  # it is written when the delivery is
        if self.scheme.each:
            whole = {self.scheme.each: [whole]}
        return json.dumps(whole).encode()

    def _listed(self) -> dict[str, str]:
        """The list of signed headers, for a scheme that has one."""
        for field in self.scheme.fields:
            if field.startswith("signed_headers:"):
                name = field.partition(":")[2]
                return {name: ",".join(one.lower() for one in (name, *self.scheme.timestamp))}
        return {}

    def _made(self) -> tuple[str, str | None]:
        scheme = self.scheme
        if scheme.algorithm in ("ed25519", "ecdsa", "rsa") or scheme.asymmetric:
            return self._made_pair()
        raw = os.urandom(24)
        prefix = scheme.key_prefix if isinstance(scheme.key_prefix, str) else scheme.key_prefix[0]
        shown = {"base64": base64.b64encode(raw).decode(), "hex": raw.hex(), "text": f"user:{raw.hex()}"}[scheme.key]
        return prefix + shown, prefix + shown

    def _made_pair(self) -> tuple[str, str | None]:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

        private: Any
        if self.scheme.algorithm == "ed25519":
            private = ed25519.Ed25519PrivateKey.generate()
        elif self.scheme.algorithm == "ecdsa" or "ES256" in self.scheme.jws:
            private = ec.generate_private_key(ec.SECP256R1())
        else:
            private = rsa.generate_private_key(65537, 2048)
        public = private.public_key()
        pem, spki = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        secret = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
        if self.scheme.keyless:
            self.fetch = self._fetched(secret, public.public_bytes(pem, spki))
            return secret, None
        if self.scheme.key == "hex":
            return secret, public.public_bytes_raw().hex()
        if self.scheme.key == "base64":
            return secret, f"{self.scheme.key_prefix[0]}{base64.b64encode(public.public_bytes_raw()).decode()}"
        if self.scheme.key == "der":
            return secret, base64.b64encode(public.public_bytes(serialization.Encoding.DER, spki)).decode()
        return secret, public.public_bytes(pem, spki).decode()

    def _fetched(self, secret: str, public: bytes) -> Callable[[str], Any]:
        if not self.scheme.algorithm.startswith("jws"):
            return lambda name: public
        from ..tokens import Key

        jwk = Key(secret).public_jwk()
        return lambda name: jwk if jwk is not None and name == jwk["kid"] else None


def _put(whole: dict[str, Any], path: list[str], value: str) -> None:
    at = whole
    for step in path[:-1]:
        at = at.setdefault(step, {})
    at[path[-1]] = value
