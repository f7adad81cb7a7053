"""A refresh token that is spent, where what came for it could not be kept at once: nobody is logged out for that."""

from __future__ import annotations

import pytest

from authkit.errors import Unavailable
from authkit.stores import MemoryStore
from tests.oidc.login_parts import Browser, Clock, login_at


class Down(MemoryStore):
    """A store that takes nothing new while it is `down`."""

    down = False

    def swap(self, *args, **settings):
        if self.down:
            raise Unavailable("down")
        return super().swap(*args, **settings)


@pytest.mark.parametrize("stored", [False, True], ids=["sealed", "stored"])
def test_tokens_that_came_while_the_keys_could_not_be_had_are_judged_when_they_can(stored):
    clock = Clock()
    with login_at(clock) as op:
        browser = Browser(op.login(refresh=True, **({"store": MemoryStore(clock=clock)} if stored else {})))
        browser.log_in(op)
        op.rotate("two")
        op.fault("/jwks", status=500)
        clock.pass_(290)
        assert (browser.whoami(), op.refreshed) == ("alice", 1)
        op.mend()
        clock.pass_(70)
        assert (browser.whoami(), op.refreshed) == ("alice", 1)  # nothing is asked for twice
        clock.pass_(300 - 70)
        assert (browser.whoami(), op.refreshed) == ("alice", 2)  # and its life is counted from when it came


def test_tokens_that_came_while_the_store_was_down_are_kept_when_it_is_back():
    clock, store = Clock(), Down()
    with login_at(clock) as op:
        browser = Browser(op.login(refresh=True, store=store))
        browser.log_in(op)

        def lost(token):
            store.down = True
            return token

        op.id_token = lost
        clock.pass_(290)
        assert (browser.whoami(), op.refreshed) == (503, 1)
        store.down, op.id_token = False, lambda token: token
        clock.pass_(11)
        assert (browser.whoami(), op.refreshed) == ("alice", 1)
        clock.pass_(290)
        assert (browser.whoami(), op.refreshed) == ("alice", 2)


def test_tokens_that_came_and_are_of_somebody_else_are_not_tried_again():
    clock = Clock()
    with login_at(clock) as op:
        login = op.login(refresh=True)
        browser = Browser(login)
        browser.log_in(op)
        op.subject = "mallory"
        op.rotate("two")
        op.fault("/jwks", status=500)
        clock.pass_(290)
        assert browser.whoami() == "alice"
        op.mend()
        clock.pass_(70)
        assert browser.whoami() == 303
        assert op.refreshed == 1
