"""An issuer, a clock, and a provider that goes by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authkit.oidc import OIDCProvider
from authkit.testing import Clock

from .issuer import AUDIENCE, Issuer, issuer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def op(clock: Clock) -> Iterator[Issuer]:
    with issuer(clock=clock) as server:
        yield server


@pytest.fixture
def provider_of(clock: Clock) -> Callable[..., OIDCProvider]:
    """A provider of that issuer, which has time for it; both its clocks are the one that the test moves."""

    def made(op: Issuer, **settings: Any) -> OIDCProvider:
        return OIDCProvider(op.url, **{"audience": AUDIENCE, "clock": clock, "monotonic": clock, "timeout": 30, **settings})

    return made


@pytest.fixture
def provider(op: Issuer, provider_of: Callable[..., OIDCProvider]) -> OIDCProvider:
    return provider_of(op)
