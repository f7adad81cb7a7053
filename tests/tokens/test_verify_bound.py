"""A token of ours that is bound to a key is no bearer token, and is for who sees to its proof."""

from __future__ import annotations

import pytest

from authkit import InvalidToken
from authkit._run import run
from authkit.secrets import Secret
from authkit.stores import MemoryStore
from authkit.tokens import Tokens

KEY = "k" * 16 + "0123456789abcdef"
BOUND = {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}


def tokens_of(kind: str) -> Tokens:
    key = Secret.of(KEY) if kind == "secret" else KEY
    return Tokens(key, issuer="us", audience="api", store=MemoryStore() if kind == "store" else None)


@pytest.mark.parametrize("kind", ["plain", "secret", "store"])
def test_a_bound_token_is_refused_as_a_bearer_token_before_and_after_its_proof_was_seen_to(kind: str) -> None:
    tokens = tokens_of(kind)
    token = tokens.issue("alice", claims=BOUND)
    for _ in range(2):
        with pytest.raises(InvalidToken) as caught:
            tokens.verify(token)
        assert caught.value.reason == "token_bound"
        assert tokens.recall(token) is None
        assert run(tokens.verifying_bound(token)).subject == "alice"
    with pytest.raises(InvalidToken):
        run(tokens.verifying(token))


def test_a_bound_token_can_be_revoked() -> None:
    tokens = tokens_of("store")
    token = tokens.issue("alice", claims=BOUND)
    run(tokens.verifying_bound(token))
    tokens.revoke(token)
    with pytest.raises(InvalidToken) as caught:
        run(tokens.verifying_bound(token))
    assert caught.value.reason == "token_revoked"


def test_a_token_that_is_not_bound_stays_a_bearer_token() -> None:
    tokens = tokens_of("plain")
    token = tokens.issue("alice")
    assert run(tokens.verifying_bound(token)).subject == "alice"
    assert tokens.verify(token).subject == "alice"
