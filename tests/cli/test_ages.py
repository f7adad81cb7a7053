"""Spans and moments, as people read them."""

from __future__ import annotations

import pytest

from authkit.cli._ages import moment, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0s"), (-5, "0s"), (59.9, "59s"), (90, "1m 30s"), (600, "10m"), (3_600, "1h"), (86_399, "23h")),
        *((108_000, "1d 6h"), (7_776_000, "90d")),
    ],
)
def test_a_span_names_its_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_moment_is_in_utc_and_says_how_far_it_is() -> None:
    assert moment(None, 0) == "-"
    assert moment(1_700_000_000, 1_700_000_000 - 3_600) == "2023-11-14 22:13:20Z (in 1h)"
    assert moment(1_700_000_000, 1_700_000_090) == "2023-11-14 22:13:20Z (1m 30s ago)"
