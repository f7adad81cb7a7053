"""What every store must do. Each implementation inherits this class and gives a `store` on the `clock`."""

from __future__ import annotations

import pytest

from authkit.stores import Store

from .contract_gates import GateContract
from .contract_limits import LimitContract
from .contract_looks import LookContract
from .contract_notes import NoteContract
from .contract_processes import ProcessContract
from .contract_windows import WindowContract
from .parts import Clock, admitted, in_threads, rates

__all__ = ["Clock", "SharedStoreContract", "StoreContract", "admitted", "in_threads", "rates"]


class StoreContract(LimitContract, WindowContract, NoteContract, LookContract, GateContract):
    """For any store. `few`: a call takes milliseconds, so that the tests make do with fewer of them."""

    few = False

    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def store(self, clock) -> Store:
        raise NotImplementedError


class SharedStoreContract(StoreContract, ProcessContract):
    """For a store of several processes. `recipe`: a Python expression that opens the same one elsewhere, on the real clock.

    The expression sees all names of `authkit.stores`.
    """

    @pytest.fixture
    def recipe(self) -> str:
        raise NotImplementedError
