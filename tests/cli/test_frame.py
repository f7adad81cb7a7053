"""The command's frame: help, exit codes, completion, and how it fails."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import authkit as library
from authkit import cli
from authkit.cli._exits import EXITS, ended
from authkit.cli._frame import Lazy
from authkit.cli.root import group
from tests.cli.command import COMMAND, at_a_terminal, authkit, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def commands(found: Lazy = group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, click.Command]]:
    """(path, line in the group's help, command) of every command."""
    for name, (place, line) in found.places.items():
        module, _, attribute = place.partition(":")
        command = getattr(import_module(f"authkit.cli.{module}"), attribute)
        yield (*path, name), line, command
        if isinstance(command, Lazy):
            yield from commands(command, (*path, name))


ALL = list(commands())


def test_the_wheel_installs_the_command() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"] == {"authkit": "authkit.cli:main"}


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    assert authkit("--version", cwd=tmp_path) == (0, f"authkit {library.__version__}\n", "")


@pytest.mark.parametrize(("path", "line", "command"), ALL, ids=[" ".join(path) for path, _, _ in ALL])
def test_every_command_has_help_that_is_short_and_that_its_group_repeats(
    path: tuple[str, ...], line: str, command: click.Command
) -> None:
    assert command.name == path[-1]
    text = command.get_help(click.Context(command, info_name=" ".join(path)))
    assert (command.help or "").splitlines()[0] == line
    assert len(line) <= 70
    assert 3 < len(text.splitlines()) <= 40
    for param in command.params:
        assert not isinstance(param, click.Option) or param.help, param.name


@pytest.mark.parametrize(("path", "command"), [(path, command) for path, _, command in ALL if not isinstance(command, Lazy)])
def test_every_command_speaks_json(path: tuple[str, ...], command: click.Command) -> None:
    assert "--json" in {option for param in command.params for option in param.opts}, path


def test_no_command_takes_a_value_as_an_argument() -> None:
    arguments = {param.name for _, _, command in ALL for param in command.params if isinstance(param, click.Argument)}
    # A URL with credentials is refused, and what was typed for a name is repeated by no complaint.
    assert arguments == {"name", "shell", "topic", "key", "url", "issuer", "username", "subject", "id", "scheme", "file"}


def test_help_loads_no_command_and_nothing_heavy(tmp_path: Path) -> None:
    program = "import sys; from authkit.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert "click" in loaded
    heavy = {"rich", "cryptography", "boto3", "botocore", "jwt", "httpx", "dotenv", "asyncio", "subprocess", "authkit.secrets"}
    assert loaded & heavy == set()
    assert {name for name in loaded if name.startswith("authkit.cli.")} == {
        f"authkit.cli.{name}" for name in ("_exits", "_frame", "_run", "root")
    }
    for name in group.places:
        assert re.search(rf"^  {name} +\S", done.stdout, re.MULTILINE)


def test_without_click_one_line_says_what_to_install(tmp_path: Path) -> None:
    program = "import sys; sys.modules['click'] = None; from authkit.cli import main; sys.exit(main(['--help']))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert 'pip install "authkit-middleware[cli]"' in done.stderr


def test_the_exit_codes_are_documented_in_one_place_and_printed(tmp_path: Path) -> None:
    documented = re.findall(r"^ +(\d+)  (\w+) +(.+)$", cli.__doc__ or "", re.MULTILINE)
    assert [(name, (int(code), when)) for code, name, when in documented] == list(EXITS.items())
    said = authkit("help", "exit-codes", "--json", cwd=tmp_path)
    assert {row["name"]: (row["code"], row["when"]) for row in said.json["exit_codes"]} == EXITS


@pytest.mark.parametrize("topic", ["secrets", "secrets rotate", "doctor"])
def test_help_of_a_topic_is_the_commands_own(topic: str, tmp_path: Path) -> None:
    said = authkit("help", *topic.split(), cwd=tmp_path)
    assert said.code == 0
    assert said.out == authkit(*topic.split(), "--help", cwd=tmp_path).out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_calls_the_command_back(shell: str, tmp_path: Path) -> None:
    said = authkit("completion", shell, cwd=tmp_path)
    assert said.code == 0
    assert "_AUTHKIT_COMPLETE" in said.out
    assert authkit("completion", shell, "--json", cwd=tmp_path).json == {"shell": shell, "script": said.out}


@pytest.mark.parametrize(
    ("shell", "loaded"), [("bash", "complete -p authkit"), ("zsh", "true"), ("fish", "complete -C 'authkit '")]
)
def test_a_shell_that_is_here_takes_its_script(shell: str, loaded: str, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(authkit("completion", shell, cwd=tmp_path).out)
    if shutil.which(shell) is not None:
        command = "autoload -U compinit; compinit -D; . ./script" if shell == "zsh" else ". ./script"
        done = subprocess.run([shell, "-c", f"{command}; {loaded}"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_command_completes_its_own_words(tmp_path: Path) -> None:
    said = authkit(cwd=tmp_path, _AUTHKIT_COMPLETE="bash_complete", COMP_WORDS="authkit secrets ro", COMP_CWORD="2")
    assert said.out.split() == ["plain,rotate", "plain,rollback"]


CANARY = "hunter2-Zx81Qw"

TYPED: list[tuple[str, ...]] = [
    (CANARY,),
    ("secrets", CANARY),
    ("secrets", "set", "NAME", CANARY),
    ("secrets", "set", "NAME", f"-----BEGIN {CANARY}"),
    ("secrets", "set", "NAME", f"--{CANARY}"),
    ("secrets", "set", "NAME", f"--value={CANARY}"),
    ("secrets", "set", "NAME", "--value-from", CANARY),
    ("secrets", "rotate", "NAME", "--kind", CANARY),
    ("secrets", "rotate", "NAME", "--length", CANARY),
    ("secrets", "rotate", "NAME", "--grace", CANARY),
    ("secrets", "rotate", "NAME", f"--dry-run={CANARY}"),
    ("secrets", "get", "NAME", "--version", CANARY),
    ("completion", CANARY),
    ("help", CANARY),
    ("store", "show", CANARY),
    ("store", "adopt", f"redis://:{CANARY}@127.0.0.1"),
    ("limits", "show", CANARY, "--app", CANARY),
    ("limits", "show", CANARY, "--limit", CANARY, "--name", "n"),
    ("limits", "reset", "ip:::1", "--limit", "1/s", "--name", CANARY, "--store", CANARY),
    ("limits", "show", "header", "--app", "os", "--value-from", CANARY),
]


@pytest.mark.parametrize("words", TYPED, ids=" ".join)
def test_what_is_typed_by_mistake_is_not_repeated(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = cli.main([*words, "--json"])
    said = capsys.readouterr()
    assert code in (2, 4)
    assert CANARY not in said.out + said.err
    assert said.err.startswith("authkit: ")
    assert said.err.count("\n") == 1
    assert '"error": "' in said.out


def test_no_words_at_all_are_answered_with_help(tmp_path: Path) -> None:
    said = authkit("secrets", cwd=tmp_path)
    assert said.code == 2
    assert "rotate" in said.out


def test_a_reader_that_leaves_is_no_failure_with_a_traceback(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, "help", "exit-codes"], cwd=tmp_path, env=environment(), stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (EXITS["closed"][0], b"")


@pytest.mark.parametrize(("sent", "name"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_signal_ends_it_with_one_line(sent: signal.Signals, name: str, tmp_path: Path) -> None:
    said = at_a_terminal("secrets", "set", "NAME", cwd=tmp_path, typed=[sent])
    assert said.code == EXITS[name][0]
    assert said.out.splitlines()[-1] == f"authkit: {name}"
    assert "Traceback" not in said.out
    assert list(tmp_path.iterdir()) == []


def test_a_defect_of_ours_is_told_without_its_words() -> None:
    try:
        raise RuntimeError(f"the value is {CANARY}")
    except RuntimeError as error:
        name, message = ended(error)
    assert name == "internal"
    assert CANARY not in message
    assert "RuntimeError in" in message


def test_on_a_terminal_there_is_colour_and_with_no_color_none(tmp_path: Path) -> None:
    drawn = at_a_terminal("help", "exit-codes", cwd=tmp_path)
    assert "\x1b[1m" in drawn.out
    assert "╭" in drawn.out
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        said = at_a_terminal("help", "exit-codes", cwd=tmp_path, **env)
        assert "\x1b" not in said.out
        assert "╭" not in said.out
