"""AVL-06: a process that refreshes and revokes is killed at any moment, and that loses nothing and allows nothing twice."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from authkit.stores import SqliteStore, Store
from authkit.tokens import Tokens
from tests.stores.sqlite_parts import in_child, is_whole

from .craft import AUDIENCE, ISSUER, SECRET
from .worlds import refused, verdict

if TYPE_CHECKING:
    import random
    from pathlib import Path


def kept_in(store: Store) -> Tokens:
    return Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, store=store, refresh_overlap=60)


class TestKilled:
    def rounds(self, file: Path, rounds: int, rng: random.Random) -> tuple[int, int]:
        revoked: list[tuple[str, str]] = []
        in_flight = 0
        for _ in range(rounds):
            store = SqliteStore(file, timeout=30)
            first = kept_in(store).issue_pair("alice").refresh_token
            store.close()
            told = self.killed(file, first, rng)
            store = SqliteStore(file, timeout=30)
            tokens = kept_in(store)
            used, last = first, ""  # the token whose exchange may have been under way; what was got for the one before
            mine = []
            for line in told:
                act, *texts = line.split()
                if act == "asks":
                    used, last = texts[0], ""
                    in_flight += line is told[-1]
                elif act == "got":
                    last = texts[0]
                elif act == "revoked":
                    mine.append((texts[0], texts[1]))
            for access, refresh in mine:
                assert verdict(tokens, access) == "token_revoked"
                assert refused(tokens, refresh) == "refresh_unknown"
            following = tokens.refresh(used)  # it was not used, or gives the same once more: nothing is lost
            assert last in ("", following.refresh_token)
            assert verdict(tokens, following.access_token) == "alice"
            final = tokens.refresh(following.refresh_token)
            assert refused(tokens, used) == "refresh_reused"  # it is used up now, and never counts again
            assert refused(tokens, final.refresh_token) == "refresh_unknown"
            revoked += mine
            store.close()
        tokens = kept_in(SqliteStore(file, timeout=30))
        assert all(verdict(tokens, access) == "token_revoked" for access, _ in revoked)
        assert is_whole(file)
        return len(revoked), in_flight

    def killed(self, file: Path, first: str, rng: random.Random) -> list[str]:
        """What a process said, each line whole, before it was killed."""
        read, write = os.pipe()

        def work() -> int:
            tokens = kept_in(SqliteStore(file, timeout=30))
            token = first
            for n in range(100_000):
                os.write(write, f"asks {token}\n".encode())
                token = tokens.refresh(token).refresh_token
                os.write(write, f"got {token}\n".encode())
                other = tokens.issue_pair("bob")
                tokens.revoke(other.access_token if n % 2 else other.refresh_token)
                os.write(write, f"revoked {other.access_token} {other.refresh_token}\n".encode())
            return 0

        child = in_child(work)
        os.close(write)
        told = bytearray(os.read(read, 4))  # it is at it
        assert told
        time.sleep(rng.random() * 0.1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while data := os.read(read, 65_536):
            told += data
        os.close(read)
        return told.decode().split("\n")[:-1]

    def test_no_acknowledged_revocation_is_lost_and_no_token_counts_twice(self, tmp_path: Path, rng: random.Random) -> None:
        assert self.rounds(tmp_path / "tokens.db", 10, rng)[0] > 0

    @pytest.mark.soak
    def test_a_thousand_kills_lose_nothing_and_allow_nothing_twice(self, tmp_path: Path, rng: random.Random) -> None:
        revoked, in_flight = self.rounds(tmp_path / "tokens.db", 1000, rng)
        assert revoked > 400
        assert in_flight > 50
