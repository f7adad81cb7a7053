"""The worlds of the token tests: each kind of store, with its server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.dynamo import dynalite, has_node
from tests.servers.redis import redis_server

from .worlds import DynamoWorld, RedisWorld, SqliteWorld, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.redis import RedisServer


@pytest.fixture(scope="session")
def token_redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def token_dynamo() -> Iterator[str]:
    with dynalite() as endpoint:
        yield endpoint


@pytest.fixture(params=["memory", "sqlite", "redis", "dynamo"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Every kind of store in turn."""
    yield from _made(request, request.param)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def quick_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Those that many rounds can be played on."""
    yield from _made(request, request.param)


@pytest.fixture
def memory() -> World:
    return World()


def _made(request: pytest.FixtureRequest, kind: str) -> Iterator[World]:
    made: World
    if kind == "sqlite":
        made = SqliteWorld(request.getfixturevalue("tmp_path"))
    elif kind == "redis":
        made = RedisWorld(request.getfixturevalue("token_redis"))
    elif kind == "dynamo":
        request.getfixturevalue("aws_env")
        made = DynamoWorld(request.getfixturevalue("token_dynamo" if has_node() else "moto"))
    else:
        made = World()
    yield made
    made.close()
