"""`MutualTLS`: tokens that count only over a connection with the client's certificate (RFC 8705)."""

from __future__ import annotations

from .. import _verifiers
from ..decision import Principal
from ..errors import ConfigurationError, InvalidToken
from ._bound import check_binding, is_bound, shown_by
from .client_certificate import ClientCertificate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..http import Request


class MutualTLS:
    """A verifier for `require_auth` that takes tokens of `verifier` bound to a certificate (`cnf` with `x5t#S256`) as well.

    `certificate`: a `ClientCertificate`, or a function of the request that gives PEM, DER or None. A bound token without its
    own certificate is refused. `required=True`: so is one that is not bound. A token that is bound to a DPoP key as well goes
    through `DPoP(MutualTLS(...), ...)`. Raises: `ConfigurationError`.
    """

    in_place = False  # it needs the request

    def __init__(
        self,
        verifier: Any,
        *,
        certificate: ClientCertificate | Callable[[Request], str | bytes | None],
        required: bool = False,
    ) -> None:
        if isinstance(verifier, type) or not hasattr(verifier, "verify"):
            raise ConfigurationError("MutualTLS takes a verifier: MutualTLS(provider, certificate=...)")
        if not isinstance(required, bool):
            raise ConfigurationError("MutualTLS: required is True or False")
        self._verifier = verifier
        self._asked = _verifiers.asked_bound(verifier)
        self._certificate = certificate if isinstance(certificate, ClientCertificate) else ClientCertificate(certificate)
        self.required = required
        self.issuer: str | None = getattr(verifier, "issuer", None)
        self.issuers = _verifiers.issuers_of(verifier)
        self.provider_name: str | None = getattr(verifier, "provider_name", None)

    async def warm(self) -> None:
        warm = getattr(self._verifier, "warm", None)
        if warm is not None:
            await warm()

    async def judging(self, request: Request, token: str) -> Principal:
        """Who a bearer token in `request` is for. Raises: `InvalidToken`; `Unavailable` as the verifier does."""
        principal = await self.verifying_bound(token)
        if not is_bound(principal):
            return principal
        check_binding(principal, await self.proves(request))
        return shown_by(principal, "mtls")

    async def verifying_bound(self, token: str) -> Principal:
        """The verifier's own word, for who checks the proofs: `proves` is one of them."""
        principal = await self._asked(token)
        cnf = principal.claims.get("cnf")
        if self.required and not (isinstance(cnf, dict) and "x5t#S256" in cnf):
            raise InvalidToken("token_unbound")
        return principal

    async def proves(self, request: Request) -> dict[str, str]:
        """The member of `cnf` that the client's certificate answers, if it has shown one."""
        found = await self._certificate.thumbprint(request)
        return {} if found is None else {"x5t#S256": found}

    async def verifying(self, token: str) -> Principal:
        """A token by itself, of which no certificate is known: good only if it is not bound, and need not be."""
        principal = await self.verifying_bound(token)
        if is_bound(principal):
            raise InvalidToken("token_bound")
        return principal

    def verify(self, token: str) -> Principal:
        """`verifying`, for who has nothing but the token."""
        from .._run import run

        return run(self.verifying(token))

    async def averify(self, token: str) -> Principal:
        """`verify` on an event loop, which it does not block."""
        from .._run import arun

        return await arun(self.verifying(token))

    def __repr__(self) -> str:
        return f"<MutualTLS of {self._verifier!r}>"
