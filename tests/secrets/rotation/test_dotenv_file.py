"""DotenvTarget: a `.env` file replaced whole or not at all, by one at a time, and only where it is ours."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authkit.errors import AuthkitError, ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets import Dotenv
from authkit.secrets.rotation import Busy, RotationTarget
from authkit.secrets.rotation.dotenv_file import DotenvTarget
from authkit.secrets.versions import sealed
from authkit.settings import Settings
from tests.secrets.rotation.failing import Failing, Full

CANARY = "canary-9f8e7d6c5b4a"
BEFORE = f"# head\nA=1\nexport KEY='old-{CANARY}' # the key\n\nZ=\"26\"\n"
DEVELOPMENT = Settings({"AUTHKIT_ENV": "development"}, "/nonexistent")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return _write(tmp_path / ".env", BEFORE)


def _write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def _left(path: Path) -> set[str]:
    return {found.name for found in path.parent.iterdir()} - {path.name}


def _new() -> Callable[[], str | bytes]:
    return sealed(f"new-{CANARY}")


def _rotated(target: RotationTarget, until: float = 2_000_000_000) -> None:
    target.stage("KEY", _new())
    target.promote("KEY", until)


def _error(call: Callable[[], object]) -> AuthkitError | None:
    try:
        call()
    except AuthkitError as error:
        return error
    return None


def _shown(error: BaseException) -> str:
    """What a report of the error with the local variables of our frames would show, its whole chain included."""
    shown, link = [], error.__context__
    for one in [error] if link is None else [error, link]:
        shown.append(str(one))
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if "/authkit/" in frame.f_code.co_filename:
                shown.append(repr(frame.f_locals))
    return "".join(shown)


# The steps


def test_the_steps_are_what_the_source_reads(path: Path) -> None:
    target, source = DotenvTarget(path), Dotenv(str(path), settings=DEVELOPMENT)
    assert target.names() == ["A", "KEY", "Z"]
    assert str(target) == f"dotenv:{path}"
    _rotated(target)
    seen = source.fetch("KEY")
    assert (seen.current, seen.previous, seen.pending) == (f"new-{CANARY}", f"old-{CANARY}", None)
    assert seen.previous_until == 2_000_000_000
    assert seen.same_as(target.read("KEY"))
    assert target.names() == ["A", "KEY", "Z"]
    target.roll_back("KEY", 2_000_000_001.2)
    seen = source.fetch("KEY")
    assert (seen.current, seen.previous, seen.previous_until) == (f"old-{CANARY}", f"new-{CANARY}", 2_000_000_002)
    target.retire("KEY")
    assert path.read_text() == BEFORE
    assert _left(path) == set()


def test_steps_that_have_nothing_to_do_do_not_touch_the_file(path: Path) -> None:
    target, before = DotenvTarget(path), path.stat()
    target.promote("KEY", 1)
    target.retire("KEY")
    target.discard("KEY")
    assert path.stat() == before
    target.stage("KEY", _new())
    staged = path.stat()
    target.stage("KEY", sealed("another"))
    assert path.stat() == staged
    assert target.read("KEY").pending == f"new-{CANARY}"
    target.discard("KEY")
    assert path.read_text() == BEFORE


def test_a_name_that_is_not_there_is_not_found_but_can_be_created(path: Path) -> None:
    target = DotenvTarget(path)
    steps: list[Callable[[], object]] = [
        lambda: target.read("NEW"),
        lambda: target.stage("NEW", _new()),
        lambda: target.promote("NEW", 1),
        lambda: target.roll_back("NEW", 1),
        lambda: target.roll_back("KEY", 1),
        lambda: target.retire("NEW"),
        lambda: target.discard("NEW"),
    ]
    for step in steps:
        with pytest.raises(SecretNotFound):
            step()
    assert path.read_text() == BEFORE
    target.create("NEW", _new())
    assert path.read_text() == BEFORE + f"NEW=new-{CANARY}\n"


def test_a_file_that_is_not_there_is_created_for_its_owner_alone(tmp_path: Path) -> None:
    os.umask(os.umask(0o077))
    target = DotenvTarget(tmp_path / ".env")
    assert target.names() == []
    with pytest.raises(SecretNotFound):
        target.read("KEY")
    target.create("KEY", _new())
    assert (tmp_path / ".env").read_text() == f"KEY=new-{CANARY}\n"
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    with pytest.raises(ConfigurationError):
        DotenvTarget(tmp_path / "no" / ".env").create("KEY", _new())


def test_creating_drops_the_previous_value(path: Path) -> None:
    target = DotenvTarget(path)
    _rotated(target)
    target.create("KEY", sealed("third"))
    assert path.read_text() == BEFORE.replace(f"old-{CANARY}", "third")


@pytest.mark.parametrize(
    "name", ["", "a b", "1A", "A=B", "A\n", "KEY__PREVIOUS", "KEY__PENDING", "KEY__PREVIOUS_UNTIL", "é", "x" * 300]
)
def test_what_cannot_be_a_name_is_refused(name: str, path: Path) -> None:
    target = DotenvTarget(path)
    with pytest.raises(ConfigurationError, match="name"):
        target.read(name)
    with pytest.raises(ConfigurationError, match="name"):
        target.create(name, _new())


@pytest.mark.parametrize("value", ["", "  \n", b"\xff\xfe", "a\0b", "\ud800"])
def test_what_cannot_be_a_value_is_refused(value: str | bytes, path: Path) -> None:
    with pytest.raises(ConfigurationError):
        DotenvTarget(path).stage("KEY", sealed(value))
    assert path.read_text() == BEFORE
    assert _left(path) == set()


@pytest.mark.parametrize("value", ["-----BEGIN X-----\nabc=\n-----END X-----\n", 'it\'s "so" $x `y` \\', "a\r\nb", b"bytes"])
def test_values_of_every_sort_become_current_to_the_byte(value: str | bytes, path: Path) -> None:
    target = DotenvTarget(path)
    target.stage("KEY", sealed(value))
    target.promote("KEY", 2_000_000_000)
    assert Dotenv(str(path), settings=DEVELOPMENT).fetch("KEY").current == (value if isinstance(value, str) else value.decode())


@pytest.mark.parametrize(
    "text",
    [
        "KEY=1\nKEY=2\n",
        "KEY\n",
        "KEY=`x`\n",
        "KEY=\n",
        "KEY=1\n\0",
        "KEY=1\nKEY__PENDING\n",
        "KEY=1\nKEY__PREVIOUS_UNTIL=soon\nKEY__PREVIOUS=x\n",
    ],
)
def test_a_file_in_which_the_name_cannot_be_told_is_refused(text: str, path: Path) -> None:
    _write(path, text)
    with pytest.raises(ConfigurationError):
        DotenvTarget(path).stage("KEY", _new())
    assert path.read_text() == text
    assert _left(path) == set()


def test_a_quote_that_is_open_elsewhere_never_swallows_the_new_value(path: Path) -> None:
    text = "A='open\nKEY=old\nB=\"open too\n"
    _write(path, text)
    target = DotenvTarget(path)
    for value in ('it\'s "hard" $x', "plain", "'", '"', "a\nb"):
        error = _error(lambda value=value: target.create("KEY", sealed(value)))  # type: ignore[misc]
        if error is None:
            assert target.read("KEY").current == value
        else:
            assert "nothing was changed" in str(error)
    assert path.read_text().startswith("A='open\n")
    assert path.read_text().endswith('B="open too\n')


# How the file is replaced


def test_what_is_written_is_on_the_disk_before_it_has_the_name(path: Path) -> None:
    """ROT-01: beside it and new, dressed before it is filled, both synced, and the directory after the rename."""
    system = Failing()
    DotenvTarget(path, system=system).stage("KEY", _new())
    replaced = [call for call, arguments in system.calls if call in ("rename", "unlink", "fchown", "fchmod", "write", "fsync")]
    assert replaced == ["fchown", "fchmod", "write", "fsync", "rename", "fsync", "unlink"]  # the last one is the lock's
    [(_, opened)] = [(call, given) for call, given in system.calls if call == "open" and given[1] & os.O_EXCL]
    assert opened[1] & os.O_NOFOLLOW
    assert opened[1] & os.O_CREAT
    assert opened[2] == 0o600
    assert "/" not in opened[0]  # relative to the open directory
    synced = [given[0] for call, given in system.calls if call == "fsync"]
    written = [given[0] for call, given in system.calls if call == "write"]
    assert synced[0] == written[0] != synced[1]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400, 0o644])
def test_mode_and_group_stay(mode: int, path: Path) -> None:
    path.chmod(mode)
    before = path.stat()
    _rotated(DotenvTarget(path))
    after = path.stat()
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


def test_an_access_list_goes_with_the_file_before_there_is_anything_in_it(path: Path) -> None:
    class Listed(Failing):
        def getxattr(self, where: str, attribute: str) -> bytes:
            assert Path(where).samefile(path)
            assert attribute == "system.posix_acl_access"
            return b"list"

        def setxattr(self, file: int, attribute: str, value: bytes) -> None:
            self.calls.append(("setxattr", (file, attribute, value)))

    system = Listed()
    DotenvTarget(path, system=system).stage("KEY", _new())
    order = [name for name, _ in system.calls if name in ("fchmod", "setxattr", "write")]
    assert order == ["fchmod", "setxattr", "write"]
    assert ("system.posix_acl_access", b"list") in [given[1:] for name, given in system.calls if name == "setxattr"]


def test_a_backup_is_kept_only_when_asked_for_and_is_what_was_before_the_whole_rotation(path: Path) -> None:
    target = DotenvTarget(path, backup=True)
    with target.locked("KEY"):
        _rotated(target)
    backup = path.with_name(".env.bak")
    assert backup.read_text() == BEFORE
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert _left(path) == {".env.bak"}


def test_a_backup_never_goes_through_a_link(path: Path, tmp_path: Path) -> None:
    other = _write(tmp_path / "other", "untouched")
    path.with_name(".env.bak").symlink_to(other)
    DotenvTarget(path, backup=True).stage("KEY", _new())
    assert other.read_text() == "untouched"
    assert not path.with_name(".env.bak").is_symlink()


def test_what_killed_runs_left_is_removed_and_nothing_else(path: Path) -> None:
    others = {".env.0123456789abcdef.tmpx", ".env.tmp", ".env.local", "x.env.0123456789abcdef.tmp", ".env.0123456789ABCDEF.tmp"}
    for name in others:
        _write(path.with_name(name), "KEEP=1\n")
    _write(path.with_name(".env.0123456789abcdef.tmp"), BEFORE)
    path.with_name(".env.fedcba9876543210.tmp").symlink_to(path)
    DotenvTarget(path).stage("KEY", _new())
    assert _left(path) == others | {".env.fedcba9876543210.tmp"}


def test_a_change_by_somebody_else_meanwhile_is_not_written_away(path: Path) -> None:
    class Editor(Failing):
        def fsync(self, file: int) -> None:
            if not self.at:
                self.at = -1
                _write(path.with_name("editor"), BEFORE + "MINE=1\n").rename(path)
            os.fsync(file)

    with pytest.raises(Busy, match="somebody else"):
        DotenvTarget(path, system=Editor()).stage("KEY", _new())
    assert path.read_text() == BEFORE + "MINE=1\n"
    assert _left(path) == {"editor"} - {"editor"}


# ROT-03: what is refused


def _symlink(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def _hard_link(path: Path) -> None:
    os.link(path, path.with_name("second"))


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _socket(path: Path) -> None:
    path.unlink()
    where = os.getcwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(where)


def _group_writable(path: Path) -> None:
    path.chmod(0o660)


def _world_writable(path: Path) -> None:
    path.chmod(0o602)


def _too_large(path: Path) -> None:
    _write(path, BEFORE + "#" * 1_048_576)


def _open_directory(path: Path) -> None:
    path.parent.chmod(0o777)


_TYPES = [
    _symlink,
    _dangling,
    _hard_link,
    _fifo,
    _directory,
    _socket,
    _group_writable,
    _world_writable,
    _too_large,
    _open_directory,
]


@pytest.mark.parametrize("make", _TYPES, ids=lambda make: make.__name__[1:])
def test_what_is_not_a_file_of_ours_alone_is_refused_and_stays(make: Callable[[Path], None], tmp_path: Path) -> None:
    """ROT-03. Nothing hangs, nothing is followed, nothing is copied."""
    (tmp_path / "etc").mkdir()
    path = _write(tmp_path / "etc" / ".env", BEFORE)
    make(path)
    before = {found.name: found.lstat() for found in path.parent.iterdir()}
    target = DotenvTarget(path)
    for step in (lambda: target.create("KEY", _new()), lambda: target.stage("KEY", _new())):
        with pytest.raises((ConfigurationError, SecretNotFound)) as caught:
            step()
        assert CANARY not in str(caught.value)
    assert {found.name: found.lstat().st_ino for found in path.parent.iterdir()} == {
        name: status.st_ino for name, status in before.items()
    }


def test_a_device_is_refused_without_being_opened_and_no_lock_is_made_beside_it() -> None:
    target = DotenvTarget("/dev/null")
    with pytest.raises(ConfigurationError, match="not a regular file"):
        target.create("KEY", _new())
    assert not os.path.lexists("/dev/null.lock")


def test_a_file_of_another_user_is_refused(path: Path) -> None:
    class Foreign(Failing):
        def stat(self, *args: object, **kwargs: object) -> os.stat_result:
            return self._of(os.stat(*args, **kwargs))  # type: ignore[arg-type]

        def fstat(self, file: int) -> os.stat_result:
            return self._of(os.fstat(file))

        def _of(self, status: os.stat_result) -> os.stat_result:
            return os.stat_result((*status[:4], os.geteuid() + 1, *status[5:]))

    with pytest.raises(ConfigurationError, match="another user"):
        DotenvTarget(path, system=Foreign()).stage("KEY", _new())
    assert path.read_text() == BEFORE


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EBUSY])
def test_a_rename_across_file_systems_never_falls_back_to_copying(number: int, path: Path) -> None:
    """ROT-03: a file that is mounted by itself."""

    class Mounted(Failing):
        def rename(self, *args: object, **kwargs: object) -> None:
            raise OSError(number, os.strerror(number))

    with pytest.raises(ConfigurationError, match="mounted by itself"):
        DotenvTarget(path, system=Mounted()).stage("KEY", _new())
    assert path.read_text() == BEFORE
    assert _left(path) == set()


@pytest.mark.parametrize("given", ["", "/", "dir/", "."])
def test_a_path_that_names_no_file_is_refused(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError):
        DotenvTarget(given).create("KEY", _new())


# The lock


def test_one_rotation_at_a_time_in_a_thread_as_in_another_process(path: Path) -> None:
    target = DotenvTarget(path)
    caught: list[BaseException] = []

    def other() -> None:
        for attempt in (lambda: DotenvTarget(path).stage("A", _new()), lambda: target.stage("A", _new())):
            try:
                attempt()
            except Busy as error:
                caught.append(error)

    with target.locked("KEY"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
        done = subprocess.run(
            [sys.executable, "-c", _STAGE, str(path)], capture_output=True, text=True, timeout=30, check=False
        )
        target.stage("KEY", _new())  # the holder itself is not kept out
    assert len(caught) == 2
    assert done.stdout.strip() == "Busy", done.stderr
    assert path.read_text() == BEFORE.replace("\n\nZ", f"\nexport KEY__PENDING=new-{CANARY}\n\nZ")
    target.stage("A", _new())
    assert _left(path) == set()


_STAGE = """
import sys
from authkit.secrets.rotation.dotenv_file import DotenvTarget
from authkit.secrets.versions import sealed
try:
    DotenvTarget(sys.argv[1]).stage("A", sealed("x"))
except Exception as error:
    print(type(error).__name__)
"""


def test_a_lock_file_that_is_left_over_is_free(path: Path) -> None:
    lock = _write(path.with_name(".env.lock"), "")
    DotenvTarget(path).stage("KEY", _new())
    assert not lock.exists()


def test_a_lock_file_that_others_could_hold_is_refused_and_never_followed(path: Path) -> None:
    lock, other = path.with_name(".env.lock"), _write(path.with_name("other"), "x")
    lock.symlink_to(other)
    with pytest.raises(ConfigurationError, match="lock"):
        DotenvTarget(path).stage("KEY", _new())
    lock.unlink()
    _write(lock, "", 0o644)
    with pytest.raises(ConfigurationError, match="lock"):
        DotenvTarget(path).stage("KEY", _new())
    lock.unlink()
    os.link(other, lock)
    with pytest.raises(ConfigurationError, match="lock"):
        DotenvTarget(path).stage("KEY", _new())
    assert other.read_text() == "x"
    assert path.read_text() == BEFORE


# ROT-02: faults


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_fault_at_any_call_leaves_the_old_file_or_the_new_one_whole(number: int, tmp_path: Path) -> None:
    """ROT-02. The error is ours and holds no value; run again, it is done."""
    reached, at = set(), 0
    while True:
        at += 1
        path = _write(tmp_path / f"{number}-{at}.env", BEFORE)
        system = Failing(at, OSError(number, ""))
        error = _error(lambda target=DotenvTarget(path, system=system): target.stage("KEY", _new()))  # type: ignore[misc]
        if error is not None:
            assert isinstance(error, (SecretUnavailable, ConfigurationError))
            assert CANARY not in _shown(error)
        if system.failed is None:
            break
        reached.add(system.failed)
        seen = DotenvTarget(path).read("KEY")
        assert (seen.current, seen.previous) == (f"old-{CANARY}", None)
        assert path.read_text() in (BEFORE, BEFORE.replace("\n\nZ", f"\nexport KEY__PENDING=new-{CANARY}\n\nZ"))
        DotenvTarget(path).stage("KEY", _new())
        assert DotenvTarget(path).read("KEY").pending == f"new-{CANARY}"
        assert {name for name in _left(path) if name.startswith(path.name)} == set()
    assert {"open", "fstat", "fchown", "fchmod", "write", "fsync", "rename", "close", "stat", "listdir", "read"} <= reached


@pytest.mark.parametrize("room", [0, 1, 40])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(room: int, path: Path) -> None:
    with pytest.raises(SecretUnavailable, match="ENOSPC"):
        DotenvTarget(path, system=Full(room)).stage("KEY", _new())
    assert path.read_text() == BEFORE
    assert _left(path) == set()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path | None]:
    """A file system of 64 KiB of its own; None where this user may not mount one."""
    where = tmp_path / "small"
    where.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(where)], capture_output=True, timeout=10, check=False
    )
    if mounted.returncode:
        yield None
    else:
        yield where
        subprocess.run(["umount", str(where)], timeout=10, check=True)


def test_a_file_system_that_is_really_full_leaves_the_old_file(small: Path | None, tmp_path: Path) -> None:
    """ROT-02: a tmpfs of 64 KiB; where none can be mounted, a disk that is played."""
    where = small or tmp_path
    path = _write(where / ".env", BEFORE + "# filler\n" * 2000)
    before = path.read_bytes()
    if small is not None:
        (where / "filler").write_bytes(b"x" * 40_000)
    target = DotenvTarget(path, system=os if small is not None else Full(8000))
    with pytest.raises(SecretUnavailable, match="ENOSPC"):
        target.stage("KEY", _new())
    assert path.read_bytes() == before
    assert _left(path) <= {"filler", "small"}
    if small is not None:
        (where / "filler").unlink()
        _rotated(target)
        assert target.read("KEY").current == f"new-{CANARY}"


def test_a_limit_on_the_size_of_files_leaves_the_old_file(path: Path) -> None:
    """ROT-02: a real error in the middle of a real write."""
    _write(path, BEFORE + "# filler\n" * 2000)
    before = path.read_bytes()

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))

    done = subprocess.run(
        [sys.executable, "-c", _STAGE, str(path)], capture_output=True, text=True, timeout=30, check=False, preexec_fn=limit
    )
    assert done.stdout.strip() == "SecretUnavailable", done.stderr
    assert path.read_bytes() == before
    assert _left(path) == set()
