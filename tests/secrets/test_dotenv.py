"""Dotenv: `.env` files read exactly, in their order, and only where nobody else can write them."""

from __future__ import annotations

import json
import os
import random
import string
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import _envfile
from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets import Dotenv, Environment, MountedFiles, Secrets
from authkit.settings import Settings
from tests.secrets.contract import NamedVersionsContract

VECTORS = Path(__file__).parent.parent / "vectors" / "dotenv"
DEVELOPMENT = Settings({"AUTHKIT_ENV": "development"}, "/nonexistent")
PRODUCTION = Settings({"AUTHKIT_ENV": "production"}, "/nonexistent")
UNSET = Settings({}, "/nonexistent")


def _write(path: Path, content: str | bytes, mode: int = 0o600) -> str:
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    path.chmod(mode)
    return str(path)


def _value(path: str, name: str) -> str | bytes | None:
    try:
        return Dotenv(path, settings=DEVELOPMENT).fetch(name).current
    except SecretNotFound:
        return None


def _quoted(value: str) -> str:
    """As a writer writes it that quotes: single quotes, with `\\` and `'` escaped; double ones where a line ends in between."""
    if "\r" not in value:
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n") + '"'


class TestDotenv(NamedVersionsContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Dotenv:
        self.path = tmp_path / ".env"
        return Dotenv(str(self.path), settings=DEVELOPMENT)

    def keep(self, values: dict[str, str]) -> None:
        _write(self.path, "".join(f"{name}={_quoted(value)}\n" for name, value in values.items()))


class TestDotenvWithInterpolation(TestDotenv):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Dotenv:
        self.path = tmp_path / ".env"
        return Dotenv(str(self.path), stage="live", interpolate=True, settings=DEVELOPMENT)


# Published vectors


def _parser_cases() -> list[dict[str, object]]:
    return json.loads((VECTORS / "python-dotenv.json").read_text())["cases"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", _parser_cases(), ids=lambda case: case["id"])
def test_python_dotenvs_own_cases(case: dict[str, object], tmp_path: Path) -> None:
    file = _envfile.read(_write(tmp_path / ".env", str(case["input"])))
    assert file is not None
    bindings: list[dict[str, object]] = case["bindings"]  # type: ignore[assignment]
    for binding in bindings:
        key, value = binding["key"], binding["value"]
        if key is not None:
            found = file.find(str(key))
            assert found is not None
            assert found() == value
    # A line that does not parse might define any name, so a name that is not found is an error and not "not here".
    if any(binding["error"] for binding in bindings):
        with pytest.raises(ConfigurationError, match="line 1 does not parse"):
            file.find("not-in-the-file")
    else:
        assert file.find("not-in-the-file") is None


def _whole_files() -> dict[str, dict[str, object]]:
    return json.loads((VECTORS / "motdotla.expected.json").read_text())["files"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", _whole_files())
def test_whole_files(name: str, tmp_path: Path) -> None:
    path = _write(tmp_path / ".env", (VECTORS / name).read_bytes())
    expected: dict[str, str] = _whole_files()[name]["expect"]  # type: ignore[assignment]
    optional: list[str] = _whole_files()[name].get("optional", [])  # type: ignore[assignment]
    file = _envfile.read(path)
    assert file is not None
    for key, value in expected.items():
        if key in optional:  # back-ticks: we refuse to guess what they quote
            with pytest.raises(ConfigurationError, match=key):
                file.find(key)
        else:
            found = file.find(key)
            assert found is not None
            assert found() == value
    for key in _whole_files()[name].get("absent", []):  # type: ignore[attr-defined]
        assert file.find(key) is None


@pytest.mark.parametrize("index", [0, 1])
def test_line_endings(index: int, tmp_path: Path) -> None:
    case = json.loads((VECTORS / "motdotla.expected.json").read_text())["line_endings"][index]
    path = _write(tmp_path / ".env", case["input"])
    assert {name: _value(path, name) for name in case["expect"]} == case["expect"]


# Content (SEC-05)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=a$B", "a$B"),
        ("A=${HOME}", "${HOME}"),
        ("A=$(id)", "$(id)"),
        ("A='${HOME}'", "${HOME}"),
        ('A="`id`"', "`id`"),
        ("A=a#b", "a#b"),
        ("A=a #b", "a"),
        ("A='a #b'", "a #b"),
        ('A="it\'s"', "it's"),
        ("A='it\\'s'", "it's"),
        ("A='a\\\\b'", "a\\b"),
        ("export A=a", "a"),
        ("A=a=b==", "a=b=="),
        ("A=\N{SNOWMAN}", "\N{SNOWMAN}"),
    ],
)
def test_a_value_is_taken_as_it_stands(line: str, value: str, tmp_path: Path) -> None:
    assert _value(_write(tmp_path / ".env", line + "\n"), "A") == value
    assert _value(_write(tmp_path / ".env", "\ufeff" + line + "\r\n"), "A") == value


def test_a_pem_block_with_crlf_line_endings_keeps_its_lines(tmp_path: Path) -> None:
    pem = "-----BEGIN KEY-----\r\nAAAA\r\nBBBB==\r\n-----END KEY-----"
    assert _value(_write(tmp_path / ".env", f'A="{pem}"\r\nB=b\r\n'), "A") == pem.replace("\r\n", "\n")


def test_two_hundred_random_secrets_come_back_byte_for_byte(tmp_path: Path, rng: random.Random) -> None:
    alphabet = string.printable + "\N{EURO SIGN}\N{NO-BREAK SPACE}\x85\u2028'\"\\#${}`= \n\r"
    secrets = {f"S{n}": "x" + "".join(rng.choices(alphabet, k=rng.randrange(1, 60))) for n in range(200)}
    path = _write(tmp_path / ".env", "".join(f"{name}={_quoted(value)}\n" for name, value in secrets.items()))
    found = Dotenv(path, settings=DEVELOPMENT).fetch_many(tuple(secrets))
    assert {name: versions.current for name, versions in found.items()} == secrets


def test_a_name_defined_twice_is_an_error_that_names_it_and_its_lines(tmp_path: Path) -> None:
    path = _write(tmp_path / ".env", "A=canary1\n\nB=b\nexport A=canary2\n")
    for name in ("A", "B"):
        with pytest.raises(ConfigurationError, match="defines A twice, in lines 1 and 4") as raised:
            Dotenv(path, settings=DEVELOPMENT).fetch(name)
        assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"B=b\nA=canary\0\n", "NUL in line 2"),
        (b"B=b\n\nA=canary\xff\n", "not UTF-8 in line 3"),
        ("A=canary\n".encode("utf-16"), "NUL"),
        (b"A=" + b"x" * 1_048_576, "larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_text_is_refused_without_showing_it(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        _value(_write(tmp_path / ".env", content), "A")
    assert "canary" not in str(raised.value)
    assert raised.value.__context__ is None


@pytest.mark.parametrize("line", ['A="canary', "A='canary", "A=`canary`", "A", "A: canary", "'A=canary"])
def test_a_line_that_does_not_parse_is_reported_and_no_weaker_source_answers(line: str, tmp_path: Path) -> None:
    path = _write(tmp_path / ".env", f"B=b\n{line}\n")
    assert _value(path, "B") == "b"
    with pytest.raises(ConfigurationError, match=r"A cannot be read from .*: line 2 does not parse") as raised:
        Secrets(Dotenv(path, settings=DEVELOPMENT), Environment({"A": "weaker"}))["A"].reveal()
    assert "canary" not in str(raised.value)


def test_an_empty_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="A is empty"):
        _value(_write(tmp_path / ".env", "A=\n"), "A")


def test_the_versions_stand_beside_the_name(tmp_path: Path) -> None:
    path = _write(tmp_path / ".env", "A=now\nA__PREVIOUS=before\nA__PENDING=next\nA__PREVIOUS_UNTIL=1700000000\n")
    versions = Dotenv(path, settings=DEVELOPMENT).fetch("A")
    assert versions.named() == (("current", "now"), ("previous", "before"), ("pending", "next"))
    assert versions.previous_until == 1_700_000_000


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_raise_anything_but_a_configuration_error(content: bytes) -> None:
    path = f"{os.environ.get('TMPDIR', '/tmp')}/authkit-dotenv-{os.getpid()}.env"
    try:
        _write(Path(path), content)
        for name in ("A", "a"):
            try:
                Dotenv(path, settings=DEVELOPMENT).fetch(name)
            except (ConfigurationError, SecretNotFound):
                pass
    finally:
        os.unlink(path)


# Which file


def test_later_files_win_and_bring_their_own_versions(tmp_path: Path) -> None:
    base = _write(tmp_path / ".env", "A=1\nB=1\nC=1\nD=1\nA__PREVIOUS=old\n")
    _write(tmp_path / ".env.local", "B=2\nC=2\nD=2\n")
    _write(tmp_path / ".env.live", "C=3\nD=3\n")
    _write(tmp_path / ".env.live.local", "D=4\nA__PENDING=ignored-without-A\n")
    source = Dotenv(base, stage="live", settings=DEVELOPMENT)
    assert [source.fetch(name).current for name in "ABCD"] == ["1", "2", "3", "4"]
    assert source.fetch("A").named() == (("current", "1"), ("previous", "old"))
    assert source.fetch("B").previous is None
    without = Dotenv(base, settings=DEVELOPMENT)
    assert [without.fetch(name).current for name in "ABCD"] == ["1", "2", "2", "2"]


def test_a_changed_file_is_seen_when_the_memo_asks_again(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    secrets = Secrets(Dotenv(_write(path, "A=1\n"), settings=DEVELOPMENT))
    assert secrets["A"].reveal() == "1"
    _write(path, "A=2\n")
    assert secrets["A"].reveal() == "1"
    secrets.refresh()
    assert secrets["A"].reveal() == "2"


def test_no_file_is_no_secret_and_parents_are_never_searched(tmp_path: Path) -> None:
    _write(tmp_path / ".env", "A=parent\n")
    below = tmp_path / "below"
    below.mkdir()
    program = "from authkit.secrets import Dotenv\nfrom authkit.settings import get\nprint(get('A'))\nDotenv().fetch('A')"
    root = str(Path(__file__).parent.parent.parent)
    done = subprocess.run([sys.executable, "-c", program], cwd=below, capture_output=True, text=True, env={"PYTHONPATH": root})
    assert done.stdout == "None\n"
    assert "SecretNotFound" in done.stderr
    with pytest.raises(SecretNotFound):
        Dotenv(str(tmp_path / ".env" / "x"), settings=DEVELOPMENT).fetch("A")


def test_the_real_environment_goes_first_where_the_chain_says_so(tmp_path: Path) -> None:
    files = Dotenv(_write(tmp_path / ".env", "A=file\nB=file\n"), settings=DEVELOPMENT)
    secrets = Secrets(Environment({"A": "real"}), files)
    assert (secrets["A"].reveal(), secrets["B"].reveal()) == ("real", "file")


def test_several_names_are_read_from_one_opening_of_each_file(tmp_path: Path) -> None:
    base = _write(tmp_path / ".env", "A=1\nB=1\n")
    _write(tmp_path / ".env.local", "B=2\nC=\n")
    found = Dotenv(base, settings=DEVELOPMENT).fetch_many(("A", "B", "C", "D"))
    assert {name: versions.current for name, versions in found.items()} == {"A": "1", "B": "2"}


def test_the_process_environment_is_not_changed(tmp_path: Path) -> None:
    before = dict(os.environ)
    _value(_write(tmp_path / ".env", "AUTHKIT_TEST_LEAK=leak\n"), "AUTHKIT_TEST_LEAK")
    assert dict(os.environ) == before


@pytest.mark.parametrize("stage", ["", "../x", "a/b", "a.b", "é", "a b"])
def test_a_stage_is_a_plain_word(stage: str) -> None:
    with pytest.raises(ConfigurationError, match="stage"):
        Dotenv(stage=stage)


# Who may write and read it (SEC-04)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o622, 0o666, 0o660])
@pytest.mark.parametrize("settings", [DEVELOPMENT, PRODUCTION, UNSET])
def test_a_file_that_group_or_others_can_write_is_refused(mode: int, settings: Settings, tmp_path: Path) -> None:
    source = Dotenv(_write(tmp_path / ".env", "A=canary\n", mode), settings=settings)
    with pytest.raises(ConfigurationError, match="can be written by its group or by others"):
        Secrets(source, Environment({"A": "weaker"}))["A"].reveal()


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
@pytest.mark.parametrize("settings", [DEVELOPMENT, PRODUCTION, UNSET])
def test_a_file_that_others_cannot_read_is_fine(mode: int, settings: Settings, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = _write(tmp_path / ".env", "A=a\n", mode)
        assert Dotenv(path, strict=True, settings=settings).fetch("A").current == "a"


def test_a_file_that_others_can_read_warns_once_in_development(tmp_path: Path) -> None:
    path = _write(tmp_path / ".env", "A=canary\n", 0o644)
    source = Dotenv(path, settings=DEVELOPMENT)
    with pytest.warns(UserWarning, match="can be read by every user") as warned:
        found = [source.fetch("A"), source.fetch("A"), Dotenv(path, settings=DEVELOPMENT).fetch("A")]
    assert [versions.current for versions in found] == ["canary"] * 3
    assert len(warned) == 1
    assert "canary" not in str(warned[0].message)


@pytest.mark.parametrize(
    "options",
    [
        {"settings": PRODUCTION},
        {"settings": UNSET},
        {"settings": DEVELOPMENT, "strict": True},
        {"settings": DEVELOPMENT, "stage": "production"},
    ],
)
def test_a_file_that_others_can_read_is_refused_in_production_and_in_strict_mode(
    options: dict[str, object], tmp_path: Path
) -> None:
    source = Dotenv(_write(tmp_path / ".env", "A=canary\n", 0o644), **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="can be read by every user"):
        source.fetch("A")


def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / ".env", "A=a\n")
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        _envfile.read(path, uid=os.geteuid() + 1)
    assert _envfile.read(path, uid=os.geteuid()) is not None


def test_a_file_that_others_could_replace_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    path = _write(shared / ".env", "A=a\n")
    shared.chmod(0o777)
    with pytest.raises(ConfigurationError, match="directory where every user can replace it"):
        _value(path, "A")
    shared.chmod(0o1777)  # sticky, like /tmp: others cannot replace what is ours
    assert _value(path, "A") == "a"


def test_what_is_no_regular_file_is_refused_and_nothing_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/null")):
        with pytest.raises(ConfigurationError, match="not a regular file"):
            _value(str(path), "A")


def test_a_path_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    loop = tmp_path / ".env"
    loop.symlink_to(loop)
    with pytest.raises(SecretUnavailable, match="cannot be opened"):
        _value(str(loop), "A")


def test_a_symlink_is_followed_and_its_target_is_what_is_judged(tmp_path: Path) -> None:
    target = Path(_write(tmp_path / "target", "A=a\n"))
    link = tmp_path / ".env"
    link.symlink_to(target)
    assert _value(str(link), "A") == "a"
    target.chmod(0o666)
    with pytest.raises(ConfigurationError, match="can be written"):
        _value(str(link), "A")


@pytest.mark.parametrize("line", ["s3cr3t/pasted+alone==", "c2VjcmV0aGVsbG8", "c2VjcmV0aGVsbG8=", "export c2VjcmV0aGVsbG8"])
def test_a_secret_that_was_pasted_alone_twice_is_not_shown_as_a_name(line: str, tmp_path: Path) -> None:
    _write(tmp_path / ".env", f"A=a\n{line}\nB=b\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"defines a name twice, in lines 2 and 4$|line 2 does not parse$") as raised:
        Dotenv(str(tmp_path / ".env")).fetch("MISSING")
    assert "c2Vj" not in str(raised.value)


def test_the_path_is_from_where_the_process_was_when_the_source_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon goes to /, where a weaker source would answer, or another file."""
    _write(tmp_path / ".env", "A=strong\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "A").write_text("strong")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    _write(elsewhere / ".env", "A=other\n")
    monkeypatch.chdir(tmp_path)
    chains = [Secrets(Dotenv(), Environment({"A": "weak"})), Secrets(MountedFiles("run"), Environment({"A": "weak"}))]
    monkeypatch.chdir(elsewhere)
    assert [secrets["A"].reveal() for secrets in chains] == ["strong", "strong"]
    assert "Dotenv('.env')" in repr(chains[0])


def test_a_relative_path_from_a_directory_that_is_gone_is_refused_when_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigurationError, match="is relative"):
        Dotenv()


def test_a_file_that_is_written_in_place_costs_no_good_token_anything(tmp_path: Path) -> None:
    """An editor truncates it and writes; in between comes somebody's bad token."""
    path = Path(_write(tmp_path / ".env", "A=" + "a" * 40 + "\n"))
    secret = Secrets(Dotenv(str(path)))["A"]
    seen = secret.versions()
    path.write_text("")
    assert not secret.recheck(seen)
    assert secret.versions() is seen
    path.write_text("A=" + "a" * 40 + "\n")
    assert secret.versions() is seen
