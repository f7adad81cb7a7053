"""`ClientCredentials`: a program that calls an API with tokens of its own (RFC 6749 section 4.4). It imports httpx."""

from __future__ import annotations

import os
import time

from ..errors import ConfigurationError
from ._grant import asked_for, endpoint_of, extra_fields
from ._token_auth import TokenAuth
from .dpop_key import DPoPKey
from .token_endpoint import GrantRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .discovery import Discovery
    from .provider import OIDCProvider
    from .token_endpoint import TokenResponse


class ClientCredentials(TokenAuth):
    """Sends a token with each request of a client: `httpx.Client(auth=ClientCredentials(provider, client_id, client_secret))`.

    `provider`, `client_id`, `client_secret`, `key`, `method`, `issuer`, `origins`, `timeout`: of `TokenEndpoint`. `audience`,
    `resource` (one or several), `scopes`: for which API and what the token is asked for, in the way of the server; `fields`:
    whatever else it wants in its form. `dpop`: a `DPoPKey`, or True for a new one: tokens are bound to it, each request proves
    it, and nonces of both servers are followed.

    One token serves all threads and tasks, is asked for once, and renewed `early` seconds before its end, in the background
    (`background=False`, and on AWS Lambda: by a caller). While the server is down it is used as long as it lives. A request
    that the API answers with 401 is sent once more with a new token, unless its token was less than 30 s old; 403 is an answer.

    `apis`: the origins that get the token; by default the first one that a request goes to, and no other. Never plain http, but
    to this machine. The body of a request is read into memory, to be sent again. Raises: `ConfigurationError`; at a request
    `Unavailable` where there is no token to be had, `ConfigurationError` where the server refuses to give one.
    """

    def __init__(
        self,
        provider: OIDCProvider | Discovery | str,
        client_id: str,
        client_secret: Any = None,
        *,
        key: Any = None,
        method: str | None = None,
        issuer: str | None = None,
        audience: str | None = None,
        resource: str | Iterable[str] | None = None,
        scopes: Iterable[str] = (),
        fields: dict[str, str] | None = None,
        dpop: DPoPKey | bool | None = None,
        apis: Iterable[str] | None = None,
        origins: Iterable[str] = (),
        early: float = 60,
        timeout: float = 5,
        background: bool | None = None,
        transport: Any = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        shown = client_secret is not None or key is not None
        proving = dpop_key(dpop, clock, random)
        made, wrong = endpoint_of(
            provider, client_id, client_secret, key=key, method=method, issuer=issuer, origins=origins, dpop=proving,
            timeout=timeout, transport=transport, clock=clock, random=random,
        )  # fmt: skip
        del client_secret, key  # what is raised below may be shown with its locals
        if made is None:
            raise ConfigurationError(f"ClientCredentials: {wrong}")
        if not shown:
            raise ConfigurationError("ClientCredentials: client_secret or key shows who asks")
        if dpop is not None and dpop is not False and proving is None:
            raise ConfigurationError("dpop is a DPoPKey, or True")
        self._endpoint = made
        self._form = asked_for(audience, resource, scopes) | extra_fields(fields)
        super().__init__(
            self._ask, str(made.issuer), wait=4 * timeout + 1, dpop=proving, apis=apis, early=early, background=background,
            clock=clock, monotonic=monotonic, random=random,
        )  # fmt: skip

    def _ask(self) -> TokenResponse:
        """A new token; it blocks."""
        error = ""
        try:
            return self._endpoint.post("client_credentials", **self._form)
        except GrantRefused as refused:
            error = refused.error
        raise ConfigurationError(f"ClientCredentials: the token endpoint of {self._endpoint.issuer} gives no token: {error}")

    def __repr__(self) -> str:
        return f"<ClientCredentials of {self._endpoint.client_id!r} at {self._endpoint.issuer!r}>"


def dpop_key(given: Any, clock: Callable[[], float], random: Callable[[int], bytes]) -> DPoPKey | None:
    """The key that is given, or a new one for True; None for what is neither."""
    return DPoPKey(clock=clock, random=random) if given is True else given if isinstance(given, DPoPKey) else None
