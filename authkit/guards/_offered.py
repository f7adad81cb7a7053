"""What a refusal offers where authenticators have schemes of their own, DPoP say: beside Bearer, or instead of it."""

from __future__ import annotations

from .. import _verifiers
from ..decision import Challenge, Deny
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..http import Request, Response

# A bearer token where nobody takes one: refused as any bad one; but in `any_of`, another guard may.
NOT_READ = Deny(401, "invalid_token", reason="bearer_not_taken", challenge=Challenge(error="invalid_token"), no_credential=True)


def with_beside(verifiers: tuple[Any, ...]) -> tuple[Any, ...]:
    """These, and after each authenticator whoever judges the bearer tokens that are sent instead of its credential.

    Raises: `ConfigurationError` for two that read one scheme of `Authorization`, and for a verifier whose bearer tokens one of
    the others says that nobody takes (`alone`).
    """
    given = [one for one in verifiers if not isinstance(one, type)]
    schemes = [getattr(one, "scheme", None) for one in given if hasattr(one, "authenticate")]
    for scheme in schemes:
        if scheme is not None and schemes.count(scheme) > 1:
            raise ConfigurationError(f"require_auth: two read the scheme {scheme}; put the verifiers of both into one")
    for refused in [other for one in given for other in getattr(one, "alone", ())]:
        if any(_speaks_for(one, refused) for one in given):
            raise ConfigurationError("require_auth: a verifier takes bearer tokens where required=True says that nobody does")
    found: list[Any] = []
    for verifier in verifiers:
        beside = () if isinstance(verifier, type) else getattr(verifier, "beside", ())
        found += [one for one in (verifier, *beside) if not any(one is other for other in found)]
    return tuple(found)


def _speaks_for(verifier: Any, other: Any) -> bool:
    """Whether `verifier` judges bearer tokens of the same issuer as `other`."""
    if hasattr(verifier, "authenticate"):
        return False
    return verifier is other or not _verifiers.issuers_of(verifier).isdisjoint(_verifiers.issuers_of(other))


def challenges_of(authenticators: Iterable[Any]) -> tuple[Challenge, ...]:
    return tuple(challenge for one in authenticators for challenge in getattr(one, "challenges", ()))


def hook_of(authenticators: Iterable[Any]) -> Callable[[Request, Response | None], None] | None:
    """The response hooks (`after`) of those that have one, as one."""
    hooks = [one.after for one in authenticators if callable(getattr(one, "after", None))]
    if len(hooks) < 2:
        return hooks[0] if hooks else None

    def run_hooks(request: Request, response: Response | None) -> None:
        for hook in hooks:
            hook(request, response)

    return run_hooks


def offering(deny: Deny, offered: tuple[Challenge, ...], bearer: bool) -> Deny:
    """The refusal with these challenges too; `bearer`: and with those that it has, which speak of Bearer."""
    return _with(deny, (*(deny.challenge if bearer else ()), *offered)) if offered else deny


def in_scheme(deny: Deny, scheme: str) -> Deny:
    """The refusal of who came in another scheme than Bearer: its challenges speak of that (RFC 9449 section 7.1)."""
    return _with(deny, tuple(_in(challenge, scheme) for challenge in deny.challenge))


def _in(challenge: Challenge | str, scheme: str) -> Challenge | str:
    if not isinstance(challenge, Challenge) or challenge.scheme != "Bearer":
        return challenge
    return Challenge(scheme, **dict(challenge.parameters))


def _with(deny: Deny, challenges: tuple[Challenge | str, ...]) -> Deny:
    return Deny(
        deny.status,
        deny.code,
        reason=deny.reason,
        challenge=challenges,
        headers=deny.headers,
        no_credential=deny.no_credential,
        respond=deny.respond,
    )
