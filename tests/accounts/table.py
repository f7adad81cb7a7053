"""Tables of users in which something happens at the wrong moment."""

from __future__ import annotations

import threading

from authkit.accounts import MemoryUsers


class Hooked(MemoryUsers):
    """A table in which something else happens just before an update."""

    before = None

    def update(self, old, new):
        hook, self.before = self.before, None
        if hook is not None:
            hook(self, self.find(old.username))
        return super().update(old, new)


class Slow(MemoryUsers):
    """A table whose update waits until it is told to go on."""

    in_place = False

    def __init__(self):
        super().__init__()
        self.began, self.go_on = threading.Event(), threading.Event()

    def update(self, old, new):
        self.began.set()
        assert self.go_on.wait(10)
        return super().update(old, new)
