"""One endpoint, several schemes, while a sender moves from one to the next: what a delivery carries says which one judges."""

from __future__ import annotations

from .._guard import Guard
from ..errors import ConfigurationError
from ..secrets.versions import Masked
from ..webhooks.builtin import resolved
from ..webhooks.keys import Sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..decision import Decision
    from ..http import Headers, Request, Response
    from ..webhooks import Scheme


class VerifyOneOf(Guard):
    """Made by `verify_webhook` of several schemes: the first one whose signature was sent judges, and no other after it.

    A delivery that carries the better signature, and a wrong one, is refused, whatever else it carries.
    """

    name = "verify_webhook"
    needs_body = True
    loads_body = True
    fills = ("webhook",)

    def __init__(self, guards: tuple[tuple[tuple[str, ...], Guard], ...]) -> None:
        self._guards = guards
        self.body_limit = max(guard.body_limit for _, guard in guards)
        hooks = [guard.after for _, guard in guards if guard.after is not None]
        if hooks:
            self.needs_handler = True

            def answered(request: Request, response: Response | None) -> None:
                for hook in hooks:
                    hook(request, response)

            self.after = answered

    async def warm(self) -> None:
        for _, guard in self._guards:
            await guard.warm()

    async def check(self, request: Request) -> Decision:
        return await self._judge(request.headers).check(request)

    def _judge(self, headers: Headers) -> Guard:
        for names, guard in self._guards:
            if any(headers.get_all(name) for name in names):
                return guard
        return self._guards[-1][1]  # it says that there is no signature


class Each(Masked):
    """The secrets of several schemes, out of sight: one for all of them, or one for each by its scheme's name."""

    __slots__ = ("names", "_found")

    def __init__(self, secret: Any) -> None:
        self.names = tuple(secret) if isinstance(secret, dict) else None
        found = secret if isinstance(secret, dict) else {None: secret}
        self._found = {name: Sealed(one) for name, one in found.items()}

    def of(self, name: str) -> Sealed:
        return self._found[name if self.names is not None else None]


def one_of(
    given: tuple[str | Scheme, ...],
    secrets: Each,
    options: dict[str, Any],
    make: Callable[..., Guard],
) -> VerifyOneOf:
    """The guard of several schemes, the one to prefer first. `make` makes that of one.

    Raises: `ConfigurationError` where a header does not tell which of them a delivery is signed by.
    """
    schemes = [resolved(scheme) for scheme in given]
    names = [scheme.name for scheme in schemes]
    if len(schemes) < 2 or len(set(names)) != len(names):
        raise ConfigurationError("verify_webhook: several schemes are two or more, each once")
    if secrets.names is not None and set(secrets.names) != set(names):
        raise ConfigurationError(f"verify_webhook: secret has one for each of {', '.join(names)}, and for nothing else")
    unknown = set(options) - {name for scheme in schemes for name in scheme.options}
    if unknown:
        raise ConfigurationError(f"verify_webhook: none of {', '.join(names)} has an option {min(unknown)}")
    if sum(scheme.handshake is not None for scheme in schemes) > 0:
        raise ConfigurationError("verify_webhook: of several schemes none has a handshake: give each an endpoint of its own")
    seen: set[str] = set()
    guards = []
    for scheme in schemes:
        places = (*(row[0] for row in scheme.rows), *scheme.also_places)
        headers = tuple(place.name for place in places)
        if any(place.kind != "header" for place in places) or seen & set(headers):
            raise ConfigurationError(
                f"verify_webhook: webhook scheme {scheme.name} has no header of its own, which alone tells that it is the one"
            )
        seen |= set(headers)
        own = {name: value for name, value in options.items() if name in scheme.options}
        guards.append((headers, make(scheme, secret=secrets.of(scheme.name), **own)))
    return VerifyOneOf(tuple(guards))
