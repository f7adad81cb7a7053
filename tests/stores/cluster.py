"""Nodes that lease from one store."""

from __future__ import annotations

from authkit.stores import MemoryStore
from authkit.stores._lease import LeasedLimiter
from authkit.stores._refused import RefusalMemo

from .parts import Counted, rates


class Cluster:
    """Nodes that lease from one store, and a log of what they admitted."""

    def __init__(self, clock, nodes, *texts, lease, algorithm="token-bucket", memo=False, **named):
        self.clock, self.lease = clock, lease
        limits = rates(*texts)
        self.store = Counted(MemoryStore(clock=clock, wall=clock).limiter("a", limits, algorithm))
        inner = RefusalMemo(self.store, clock=clock) if memo else self.store
        self.nodes = [LeasedLimiter(inner, limits, lease, clock=clock, **named) for _ in range(nodes)]
        self.log, self.refused = [], 0

    def ask(self, node, cost=1):
        """Whether `node` admits; a refusal is checked against what the store and the node have."""
        if self.nodes[node].take("k", cost)[0] == 0:
            self.log += [self.clock.now] * cost
            return True
        self.refused += 1
        left = min(left for left, _ in self.store.take("k", 0)[1])
        assert left + self.nodes[node].held("k") < cost
        return False

    def held(self):
        return [node.held("k") for node in self.nodes]
