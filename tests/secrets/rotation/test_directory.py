"""FilesTarget: several files of a directory changed at once, seen by `MountedFiles` as all old or all new."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from authkit.errors import AuthkitError, ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets.files import MountedFiles
from authkit.secrets.rotation import Busy
from authkit.secrets.rotation.directory import FilesTarget
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.journal import Journal
from authkit.secrets.versions import sealed
from tests.secrets.rotation.failing import Died, Failing, Full

CANARY = "canary-1a2b3c4d5e6f"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return _place(tmp_path / "secrets")


def _place(path: Path) -> Path:
    path.mkdir(mode=0o750)
    _write(path / "KEY", f"old-{CANARY}\n", 0o640)
    _write(path / "OTHER", "1", 0o600)
    return path


def _write(path: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def _new() -> Callable[[], str | bytes]:
    return sealed(f"new-{CANARY}")


def _rotated(target: FilesTarget) -> None:
    target.stage("KEY", _new())
    target.promote("KEY", 2_000_000_000)


def _shown(path: Path) -> list[str]:
    """What is in the directory for whoever lists it, without the generations."""
    return sorted(found.name for found in path.iterdir() if not found.name.startswith("..authkit-"))


def test_the_steps_are_what_the_source_reads_and_what_a_plain_reader_reads(path: Path) -> None:
    target, source = FilesTarget(path), MountedFiles(path)
    assert target.names() == ["KEY", "OTHER"]
    assert str(target) == f"files:{path}"
    _rotated(target)
    seen = source.fetch("KEY")
    assert (seen.current, seen.previous, seen.pending) == (f"new-{CANARY}", f"old-{CANARY}", None)
    assert seen.previous_until == 2_000_000_000
    assert seen.same_as(target.read("KEY"))
    assert (path / "KEY").read_text() == f"new-{CANARY}"
    assert (path / "KEY__PREVIOUS").read_text() == f"old-{CANARY}"
    assert source.fetch("OTHER").current == "1"
    assert target.names() == ["KEY", "OTHER"]
    target.roll_back("KEY", 2_000_000_001)
    assert source.fetch("KEY").named() == (("current", f"old-{CANARY}"), ("previous", f"new-{CANARY}"))
    target.retire("KEY")
    assert source.fetch("KEY").named() == (("current", f"old-{CANARY}"),)
    assert _shown(path) == ["..data", "KEY", "OTHER"]


def test_a_dropped_value_is_nowhere_in_the_directory(path: Path) -> None:
    target = FilesTarget(path)
    _rotated(target)
    target.retire("KEY")
    left = b"".join(found.read_bytes() for found in path.rglob("*") if found.is_file())
    assert b"new-" in left
    assert b"old-" not in left


def test_steps_that_have_nothing_to_do_leave_plain_files_plain(path: Path) -> None:
    target = FilesTarget(path)
    target.promote("KEY", 1)
    target.retire("KEY")
    target.discard("KEY")
    assert _shown(path) == ["KEY", "OTHER"]
    assert not (path / "KEY").is_symlink()
    target.stage("KEY", _new())
    before = os.readlink(path / "..data")
    target.stage("KEY", sealed("another"))
    assert os.readlink(path / "..data") == before
    assert target.read("KEY").pending == f"new-{CANARY}"


def test_modes_and_groups_stay_and_new_versions_take_those_of_their_name(path: Path) -> None:
    before = (path / "KEY").stat()
    _rotated(FilesTarget(path))
    for name in ("KEY", "KEY__PREVIOUS", "KEY__PREVIOUS_UNTIL"):
        status = (path / name).stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, before.st_uid, before.st_gid)
    assert stat.S_IMODE((path / "OTHER").stat().st_mode) == 0o600
    assert stat.S_IMODE((path / "..data" / ".").stat().st_mode) == 0o750


@pytest.mark.parametrize(
    "value", ["a\n", "a\r\n", "a\n\n", "  a  ", "a\r", "-----BEGIN X-----\nabc=\n-----END X-----\n", b"\xff\xfe\n", b"text"]
)
def test_values_of_every_sort_are_read_back_to_the_byte(value: str | bytes, path: Path) -> None:
    target = FilesTarget(path)
    target.create("NEW", sealed(value))
    expected = value.decode() if value == b"text" else value
    assert MountedFiles(path).fetch("NEW").current == expected
    target.stage("KEY", sealed(value))
    target.promote("KEY", 1)
    target.stage("KEY", sealed("next"))
    target.promote("KEY", 1)
    assert MountedFiles(path).fetch("KEY").previous == expected
    assert target.read("KEY").previous == expected


@pytest.mark.parametrize("value", ["", " \n", "\ud800", b""])
def test_what_cannot_be_a_value_is_refused(value: str | bytes, path: Path) -> None:
    with pytest.raises(ConfigurationError):
        FilesTarget(path).stage("KEY", sealed(value))
    assert _shown(path) == ["KEY", "OTHER"]


def test_a_name_that_is_not_there_is_not_found(path: Path) -> None:
    target = FilesTarget(path)
    steps: list[Callable[[], object]] = [
        lambda: target.read("NEW"),
        lambda: target.stage("NEW", _new()),
        lambda: target.promote("NEW", 1),
        lambda: target.roll_back("KEY", 1),
        lambda: target.retire("NEW"),
        lambda: target.discard("NEW"),
    ]
    for step in steps:
        with pytest.raises(SecretNotFound):
            step()
    for name in ("../x", "..data", "a/b", "", "KEY__PENDING", ".hidden"):
        with pytest.raises(ConfigurationError, match="name"):
            target.create(name, _new())
    assert _shown(path) == ["KEY", "OTHER"]


def _of_kubernetes(path: Path) -> Path:
    generation = path / "..2026_01_02_03_04_05.123456789"
    generation.mkdir(parents=True)
    _write(generation / "KEY", "old", 0o644)
    (path / "..data").symlink_to(generation.name)
    (path / "KEY").symlink_to("..data/KEY")
    return generation


def test_a_directory_that_kubernetes_manages_is_read_as_a_service_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "mounted"
    generation = _of_kubernetes(path)
    (generation / "folder").mkdir()
    _write(generation / "KEY__PREVIOUS", "older", 0o664)  # only its owner might change it; reading it harms nobody
    (path / "KEY__PREVIOUS").symlink_to("..data/KEY__PREVIOUS")
    target = FilesTarget(path)
    assert target.names() == ["KEY"]
    assert target.read("KEY").same_as(MountedFiles(path).fetch("KEY"))
    with pytest.raises(SecretNotFound):
        target.read("NONE")


def test_a_data_link_that_leads_out_of_the_directory_is_followed_by_nobody(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "mounted", tmp_path / "elsewhere"
    path.mkdir()
    elsewhere.mkdir()
    (path / "..data").symlink_to("../elsewhere")
    with pytest.raises(ConfigurationError, match="managed"):
        FilesTarget(path).names()


@pytest.mark.parametrize("first", ["create", "rotation"])
def test_a_first_secret_that_was_killed_on_its_way_is_made_by_the_next_run(first: str, tmp_path: Path) -> None:
    def create(target: FilesTarget) -> None:
        if first == "create":
            target.create("JWT", sealed("new"))
        else:
            Rotation(target, journal=Journal(tmp_path / "journal")).create("JWT", sealed("new"))

    at, dangling = 0, 0
    while True:
        at += 1
        path = tmp_path / str(at)
        path.mkdir(mode=0o700)
        system = Failing(at)
        try:
            create(FilesTarget(path, system=system))
        except Died:
            system.bury()
        dangling += (path / "JWT").is_symlink() and not (path / "JWT").exists()
        if not (path / "JWT").exists():
            assert FilesTarget(path).names() == []
            with pytest.raises(SecretNotFound):
                FilesTarget(path).read("JWT")
        create(FilesTarget(path))
        assert FilesTarget(path).read("JWT").current == "new"
        assert _shown(path) == ["..data", "JWT"]
        if system.failed is None:
            break
    assert dangling >= 1


def test_a_link_of_ours_that_leads_nowhere_is_swept(path: Path) -> None:
    _rotated(FilesTarget(path))
    (path / "GONE").symlink_to("..data/GONE")
    FilesTarget(path).discard("KEY")
    assert not (path / "GONE").is_symlink()


def test_a_directory_that_kubernetes_manages_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "mounted"
    generation = _of_kubernetes(path)
    for step in (lambda: FilesTarget(path).stage("KEY", _new()), lambda: FilesTarget(path).create("NEW", _new())):
        with pytest.raises(ConfigurationError, match="Kubernetes"):
            step()
    assert _shown(path) == sorted(["..data", generation.name, "KEY"])
    assert MountedFiles(path).fetch("KEY").named() == (("current", "old"),)


def _symlink(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def _hard_link(path: Path) -> None:
    os.link(path, path.parent.with_name("second"))


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _group_writable(path: Path) -> None:
    path.chmod(0o660)


def _open_directory(path: Path) -> None:
    path.parent.chmod(0o777)


@pytest.mark.parametrize(
    "make", [_symlink, _hard_link, _fifo, _directory, _group_writable, _open_directory], ids=lambda make: make.__name__[1:]
)
def test_what_is_not_a_file_of_ours_alone_is_refused_and_stays(make: Callable[[Path], None], path: Path) -> None:
    """ROT-03."""
    make(path / "KEY")
    before = {found.name: found.lstat().st_ino for found in path.iterdir()}
    with pytest.raises(ConfigurationError) as caught:
        FilesTarget(path).stage("KEY", _new())
    assert CANARY not in str(caught.value)
    assert {found.name: found.lstat().st_ino for found in path.iterdir()} == before


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for step in (lambda: FilesTarget(tmp_path / "no").names(), lambda: FilesTarget(tmp_path / "no").create("KEY", _new())):
        with pytest.raises(ConfigurationError, match="ENOENT"):
            step()


def test_a_file_that_was_put_there_by_hand_later_is_taken_in(path: Path) -> None:
    target = FilesTarget(path)
    _rotated(target)
    _write(path / "LATER", "by hand")
    (path / "KEY").unlink()
    _write(path / "KEY", "by hand too")
    target.stage("KEY", sealed("next"))
    assert MountedFiles(path).fetch("LATER").current == "by hand"
    assert MountedFiles(path).fetch("KEY").current == "by hand too"
    assert MountedFiles(path).fetch("KEY").pending == "next"


def test_what_is_not_ours_is_neither_moved_nor_removed(path: Path) -> None:
    (path / "folder").mkdir()
    (path / ".hidden").write_text("x")
    (path / "link").symlink_to("/nowhere")
    (path / "..authkit-0123456789abcdef").mkdir()  # what a killed run left
    _write(path / "..authkit-0123456789abcdef" / "KEY", "half")
    (path / "..authkit-0123456789abcdef.link").symlink_to("..authkit-0123456789abcdef")
    _rotated(FilesTarget(path))
    assert [name for name in _shown(path) if "KEY" not in name] == ["..data", ".hidden", "OTHER", "folder", "link"]
    assert [found.name for found in path.iterdir() if found.name.startswith("..authkit-")] == [os.readlink(path / "..data")]


def test_a_reader_never_sees_parts_of_two_changes(path: Path) -> None:
    """SEC-12: 100 changes of three files each, under two readers."""
    source, target, done = MountedFiles(path), FilesTarget(path, system=Failing()), threading.Event()
    wrong: list[str] = []

    def read() -> None:
        while not done.is_set():
            seen = source.fetch("KEY")
            if seen.previous is None or seen.pending is not None:
                continue
            if {seen.current, seen.previous} != {f"new-{CANARY}", f"old-{CANARY}"}:
                wrong.append("mixed")

    _rotated(target)
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        with target.locked("KEY"):
            for turn in range(100):
                target.roll_back("KEY", 2_000_000_000 + turn)
    finally:
        done.set()
        for reader in readers:
            reader.join(30)
    assert wrong == []


def test_one_rotation_at_a_time(path: Path) -> None:
    with FilesTarget(path).locked("KEY"), pytest.raises(Busy):
        FilesTarget(path).stage("OTHER", _new())
    FilesTarget(path).stage("OTHER", _new())


def _error(call: Callable[[], object]) -> AuthkitError | None:
    try:
        call()
    except AuthkitError as error:
        return error
    return None


@pytest.mark.parametrize(("number", "stride"), [(errno.ENOSPC, 2), (errno.EIO, 7)])
def test_a_fault_at_any_call_leaves_all_of_the_old_or_all_of_the_new(number: int, stride: int, tmp_path: Path) -> None:
    """ROT-02."""
    at = 0
    while True:
        at += stride
        path = _place(tmp_path / str(at))
        system = Failing(at, OSError(number, ""))
        error = _error(lambda path=path, system=system: FilesTarget(path, system=system).stage("KEY", _new()))  # type: ignore[misc]
        assert CANARY not in str(error)
        if system.failed is None:
            break
        assert error is None or isinstance(error, (SecretUnavailable, ConfigurationError))
        seen = MountedFiles(path).fetch("KEY")
        assert seen.named() in (
            (("current", f"old-{CANARY}"),),
            (("current", f"old-{CANARY}"), ("pending", f"new-{CANARY}")),
        )
        assert error is not None or seen.pending is not None
        assert MountedFiles(path).fetch("OTHER").current == "1"
        FilesTarget(path, system=Failing()).stage("KEY", _new())
        assert MountedFiles(path).fetch("KEY").pending == f"new-{CANARY}"
        assert len([found for found in path.iterdir() if found.name.startswith("..authkit-")]) == 1
    assert error is None
    assert at > 100


@pytest.mark.parametrize("room", [0, 10, 30])
def test_a_full_disk_leaves_every_value(room: int, path: Path) -> None:
    with pytest.raises(SecretUnavailable, match="ENOSPC"):
        FilesTarget(path, system=Full(room)).stage("KEY", _new())
    assert MountedFiles(path).fetch("KEY").named() == (("current", f"old-{CANARY}"),)
    assert MountedFiles(path).fetch("OTHER").current == "1"
