"""What a claim may say: exactly one of these, or what begins as one of them does."""

from __future__ import annotations

from typing import Any

import pytest

from authkit import ConfigurationError
from authkit.oidc.for_providers import Allowed


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("refs/heads/main", True), ("refs/heads/main2", False), ("refs/heads/mai", False), ("REFS/heads/main", False),
        ("refs/tags/v1", True), ("refs/tags/v", True), ("refs/tags/w1", False), ("x/refs/tags/v1", False), ("", False),
        (None, False), (7, False), (["refs/heads/main"], False), ({"refs/heads/main": 1}, False),
    ],
)  # fmt: skip
def test_a_value_is_one_of_them_or_is_not(value: Any, found: bool) -> None:
    assert (value in Allowed("refs", ["refs/heads/main", "refs/tags/v*"], "a ref")) is found


def test_a_list_without_a_star_allows_nothing_that_only_begins_so() -> None:
    assert "mainly" not in Allowed("refs", "main", "a ref")


@pytest.mark.parametrize("wrong", [[], "", ["*"], ["a*b"], ["**"], ["*a"], None, 7, [7], [""], ["é"], ["a\n"], {"a": 1}])
def test_a_list_that_is_none_or_allows_everything_is_told_at_once(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="refs"):
        Allowed("refs", wrong, "a ref")
