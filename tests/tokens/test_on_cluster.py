"""Sessions on a Redis cluster, whose parts may be lost by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from authkit.stores import RedisStore
from authkit.tokens import Tokens
from tests.servers.redis import RedisServer, redis_cluster

from .craft import AUDIENCE, ISSUER, SECRET
from .worlds import refused, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[RedisServer]]:
    with redis_cluster() as made:
        yield made


@pytest.fixture
def tokens(nodes: list[RedisServer]) -> Iterator[Tokens]:
    for node in nodes[:3]:
        node.say("FLUSHALL")
    store = RedisStore(f"redis+cluster://127.0.0.1:{nodes[0].port}", timeout=5)
    yield Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, store=store)
    store.close()


def test_what_is_issued_on_any_part_is_good_refreshed_and_revoked(tokens: Tokens) -> None:
    for n in range(40):
        pair, text = tokens.issue_pair(f"user{n}"), tokens.issue(f"user{n}")
        assert verdict(tokens, pair.access_token) == verdict(tokens, text) == f"user{n}"
        pair = tokens.refresh(pair.refresh_token)
        assert verdict(tokens, pair.access_token) == f"user{n}"
        if n % 2:
            tokens.revoke(pair.refresh_token)
            tokens.revoke(text)
        else:
            tokens.revoke_subject(f"user{n}")
        assert verdict(tokens, pair.access_token) == verdict(tokens, text) == "token_revoked"
        assert refused(tokens, pair.refresh_token) in ("refresh_unknown", "token_revoked")


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_part_that_is_lost_revives_nothing(tokens: Tokens, nodes: list[RedisServer], lost: int) -> None:
    """AVL-03: what was revoked stays so, whichever part knew of it."""
    revoked = []
    for n in range(40):
        pair, text = tokens.issue_pair(f"user{n}"), tokens.issue(f"user{n}")
        if n % 2:
            tokens.revoke(pair.refresh_token)
            tokens.revoke(text)
        else:
            tokens.revoke_subject(f"user{n}")
        revoked.append((pair, text))
    nodes[lost].say("FLUSHALL")
    tokens = Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, store=tokens.store)
    for pair, text in revoked:
        assert verdict(tokens, text) in ("token_revoked", "store_reset")
        assert verdict(tokens, pair.access_token) in ("token_revoked", "store_reset")
        assert refused(tokens, pair.refresh_token) in ("refresh_unknown", "token_revoked", "store_reset")
    for n in range(20):
        assert verdict(tokens, tokens.issue_pair(f"user{n}").access_token) == f"user{n}"
