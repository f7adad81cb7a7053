"""`require_auth(..., resource=metadata)`: refusals that say where the metadata of the protected resource are (RFC 9728)."""

from __future__ import annotations

from ..decision import Challenge, Deny
from ..errors import ConfigurationError
from .bearer import RequireAuth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from ..decision import Decision, Principal
    from ..http import Request

    class Described(Protocol):
        """A protected resource with metadata: `authkit.oidc.ProtectedResource`."""

        metadata_url: str
        initial_scopes: tuple[str, ...]


_FOR_TOKENS = ("bearer", "dpop")  # the schemes of those who read the metadata: they get a token and send it in one of these
_ASKS_FOR_TOKEN = (None, "invalid_token")  # the `error` of a refusal after which a client asks for a token anew


class RequireAuthOfResource(RequireAuth):
    """`RequireAuth`, whose every 401 names the metadata; so does a 403 of a scope that a guard further in misses."""

    def __init__(self, verifiers: tuple[Any, ...], *, resource: Described, **settings: Any) -> None:
        if not isinstance(getattr(resource, "metadata_url", None), str) or isinstance(resource, type):
            raise ConfigurationError("require_auth: resource is an authkit.oidc.ProtectedResource")
        self._resource = resource
        super().__init__(verifiers, **settings)

    def _recalled(self, request: Request) -> Principal | None:
        if request.state is not None:
            request.state.resource = self._resource
        return super()._recalled(request)

    async def check(self, request: Request) -> Decision:
        if request.state is not None:
            request.state.resource = self._resource
        decision = await super().check(request)
        return told(decision, self._resource) if isinstance(decision, Deny) else decision


def told(deny: Deny, resource: Described) -> Deny:
    """The refusal, whose challenges name the metadata if it is a 401, or a 403 for want of a scope (RFC 9728 section 5.1)."""
    if deny.status != 401 and not (deny.status == 403 and deny.code == "insufficient_scope"):
        return deny
    challenges = [_told(challenge, deny.status, resource) for challenge in deny.challenge]
    if not any(isinstance(challenge, Challenge) and challenge.scheme.lower() in _FOR_TOKENS for challenge in challenges):
        challenges.append(_told(Challenge(), deny.status, resource))  # it was another credential that failed
    return Deny(
        deny.status,
        deny.code,
        reason=deny.reason,
        challenge=challenges,
        headers=deny.headers,
        no_credential=deny.no_credential,
        respond=deny.respond,
    )


def _told(challenge: Challenge | str, status: int, resource: Described) -> Challenge | str:
    if not isinstance(challenge, Challenge) or challenge.scheme.lower() not in _FOR_TOKENS:
        return challenge
    parameters = dict(challenge.parameters)
    if status == 401 and resource.initial_scopes and parameters.get("error") in _ASKS_FOR_TOKEN:
        parameters.setdefault("scope", " ".join(resource.initial_scopes))
    parameters.setdefault("resource_metadata", resource.metadata_url)
    return Challenge(challenge.scheme, **parameters)
