"""The world on loopback, and a clock to move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from authkit.testing import Clock

from .world import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def web() -> Iterator[World]:
    with world() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()
