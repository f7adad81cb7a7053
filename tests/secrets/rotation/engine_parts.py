"""A place with one secret, its journal and a clock, for the tests of rotations; and a run that is killed in its test."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from authkit.secrets.rotation import RotationTarget
from authkit.secrets.rotation.directory import FilesTarget
from authkit.secrets.rotation.dotenv_file import DotenvTarget
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.journal import Journal
from authkit.secrets.versions import sealed
from tests.secrets.rotation.failing import Died, Failing

DAY = 86_400
NOW = 1_800_000_000.0


class Place:
    """A target with a secret KEY of value "zero", its journal, and a clock that stands until it is moved."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.now = NOW
        self.kind, self.path = kind, folder / ("secrets" if kind == "files" else ".env")
        if kind == "files":
            self.path.mkdir()
            (self.path / "KEY").write_text("zero\n")
            (self.path / "KEY").chmod(0o600)
        else:
            self.path.write_text("KEY=zero\nOTHER=1\n")
            self.path.chmod(0o600)
        self.target = self.open()
        self.rotation = self.using(self.target)

    def open(self, system: object = os) -> RotationTarget:
        return FilesTarget(self.path, system=system) if self.kind == "files" else DotenvTarget(self.path, system=system)

    def using(self, target: RotationTarget, system: object = os) -> Rotation:
        journal = Journal(f"{self.path}.history.jsonl", clock=lambda: self.now, system=system)
        return Rotation(target, journal=journal, clock=lambda: self.now)

    def values(self) -> tuple[object, object, object]:
        seen = self.target.read("KEY")
        return seen.current, seen.previous, seen.pending

    def steps(self) -> list[str]:
        return [f"{entry['action']}:{entry['step']}" for entry in self.rotation.history("KEY")]


def making(value: str) -> Callable[[], Callable[[], str | bytes]]:
    return lambda: sealed(value)


def never() -> Callable[[], str | bytes]:
    raise AssertionError("a second new value was made")


def killed_in_test(place: Place, value: str = "one", **options: object) -> None:
    """A rotation that is killed while its new value is tested."""
    system = Failing()

    def test(pending: Callable[[], str | bytes]) -> bool:
        system.die()
        return True

    with pytest.raises(Died):
        dying = place.using(place.open(system), system)
        dying.rotate("KEY", making(value), test=test, grace=DAY, **options)  # type: ignore[arg-type]
    system.bury()
    assert place.rotation.status("KEY").state == "interrupted"
