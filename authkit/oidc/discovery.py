"""`Discovery`: what an issuer says of itself (OpenID Connect Discovery 1.0, RFC 8414), and where its keys are."""

from __future__ import annotations

import time

from .._fetch import Unfetched, checked_url, fetch
from ..errors import ConfigurationError
from ..secrets.slot import elapsed
from ..tokens.strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..secrets.slot import Moment

MAX_BYTES = 1_048_576
WELL_KNOWN = "/.well-known/"
REDIRECTS = 2  # to the same origin
KEPT = 86_400.0  # seconds; it is also dropped when the keys are not where it says
JSON = {"accept": "application/json"}


class Discovery:
    """The metadata of `issuer`, fetched from `url`, by default where section 4.1 of the specification says.

    What says another issuer than exactly this one, in so many characters, is not its metadata. Nothing in it may lead from
    https to http.
    """

    def __init__(
        self,
        issuer: str,
        url: str | None = None,
        *,
        timeout: float = 5.0,
        transport: Any = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if url is None:
            checked_url("issuer", issuer)
            if "?" in issuer:
                raise ConfigurationError("issuer is an https URL without a query")
            if WELL_KNOWN in issuer:
                raise ConfigurationError("issuer is what its tokens have in iss, not the address of its metadata")
        self.issuer = issuer
        # "any terminating / MUST be removed before appending": section 4.1.
        self.url = checked_url("discovery", url or f"{issuer.removesuffix('/')}{WELL_KNOWN}openid-configuration")
        self._timeout = timeout
        self._transport = transport
        self._clock = clock
        self._monotonic = monotonic
        self._known: tuple[Mapping[str, Any], Moment] | None = None

    def metadata(self) -> Mapping[str, Any]:
        """All that it says, fetched if need be, which blocks. Raises: `Unfetched`."""
        known, now = self._known, (self._clock(), self._monotonic())
        if known is not None and elapsed(known[1], now) < KEPT:
            return known[0]
        found = self._fetched()
        self._known = (found, now)
        return found

    def at_hand(self) -> Mapping[str, Any] | None:
        """What it said, if that was fetched and still counts. No I/O."""
        known = self._known
        return known[0] if known is not None and elapsed(known[1], (self._clock(), self._monotonic())) < KEPT else None

    def jwks_uri(self) -> str:
        """Where its keys are; it blocks as `metadata` does. Raises: `Unfetched`."""
        return self.endpoint("jwks_uri")

    def endpoint(self, name: str) -> str:
        """The URL of that name. Raises: `Unfetched` if there is none, or one that may not be asked."""
        found = self.metadata().get(name)
        try:
            url = checked_url(name, found)
        except ConfigurationError:
            url = ""
        if not url or (self.url.lower().startswith("https:") and not url.lower().startswith("https:")):
            self.forget()
            raise Unfetched(f"its metadata has no {name} that may be asked")
        return url

    def forget(self) -> None:
        """Have it fetched again at the next use: what it said does not hold."""
        self._known = None

    def _fetched(self) -> Mapping[str, Any]:
        answer = fetch(
            self.url, max_bytes=MAX_BYTES, seconds=self._timeout, headers=JSON, redirects=REDIRECTS, transport=self._transport
        )
        if answer.status != 200:
            raise Unfetched(f"its metadata: it answered {answer.status}")
        try:
            found = parse_object(answer.content)
        except ValueError:
            raise Unfetched("its metadata is not JSON with one reading") from None
        if found.get("issuer") != self.issuer:  # section 4.3: "MUST be identical"
            raise Unfetched("its metadata is of another issuer")
        return found

    def __repr__(self) -> str:
        return f"<Discovery of {self.issuer!r}>"
