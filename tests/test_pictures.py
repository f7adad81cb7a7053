"""The pictures of the documentation are what their script makes of the library as it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"


@pytest.fixture(scope="module")
def limits() -> Any:
    spec = importlib.util.spec_from_file_location("pictures_limits", PICTURES / "limits.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pictures_are_those_that_the_script_draws(limits: Any) -> None:
    """`python docs/pictures/limits.py` draws them anew."""
    assert {path.name: path.read_text() for path in PICTURES.glob("limits-*.svg")} == limits.pictures()


@pytest.mark.parametrize(("algorithm", "most"), [("token-bucket", 19), ("sliding-window", 10), ("fixed-window", 20)])
def test_what_a_picture_says_is_what_the_limiter_did(limits: Any, algorithm: Any, most: int) -> None:
    seen = limits.watch(algorithm)
    bound, _ = limits.BOUNDS[algorithm]
    assert limits.busiest(seen)[1] == most <= bound
    picture = limits.draw(algorithm)
    assert f"{most} admitted in the busiest minute" in picture
    drawn = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}circle")
    asked = [circle for circle in drawn if circle.get("cy") == str(limits.ASKED)]
    assert sum(circle.get("fill") == limits.ADMITTED for circle in asked) == sum(passed for _, passed in seen.asked)
    assert len(asked) == len(seen.asked) == 70


def test_every_picture_is_on_a_page(limits: Any) -> None:
    page = (PICTURES.parent / "limits.md").read_text()
    for name in limits.pictures():
        assert f"](pictures/{name})" in page
