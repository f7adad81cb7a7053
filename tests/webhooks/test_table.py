"""docs/webhook-schemes.md says of the schemes what they declare."""

from __future__ import annotations

from pathlib import Path

import pytest

from authkit import webhooks
from authkit.webhooks.table import HEAD, row, table

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "webhook-schemes.md"


@pytest.mark.parametrize("verified", [True, False])
def test_the_document_holds_the_table_as_it_is_made(verified: bool) -> None:
    """If it does not: `python -m tests.webhooks.test_table` writes it anew."""
    assert table(verified=verified) in DOCUMENT.read_text(encoding="utf-8")


def test_every_scheme_has_its_row() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, scheme in webhooks.schemes().items():
        cells = row(scheme)
        assert len(cells) == len(HEAD)
        assert text.count(f"\n| `{name}` |") == 1
        assert all("\n" not in cell and "||" not in cell for cell in cells)


def test_what_leaves_the_body_open_says_so() -> None:
    for scheme in webhooks.schemes().values():
        if not scheme.covers_body and scheme.algorithm != "token":
            assert "**not" in row(scheme)[3] or "{params}" in row(scheme)[3]


def rewrite() -> None:
    """Put the tables where the document has them."""
    parts = DOCUMENT.read_text(encoding="utf-8").split(f"| {' | '.join(HEAD)} |\n")
    for index, verified in ((1, True), (2, False)):
        rest = parts[index].split("\n\n", 1)
        parts[index] = table(verified=verified) + ("\n" + rest[1] if len(rest) > 1 else "")
    DOCUMENT.write_text("".join(parts), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
