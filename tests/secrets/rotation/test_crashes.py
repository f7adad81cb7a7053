"""A rotation that dies anywhere: the place is whole, has a valid current value, and the next run ends where this one would.

First at every single file operation, in turn; then a real process, killed at random moments while another one reads.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from authkit.secrets import Dotenv
from authkit.secrets.files import MountedFiles
from authkit.secrets.rotation.directory import FilesTarget
from authkit.secrets.rotation.dotenv_file import DotenvTarget
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.journal import Journal
from authkit.secrets.rotation.outcome import StillInGrace
from authkit.secrets.versions import SecretVersions, sealed
from authkit.settings import Settings
from tests.secrets.rotation.failing import Died, Failing

NOW = 1_800_000_000.0
DEVELOPMENT = Settings({"AUTHKIT_ENV": "development"}, "/nonexistent")
BEFORE = "# head\nexport KEY='zero' # the key\nOTHER=1"


class Place:
    """A secret KEY in a file or a directory of its own, changed through one kind of `system` and read as a service reads it."""

    def __init__(self, folder: Path, kind: str) -> None:
        folder.mkdir()
        self.folder, self.kind = folder, kind
        self.path = folder / ("secrets" if kind == "files" else ".env")
        if kind == "files":
            self.path.mkdir()
            for name, value in (("KEY", "zero"), ("OTHER", "1")):
                (self.path / name).write_text(value)
                (self.path / name).chmod(0o600)
        else:
            self.path.write_text(BEFORE)
            self.path.chmod(0o600)
        self.made: list[str] = []

    def rotation(self, system: object = os) -> Rotation:
        target = FilesTarget(self.path, system=system) if self.kind == "files" else DotenvTarget(self.path, system=system)
        journal = Journal(self.folder / "journal", clock=lambda: NOW, system=system)
        return Rotation(target, journal=journal, clock=lambda: NOW)

    def make(self) -> Callable[[], str | bytes]:
        self.made.append(f"value-{len(self.made)}")
        return sealed(self.made[-1])

    def read(self, name: str = "KEY") -> SecretVersions:
        source = MountedFiles(self.path) if self.kind == "files" else Dotenv(str(self.path), settings=DEVELOPMENT)
        return source.fetch(name)

    def litter(self) -> list[str]:
        """What is there that should not be once a rotation is over."""
        where = self.path if self.kind == "files" else self.folder
        names = {path.name for path in where.iterdir()}
        if self.kind == "files":
            generations = [name for name in names if name.startswith("..authkit-")]
            return [*generations[1:], *(name for name in names if name.endswith((".tmp", ".link", "-lock")))]
        return sorted(names - {".env", "journal"})


def _at_every_call(
    tmp_path: Path, kind: str, prepare: Callable[[Place], None], action: Callable[[Place, object], None], *, stride: int = 1
) -> int:
    """Die at the first call, then at the second, ...; after each death look, run again, and look again."""
    undisturbed = Place(tmp_path / "undisturbed", kind)
    prepare(undisturbed)
    unchanged = undisturbed.read().current
    action(undisturbed, Failing())
    end = undisturbed.read()
    at = 0
    while True:
        at += stride
        place = Place(tmp_path / str(at), kind)
        prepare(place)
        first = place.read()
        system = Failing(at)
        try:
            action(place, system)
            assert system.failed is None
        except Died:
            pass
        system.bury()
        dead = place.read()
        accepted = {first.current, first.previous, *place.made}
        assert {dead.current, dead.previous, dead.pending} <= accepted | {None}
        if dead.current != first.current:
            assert dead.previous == first.current, "what was current is no longer accepted"
            assert dead.previous_until is not None
            assert dead.previous_until > NOW
        assert place.read("OTHER").current == "1"
        if system.failed is None:
            return at
        action(place, Failing())
        done = place.read()
        if dead.pending is not None and dead.pending != first.pending:
            assert done.current == dead.pending, "a second new value was promoted"
        if dead.current != first.current:
            assert done.current == dead.current, "what was done was done twice"
        assert (done.previous, done.pending, done.current == unchanged) == (end.previous, end.pending, end.current == unchanged)
        assert place.read("OTHER").current == "1"
        place.rotation(Failing()).discard("KEY")  # which finds nothing to do, and sweeps
        assert place.litter() == []
        assert place.rotation().status("KEY").state != "interrupted"


def _rotate(place: Place, system: object) -> None:
    try:
        place.rotation(system).rotate("KEY", place.make, test=lambda value: True)
    except StillInGrace:  # the last run had reached its end, and died after that
        assert place.read().current == place.made[-1]
        assert place.rotation().history("KEY")[-1]["step"] == "end"


def _rotate_again(place: Place, system: object) -> None:
    rotation = place.rotation(system)
    if place.read().current in ("first", "zero") or rotation.status("KEY").state == "interrupted":
        rotation.rotate("KEY", place.make, force=True)


def _roll_back(place: Place, system: object) -> None:
    place.rotation(system).roll_back("KEY")


def _retire(place: Place, system: object) -> None:
    place.rotation(system).retire("KEY")


def _nothing(place: Place) -> None:
    pass


def _rotated_once(place: Place) -> None:
    place.rotation(Failing()).rotate("KEY", lambda: sealed("first"))


_ACTIONS = pytest.mark.parametrize(
    ("prepare", "action"),
    [(_nothing, _rotate), (_rotated_once, _rotate_again), (_rotated_once, _roll_back), (_rotated_once, _retire)],
    ids=["rotate", "forced", "roll_back", "retire"],
)


@_ACTIONS
def test_what_dies_at_any_operation_on_a_dotenv_file_is_finished_by_the_next_run(
    prepare: Callable[[Place], None], action: Callable[[Place, object], None], tmp_path: Path
) -> None:
    """ROT-01: every boundary between two system calls, the journal's included."""
    assert _at_every_call(tmp_path, "dotenv", prepare, action) > 60


@_ACTIONS
def test_what_dies_at_many_operations_on_a_directory_is_finished_by_the_next_run(
    prepare: Callable[[Place], None], action: Callable[[Place, object], None], tmp_path: Path
) -> None:
    """ROT-01: a seventh of the boundaries; `make soak` takes them all."""
    assert _at_every_call(tmp_path, "files", prepare, action, stride=7) > 100


@pytest.mark.soak
@_ACTIONS
def test_what_dies_at_any_operation_on_a_directory_is_finished_by_the_next_run(
    prepare: Callable[[Place], None], action: Callable[[Place, object], None], tmp_path: Path
) -> None:
    """ROT-01."""
    assert _at_every_call(tmp_path, "files", prepare, action) > 100


# A real process, killed


_ROTATOR = """
import sys
from authkit.secrets.rotation.dotenv_file import DotenvTarget
from authkit.secrets.rotation.directory import FilesTarget
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.generate import generate
from authkit.secrets.rotation.journal import Journal

kind, path, made = sys.argv[1:]

def make():
    value = generate()
    with open(made, "a") as stream:
        stream.write(value() + "\\n")
    return value

target = FilesTarget(path) if kind == "files" else DotenvTarget(path)
rotation = Rotation(target, journal=Journal(path + ".history.jsonl"))
while True:
    rotation.rotate("KEY", make, force=True, test=lambda value: True)
    print("ready", flush=True)
"""

_READER = """
import os
import sys
from authkit.secrets import Dotenv
from authkit.secrets.files import MountedFiles
from authkit.settings import Settings

kind, path, made, stop = sys.argv[1:]
settings = Settings({"AUTHKIT_ENV": "development"}, "/nonexistent")
source = MountedFiles(path) if kind == "files" else Dotenv(path, settings=settings)
known = {"zero"}
reads = 0
while not os.path.exists(stop):
    seen = source.fetch("KEY")
    for value in (seen.current, seen.previous, seen.pending):
        if value is not None and value not in known:
            known.update(open(made).read().split())
            if value not in known:
                sys.exit("a value that nobody made")
    if source.fetch("OTHER").current != "1":
        sys.exit("another secret was harmed")
    reads += 1
    if reads == 1:
        print("reading", flush=True)
print(reads, flush=True)
"""


def _killed(tmp_path: Path, kind: str, times: int, rng: random.Random) -> None:
    place = Place(tmp_path / "place", kind)
    made, stop = tmp_path / "made", tmp_path / "stop"
    made.write_text("")
    arguments = [kind, str(place.path), str(made)]
    reader = subprocess.Popen([sys.executable, "-c", _READER, *arguments, str(stop)], stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    assert reader.stdout.readline() == "reading\n"
    target = FilesTarget(place.path) if kind == "files" else DotenvTarget(place.path)
    rotation = Rotation(target, journal=Journal(f"{place.path}.history.jsonl"))
    interrupted = 0
    for _ in range(times):
        with subprocess.Popen([sys.executable, "-c", _ROTATOR, *arguments], stdout=subprocess.PIPE, text=True) as rotator:
            assert rotator.stdout is not None
            assert rotator.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0, 0.04))
            rotator.send_signal(signal.SIGKILL)
        seen = place.read()
        values = ["zero", *made.read_text().split()]
        assert seen.current in values
        assert seen.previous is None or seen.previous in values[: values.index(str(seen.current))]
        if rotation.status("KEY").state == "interrupted":
            interrupted += 1
            ours = f"by-hand-{interrupted}"
            with made.open("a") as stream:
                stream.write(ours + "\n")
            assert rotation.rotate("KEY", lambda ours=ours: sealed(ours), test=lambda value: True).resumed  # type: ignore[misc]
            done = place.read()
            if seen.pending is not None:
                assert (done.current, done.previous) == (seen.pending, seen.current)
            else:
                assert done.current == seen.current or (done.current, done.previous) == (ours, seen.current)
        assert place.read().pending is None
    rotation.discard("KEY")  # which finds nothing to do, and sweeps
    stop.touch()
    reads = int(reader.stdout.readline())
    reader.stdout.close()
    assert reader.wait(30) == 0
    assert reads > times
    assert interrupted > times // 10, f"{interrupted} of {times} kills met a rotation at work"
    assert [name for name in place.litter() if "history" not in name] == []
    if kind == "dotenv":
        assert place.path.read_text().startswith("# head\nexport KEY='")
        assert place.path.read_text().endswith("\nOTHER=1")


@pytest.mark.parametrize("kind", ["dotenv", "files"])
def test_a_process_killed_at_random_moments_leaves_a_whole_place_each_time(
    kind: str, tmp_path: Path, rng: random.Random
) -> None:
    """ROT-01, a hundredth of the scale of `make soak`."""
    _killed(tmp_path, kind, 10, rng)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["dotenv", "files"])
def test_a_thousand_kills_tear_nothing(kind: str, tmp_path: Path, rng: random.Random) -> None:
    """ROT-01."""
    _killed(tmp_path, kind, 1000, rng)


# Two at once, and signals


_CONTENDER = """
import sys, time
from authkit.secrets.rotation import Busy
from authkit.secrets.rotation.dotenv_file import DotenvTarget
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.generate import generate
from authkit.secrets.rotation.journal import Journal
from authkit.secrets.rotation.outcome import StillInGrace

rotation = Rotation(DotenvTarget(sys.argv[1]), journal=Journal(sys.argv[1] + ".history.jsonl"))
print("ready", flush=True)
for line in sys.stdin:
    value = generate()
    try:
        rotation.rotate("KEY", lambda: value, test=lambda pending: not time.sleep(0.005))
        print("won", value(), flush=True)
    except (Busy, StillInGrace) as error:
        print(type(error).__name__, flush=True)
"""


def _contend(tmp_path: Path, rounds: int) -> None:
    place = Place(tmp_path / "place", "dotenv")
    command = [sys.executable, "-c", _CONTENDER, str(place.path)]
    contenders = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    rotation = Rotation(DotenvTarget(place.path), journal=Journal(f"{place.path}.history.jsonl"))
    busy = 0
    for contender in contenders:
        assert contender.stdout is not None
        assert contender.stdout.readline() == "ready\n"
    for _ in range(rounds):
        before = place.read().current
        for contender in contenders:
            assert contender.stdin is not None
            contender.stdin.write("go\n")
            contender.stdin.flush()
        answers = [contender.stdout.readline().split() for contender in contenders if contender.stdout is not None]
        [[_, value]] = [answer for answer in answers if answer[0] == "won"]
        assert {answer[0] for answer in answers} <= {"won", "Busy", "StillInGrace"}
        busy += sum(answer[0] == "Busy" for answer in answers)
        seen = place.read()
        assert (seen.current, seen.previous, seen.pending) == (value, before, None)
        rotation.retire("KEY")
    for contender in contenders:
        contender.communicate(timeout=30)
        assert contender.returncode == 0
    assert busy >= rounds // 2
    assert [entry["step"] for entry in rotation.history("KEY")].count("promoted") == rounds


def test_of_four_at_once_one_wins_and_the_others_are_told(tmp_path: Path) -> None:
    """ROT-05, a hundredth of the scale of `make soak`."""
    _contend(tmp_path, 5)


@pytest.mark.soak
def test_of_four_at_once_one_wins_five_hundred_times(tmp_path: Path) -> None:
    """ROT-05."""
    _contend(tmp_path, 500)


_WAITING = """
import sys, time
from authkit.secrets.rotation.dotenv_file import DotenvTarget
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.journal import Journal
from authkit.secrets.rotation.outcome import StillInGrace
from authkit.secrets.versions import sealed

def test(value):
    print("testing", flush=True)
    time.sleep(60)

rotation = Rotation(DotenvTarget(sys.argv[1]), journal=Journal(sys.argv[1] + ".history.jsonl"))
rotation.rotate("KEY", lambda: sealed("one"), test=test)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_in_the_middle_is_undone_or_finished_by_the_next_run(number: signal.Signals, tmp_path: Path) -> None:
    """ROT-05: the lock is free and no value was printed; what Python makes an exception of takes back what was staged."""
    place = Place(tmp_path / "place", "dotenv")
    command = [sys.executable, "-c", _WAITING, str(place.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "testing\n"
        waiting.send_signal(number)
        _, said = waiting.communicate(timeout=30)
        assert waiting.returncode != 0
    assert "zero" not in said
    undone = number == signal.SIGINT
    seen = place.read()
    assert (seen.current, seen.previous, seen.pending) == ("zero", None, None if undone else "one")
    rotation = Rotation(DotenvTarget(place.path), journal=Journal(f"{place.path}.history.jsonl"))
    outcome = rotation.rotate("KEY", lambda: sealed("two"))
    assert outcome.resumed is not undone
    seen = place.read()
    assert (seen.current, seen.previous, seen.pending) == ("two" if undone else "one", "zero", None)
    assert place.litter() == [".env.history.jsonl"]
