"""`entry`: what a `Scheme` is built of, written down. A hundred are, and a program uses one or two: only those are built."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Entry: TypeAlias = tuple[str, dict[str, Any]]


def entry(name: str, **fields: Any) -> Entry:
    """A scheme's name and its fields, as `Scheme` takes them."""
    return name, fields
