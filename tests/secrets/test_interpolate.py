"""References between the values of `.env` files: only where asked for, only to these files, and never a command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.errors import ConfigurationError, SecretNotFound
from authkit.secrets import Dotenv
from authkit.settings import Settings
from tests.secrets.contract import CANARY

DEVELOPMENT = Settings({"AUTHKIT_ENV": "development"}, "/nonexistent")


def _write(path: Path, text: str) -> str:
    path.write_bytes(text.encode())
    path.chmod(0o600)
    return str(path)


def _interpolated(tmp_path: Path, text: str, name: str = "A") -> str | bytes:
    return Dotenv(_write(tmp_path / ".env", text), interpolate=True, settings=DEVELOPMENT).fetch(name).current


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=${B}-x\nB=b\n", "b-x"),
        ('A="${B}${C}"\nB=b\nC=${B}c\n', "bbc"),
        ("A='${B}'\nB=b\n", "${B}"),
        ("A=${B}\nB='${C}'\nC=c\n", "${C}"),
        ("A=${B:-else}\n", "else"),
        ("A=${B:-else}\nB=\n", "else"),
        ("A=${B:-else}\nB=b\n", "b"),
        ("A=${B:-}x\n", "x"),
        ("A=${B:-$C}\nC=c\n", "$C"),
        ("A=$B$(id)`id`\nB=b\n", "$B$(id)`id`"),
        ("A=${1}${}${B C}${B\nB=b\n", "${1}${}${B C}${B"),
    ],
)
def test_a_reference_stands_for_another_value_of_the_files_where_asked(text: str, value: str, tmp_path: Path) -> None:
    assert _interpolated(tmp_path, text) == value


def test_a_reference_takes_the_value_of_the_last_file_that_defines_it(tmp_path: Path) -> None:
    base = _write(tmp_path / ".env", "A=${B}${C}\nB=1\nC=1\n")
    _write(tmp_path / ".env.local", "B=2\n")
    assert Dotenv(base, interpolate=True, settings=DEVELOPMENT).fetch("A").current == "21"


def test_a_reference_is_never_a_variable_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHKIT_TEST_B", "from the process")
    with pytest.raises(ConfigurationError, match=r"A in line 2 .* refers to a name that these files do not define"):
        _interpolated(tmp_path, "\nA=${AUTHKIT_TEST_B}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"A={CANARY}${{B}}\n", "do not define"),
        (f"A={CANARY}${{A}}\n", "refers to itself"),
        (f"A={CANARY}${{B}}\nB=${{C}}\nC=${{B}}\n", "refers to itself"),
        ("".join(f"V{n}=${{V{n + 1}}}\n" for n in range(40)) + f"V40={CANARY}\nA=${{V0}}\n", "references deep"),
        (
            "".join(f"V{n}=${{V{n + 1}}}${{V{n + 1}}}\n" for n in range(14)) + f"V14={CANARY * 20}\nA=${{V0}}\n",
            "longer than 1 MiB",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_reported_without_a_value(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        _interpolated(tmp_path, text)
    assert CANARY not in str(raised.value)


def test_references_that_double_each_other_cost_no_time(tmp_path: Path) -> None:
    text = "".join(f"V{n}=${{V{n + 1}:-}}${{V{n + 1}:-}}\n" for n in range(30))
    assert _interpolated(tmp_path, text + "A=a${V0}\n") == "a"


@given(st.text(alphabet="AB${}:-'\"\\ x\n=", max_size=120))
def test_no_references_raise_anything_but_a_configuration_error(text: str) -> None:
    path = f"{os.environ.get('TMPDIR', '/tmp')}/authkit-references-{os.getpid()}.env"
    try:
        try:
            Dotenv(_write(Path(path), text), interpolate=True, settings=DEVELOPMENT).fetch("A")
        except (ConfigurationError, SecretNotFound):
            pass
    finally:
        os.unlink(path)
