"""`MemoryKeys`: the contract, and nothing of its own."""

from __future__ import annotations

import pytest

from authkit.apikeys import MemoryKeys

from .keys_contract import KeyTableContract


class TestMemoryKeys(KeyTableContract):
    @pytest.fixture
    def keys(self):
        return MemoryKeys()
