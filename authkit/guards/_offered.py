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
