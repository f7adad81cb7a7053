"""What a command prints: tables and colour on a terminal, plain text elsewhere, or one JSON document. Never both."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .._needs import needs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

INSTALL = "authkit-middleware[cli]"
TONES = {"good": "green", "bad": "red", "warn": "yellow", "faint": "bright_black"}


class Output:
    """One command's output. With `as_json` only `document` prints, without it everything else does.

    Colour, drawn tables and progress need a terminal; `NO_COLOR` (any value) and `TERM=dumb` turn them off.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        plain = as_json or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        self.drawn = not plain and sys.stdout.isatty()

    def document(self, found: Mapping[str, Any]) -> None:
        """The whole answer, for programs."""
        if self.as_json:
            import json

            _write(json.dumps(found, indent=2) + "\n")

    def line(self, text: str, tone: str | None = None) -> None:
        """One line, in the colour of its tone ("good", "bad", "warn", "faint")."""
        if self.as_json:
            return
        text = printable(text)
        if self.drawn and tone is not None:
            import click

            text = click.style(text, fg=TONES[tone])
        _write(text + "\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows under their headings; on a pipe aligned with spaces, so that `awk` and `grep` can read them."""
        if self.as_json:
            return
        cells = [[printable(cell) for cell in row] for row in rows]
        if self.drawn:
            _draw(columns, cells)
            return
        lines = [[column.upper() for column in columns], *cells]
        widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
        for line in lines:
            text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            _write(text.rstrip() + "\n")

    @contextmanager
    def progress(self, text: str) -> Iterator[None]:
        """Shows on a terminal that something is going on, for as long as it does."""
        if not self.drawn or not sys.stderr.isatty():
            yield
            return
        with needs("rich.console", INSTALL).Console(stderr=True).status(printable(text)):
            yield


lost: list[str] = []  # why what was to be printed was not; told when all is done


def _write(text: str) -> None:
    """To stdout at once: a rotation shows each step when it is done, and so does one that is killed.

    Nobody listens, or the disk is full: that is no reason to stop half-way.
    """
    if lost:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        lost.append("" if isinstance(error, BrokenPipeError) else os.strerror(error.errno or 0))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more on its way out


def printable(text: str) -> str:
    """`text` without what would steer a terminal: names come from files and from other people."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    needs("rich", INSTALL)
    from rich.box import ROUNDED
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=ROUNDED, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell, style=_style(cell)) for cell in row))  # Text: a name in brackets is no markup
    Console().print(table)


_STYLES = {"ok": "green", "error": "bold red", "warning": "yellow", "expired": "yellow", "pending": "cyan"}


def _style(cell: str) -> str:
    return _STYLES.get(cell, "")
