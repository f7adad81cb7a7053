"""The table of attacks in SECURITY.md cannot rot: what it names exists, and what has to be in it is."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
HEADING = "## Attacks and the tests that cover them"

# The attacks that this version has to answer, on every host. A row more here wants a row in the table.
OWED = [
    *(f"TOK-{n:02}" for n in (1, 2, 6, 7, 8, 11, 12, 13, 14, 15, 17, 19, 21, 23, 25, 26)),
    *(f"CLM-{n:02}" for n in (1, 2, 5, 6, 7, 8, 10, 14, 16)),
    *(f"AUZ-{n:02}" for n in (1, 2, 3, 4, 5, 7, 9, 11, 12, 14)),
    *(f"ADP-{n:02}" for n in (1, 2, 4, 5, 7, 9, 12, 13, 14)),
    *(f"LOG-{n:02}" for n in (1, 2, 4, 5)),
    *(f"SEC-{n:02}" for n in (1, 2, 4, 5, 7, 8, 9, 12)),
    *(f"ROT-{n:02}" for n in (1, 2, 3, 5, 8)),
    *(f"IPR-{n:02}" for n in (1, 2, 3, 5, 8, 9)),
    *(f"RTL-{n:02}" for n in (1, 2, 4, 5, 7, 10, 13, 14)),
    *(f"PWD-{n:02}" for n in (1, 2, 3, 5, 7, 9, 10, 12, 14)),
    *(f"REF-{n:02}" for n in (1, 2, 4, 5, 7, 9, 11, 13)),
    *(f"WHK-{n:02}" for n in (1, 2, 3, 4, 5, 6, 7, 9, 12, 15)),
    *(f"JWK-{n:02}" for n in (1, 2, 3, 4, 6, 8, 10, 12)),
    *(f"OID-{n:02}" for n in (1, 3, 4, 5, 6, 7, 8, 9, 12, 14, 17, 19, 20)),
    *(f"AVL-{n:02}" for n in (1, 3, 5, 6, 8, 12)),
]


def _table() -> list[list[str]]:
    section = TEXT.partition(HEADING)[2].partition("\n### Not yet")[0]
    lines = [line for line in section.splitlines() if re.match(r"\| [A-Z]{3}-\d\d ", line)]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


ROWS = _table()
NOT_YET = re.findall(r"^- \*\*([A-Z]{3}-\d\d)\*\* \S.*: \S", TEXT.partition("\n### Not yet")[2], re.MULTILINE)
NAMED = [(row[0], name) for row in ROWS for name in re.findall(r"`([^`]+)`", row[-1])]


@cache
def _tests_in(path: Path) -> frozenset[str]:
    """The tests that pytest finds in the file, those of classes as Class::test."""

    def names(body: list[ast.stmt], prefix: str = "") -> list[str]:
        found: list[str] = []
        for node in body:
            if isinstance(node, ast.ClassDef):
                found += names(node.body, f"{prefix}{node.name}::")
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
                found.append(prefix + node.name)
        return found

    return frozenset(names(ast.parse(path.read_text(encoding="utf-8")).body))


@pytest.mark.parametrize(("attack", "name"), NAMED, ids=[f"{attack} {name.rpartition('::')[2]}" for attack, name in NAMED])
def test_a_test_that_the_table_names_exists(attack: str, name: str) -> None:
    file, _, test = name.partition("::")
    assert (ROOT / file).is_file()
    assert test in _tests_in(ROOT / file)


def test_every_row_says_what_happens_and_names_a_test() -> None:
    assert all(len(row) == 4 and all(row) for row in ROWS)
    assert {row[0] for row in ROWS} == {attack for attack, _ in NAMED}


def test_no_attack_has_two_rows() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS)


def test_every_attack_that_is_owed_is_covered_or_said_to_be_missing_and_why() -> None:
    covered = {row[0] for row in ROWS}
    assert set(OWED) - covered == set(NOT_YET) & set(OWED)
    assert not covered & set(NOT_YET)


def test_the_readme_links_to_the_table() -> None:
    anchor = HEADING.lstrip("# ").lower().replace(" ", "-")
    assert f"(SECURITY.md#{anchor})" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert TEXT.count(HEADING) == 1
