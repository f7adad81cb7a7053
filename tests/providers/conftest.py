"""The world on loopback, and a clock to move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from authkit.testing import Clock

from .balancer import Balancer, alb_of
from .world import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authkit_providers import AlbOidc


@pytest.fixture
def web() -> Iterator[World]:
    with world() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def balancer(web: World, clock: Clock) -> Balancer:
    return Balancer(web, clock)


@pytest.fixture
def alb(balancer: Balancer) -> AlbOidc:
    return alb_of(balancer)
