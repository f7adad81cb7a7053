"""What a refusal offers where authenticators have schemes of their own, DPoP say: beside Bearer, or instead of it."""

from __future__ import annotations

from ..decision import Challenge, Deny

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def with_beside(verifiers: Iterable[Any]) -> tuple[Any, ...]:
    """These, and after each authenticator whoever judges the bearer tokens that are sent instead of its credential."""
    found: list[Any] = []
    for verifier in verifiers:
        beside = () if isinstance(verifier, type) else getattr(verifier, "beside", ())
        found += [one for one in (verifier, *beside) if not any(one is other for other in found)]
    return tuple(found)


def challenges_of(authenticators: Iterable[Any]) -> tuple[Challenge, ...]:
    return tuple(challenge for one in authenticators for challenge in getattr(one, "challenges", ()))


def offering(deny: Deny, offered: tuple[Challenge, ...], bearer: bool) -> Deny:
    """The refusal with these challenges too; `bearer`: and with those that it has, which speak of Bearer."""
    if not offered:
        return deny
    return Deny(
        deny.status,
        deny.code,
        reason=deny.reason,
        challenge=(*(deny.challenge if bearer else ()), *offered),
        headers=deny.headers,
        no_credential=deny.no_credential,
    )
