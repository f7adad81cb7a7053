"""Header fields of which there may be several of one name: cookies, where a mapping has room for one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class Lines(dict[str, str]):
    """The `headers` of an `Allow` or `Deny` that sets several cookies: `items` gives every line, looked up it has the last."""

    __slots__ = ("_lines",)

    def __init__(self, lines: Iterable[tuple[str, str]]) -> None:
        self._lines = tuple(lines)
        super().__init__(self._lines)

    def items(self) -> Any:
        return self._lines
