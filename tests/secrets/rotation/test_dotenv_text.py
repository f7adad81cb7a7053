"""The text of a `.env` file: what is to change changes where it stands, and every other byte is what it was."""

from __future__ import annotations

import json
import random
import string
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from dotenv.parser import parse_stream
from hypothesis import given
from hypothesis import strategies as st

from authkit import _envfile
from authkit.secrets.rotation._dotenv_text import edited, names, quote
from authkit.secrets.rotation.generate import KINDS, generate
from authkit.secrets.versions import sealed

VECTORS = Path(__file__).parent.parent.parent / "vectors" / "dotenv"


def _edit(text: str | bytes, name: str = "KEY", /, **changes: str | None) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    result = edited(sealed(data), name, {key: None if value is None else sealed(value) for key, value in changes.items()})
    assert not isinstance(result, str), result
    made = result()
    assert isinstance(made, bytes)
    return made.decode()


def _read(path: Path, text: str | bytes, name: str) -> str | None:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    file = _envfile.read(str(path))
    value = None if file is None else file.find(name)
    return None if value is None else value()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("KEY=old\n", "KEY=new\n"),
        ("KEY=old", "KEY=new"),
        ("KEY=\n", "KEY=new\n"),
        ("KEY='old'\n", "KEY='new'\n"),
        ('KEY="old"\n', 'KEY="new"\n'),
        ('KEY="o\\"l\\"d"\n', 'KEY="new"\n'),
        ("export KEY=old\n", "export KEY=new\n"),
        ("  export   KEY = old   # why\n", "  export   KEY = new   # why\n"),
        ("'KEY'=old\n", "'KEY'=new\n"),
        ("KEY=old # it's the old one\n", "KEY=new # it's the old one\n"),
        ("KEY='old' # 'quoted' words\n", "KEY='new' # 'quoted' words\n"),
        ('KEY="old"# close\n', 'KEY="new" # close\n'),
        ("KEY='ol\\' # d'\n", "KEY='new'\n"),
        ("KEY= # only a comment\n", "KEY= new # only a comment\n"),
        ("KEY='two\nlines'\nB=1\n", "KEY='new'\nB=1\n"),
        ("A=1\r\nKEY=old\r\nB=2\r\n", "A=1\r\nKEY=new\r\nB=2\r\n"),
        ("A=1\rKEY=old\rB=2\r", "A=1\rKEY=new\rB=2\r"),
        ("\ufeffKEY=old\n", "\ufeffKEY=new\n"),
        ("# KEY=old\n\n\n\tKEY=old\n\n# end", "# KEY=old\n\n\n\tKEY=new\n\n# end"),
        ("KEY2=a\nKEY=old\nMY_KEY=b\n", "KEY2=a\nKEY=new\nMY_KEY=b\n"),
    ],
)
def test_a_value_changes_where_it_stands(before: str, after: str) -> None:
    assert _edit(before, KEY="new") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("KEY=a\nB=1\n", "KEY=a\nKEY__PREVIOUS=p\nKEY__PENDING=n\nB=1\n"),
        ("B=1\nKEY=a", "B=1\nKEY=a\nKEY__PREVIOUS=p\nKEY__PENDING=n"),
        ("export KEY=a\r\nB=1\r\n", "export KEY=a\r\nexport KEY__PREVIOUS=p\r\nexport KEY__PENDING=n\r\nB=1\r\n"),
        ("KEY=a\n\n# B\nKEY__PENDING=x\n", "KEY=a\nKEY__PREVIOUS=p\n\n# B\nKEY__PENDING=n\n"),
        ("KEY=a # c\n\nB=1\n", "KEY=a # c\nKEY__PREVIOUS=p\nKEY__PENDING=n\n\nB=1\n"),
    ],
)
def test_a_new_version_comes_to_stand_after_its_name(before: str, after: str) -> None:
    assert _edit(before, KEY__PREVIOUS="p", KEY__PENDING="n") == after


@pytest.mark.parametrize(
    "before", ["KEY=a\nB=1\n", "B=1\nKEY=a", "# c\r\n\r\nexport KEY='a'\r\n", "\ufeffKEY=a", "KEY=a\n\n\n"]
)
def test_what_was_added_and_dropped_leaves_every_byte(before: str) -> None:
    assert _edit(_edit(before, KEY__PENDING="n"), KEY__PENDING=None) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "KEY=new\n"),
        ("A=1", "A=1\nKEY=new"),
        ("A=1\n", "A=1\nKEY=new\n"),
        ("A=1\r\n\r\n# end\r\n", "A=1\r\n\r\n# end\r\nKEY=new\r\n"),
        ("\ufeff# only a comment", "\ufeff# only a comment\nKEY=new"),
    ],
)
def test_a_new_name_comes_to_stand_at_the_end(before: str, after: str) -> None:
    assert _edit(before, KEY="new") == after


def test_a_version_that_holds_nothing_is_a_place_that_somebody_made_and_stays() -> None:
    assert _edit("KEY=a\nKEY__PREVIOUS= # ours\n", KEY__PREVIOUS=None) == "KEY=a\nKEY__PREVIOUS= # ours\n"


def test_a_dropped_line_takes_no_blank_line_with_it() -> None:
    assert _edit("A=1\n\n  KEY__PREVIOUS=x # y\n\nB=1\n", KEY__PREVIOUS=None) == "A=1\n\n\nB=1\n"


def test_no_part_of_an_old_value_is_left_as_a_comment() -> None:
    for old in ("'a\\' # SECRET'", "'SECRET # SECRET'", '"a\\" # SECRET"', '"SECRET" ', "a#SECRET", "SECRET#SECRET # fine"):
        assert "SECRET" not in _edit(f"KEY={old}\n", KEY="new")


@pytest.mark.parametrize("line", ["KEY", "KEY='open\n", "KEY 'x'\n"])
def test_a_line_that_cannot_be_read_is_never_rewritten(line: str) -> None:
    result = edited(sealed(f"A=1\n{line}".encode()), "KEY", {"KEY": sealed("new")})
    assert isinstance(result, str) or f"A=1\n{line}" in str(result(), "utf-8")  # type: ignore[arg-type]


def test_bytes_that_are_no_text_are_neither_read_nor_written() -> None:
    assert names(sealed(b"A=\xff\n")) is None
    assert edited(sealed(b"A=\xff\n"), "A", {"A": sealed("x")}) == "is not UTF-8"
    for value in (b"\xff\xfe", "\ud800", "a\0b"):
        assert quote(sealed(value)) is None


# SEC-05


_TRAPS = "$#'\"\\`={}!~&;|<>()*?[]%^,: \t\n\r\v\f\x85\u2028\ufeffäß漢🔑"


def _hostile(rng: random.Random) -> str:
    letters = string.ascii_letters + string.digits + _TRAPS * 4
    while True:
        value = "".join(rng.choice(letters) for _ in range(rng.randrange(1, 60)))
        if value.strip():
            return value


def test_200_random_secrets_are_read_back_to_the_byte(tmp_path: Path, rng: random.Random) -> None:
    """SEC-05: quotes, dollars, comments, escapes, line ends, BOMs; each written over the one before, in a file with others."""
    text = "# head\r\nA='x' # \"\r\n\r\nexport KEY=first # 'the key'\r\nZ=\"last\""
    for _ in range(200):
        value, previous = _hostile(rng), _hostile(rng)
        text = _edit(text, KEY=value, KEY__PREVIOUS=previous)
        assert _read(tmp_path / ".env", text, "KEY") == value
        assert _read(tmp_path / ".env", text, "KEY__PREVIOUS") == previous
        assert _read(tmp_path / ".env", text, "A") == "x"
        assert _read(tmp_path / ".env", text, "Z") == "last"
        assert " # 'the key'\r\n" in text


@given(st.text(min_size=1).filter(lambda text: text.strip() and "\0" not in text))
def test_any_text_is_read_back_or_refused(value: str) -> None:
    quoted = quote(sealed(value))
    try:
        value.encode()
    except UnicodeEncodeError:
        assert quoted is None
        return
    assert quoted is not None
    text = f"A=1\nKEY={quoted}\nB='2'\n"
    read = {piece.key: piece.value for piece in parse_stream(StringIO(text.replace("\r\n", "\n")))}
    assert read == {"A": "1", "KEY": value, "B": "2"}


@given(
    st.lists(
        st.sampled_from(
            [
                "A=1",
                "# c",
                "",
                "export B='2' # x",
                'C="3\n4"',
                "D=",
                " E = 5 ",
                "broken line",
                "F='open",
                "\t",
                "G=a#b",
                "KEY=old",
            ]
        ),
        max_size=12,
        unique=True,
    ),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_every_line_that_is_not_changed_stays_to_the_byte(lines: list[str], ending: str, final: bool) -> None:
    before = ending.join(lines) + (ending if final and lines else "")
    result = edited(sealed(before.encode()), "KEY", {"KEY": sealed("new")})
    assert not isinstance(result, str)
    after = str(result(), "utf-8")  # type: ignore[arg-type]
    if "KEY=old" in before and after.count("KEY=") == 1:
        assert after == before.replace("KEY=old", "KEY=new")
    else:  # it was not there, or inside a quote that is not closed
        assert after.startswith(before)


@pytest.mark.parametrize("name", json.loads((VECTORS / "motdotla.expected.json").read_text())["files"])
def test_published_files_keep_every_byte(name: str) -> None:
    before = (VECTORS / name).read_bytes()
    there = names(sealed(before)) or []
    assert there
    for key in there:
        assert _edit(_edit(before, key, **{f"{key}__PENDING": "n"}), key, **{f"{key}__PENDING": None}).encode() == before


# What others read


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rsa"])
def test_a_shell_reads_the_same_of_whatever_we_generate(kind: str, tmp_path: Path) -> None:
    value = str(generate(kind)())
    (tmp_path / ".env").write_text(_edit("A=1\nKEY=old\n", KEY=value))
    shown = subprocess.run(
        ["sh", "-c", '. "$0"; printf %s. "$KEY"', str(tmp_path / ".env")],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    assert shown.stdout == value + "."


@pytest.mark.parametrize(
    "value", ["it's", 'say "so"', "$HOME", "`id`", "a b # c", "a\\b", "two\nlines\n", "!x", "~", "*", "a\\"]
)
def test_a_shell_reads_the_same_of_what_it_can_read(value: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(_edit("KEY=old\n", KEY=value))
    shown = subprocess.run(
        ["sh", "-c", '. "$0"; printf %s. "$KEY"', str(tmp_path / ".env")],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    assert shown.stdout == value + "."
