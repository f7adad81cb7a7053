"""MountedFiles: one file a secret, as Docker and Kubernetes mount them, and never two generations in one answer."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets import Environment, MountedFiles, Secrets, SecretVersions
from authkit.secrets.versions import is_blank
from tests.secrets.contract import CANARY, NamedVersionsContract


def _write(path: Path, content: str | bytes, mode: int = 0o444) -> None:
    if path.exists():
        path.chmod(0o600)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)


class Kubelet:
    """Changes a directory as Kubernetes' atomic writer does: a new generation beside the old one, the link renamed onto it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._count = 0

    def publish(self, values: dict[str, str]) -> None:
        self._count += 1
        old = os.readlink(self.directory / "..data") if (self.directory / "..data").is_symlink() else None
        new = self.directory / f"..2026_11_21_{self._count}"
        new.mkdir()
        for name, value in values.items():
            _write(new / name, value)
        (self.directory / "..data_tmp").symlink_to(new.name)
        os.rename(self.directory / "..data_tmp", self.directory / "..data")
        for name in values:
            if not (self.directory / name).is_symlink():
                (self.directory / name).symlink_to(f"..data/{name}")
        for link in self.directory.iterdir():
            if link.is_symlink() and link.name != "..data" and link.name not in values:
                link.unlink()
        if old is not None:
            shutil.rmtree(self.directory / old)


class TestDocker(NamedVersionsContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> MountedFiles:
        self.directory = tmp_path
        return MountedFiles(tmp_path)

    def keep(self, values: dict[str, str]) -> None:
        for old in self.directory.iterdir():
            old.unlink()
        for name, value in values.items():
            _write(self.directory / name, value)


class TestKubernetes(NamedVersionsContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> MountedFiles:
        self.kubelet = Kubelet(tmp_path)
        return MountedFiles(str(tmp_path))

    def keep(self, values: dict[str, str]) -> None:
        self.kubelet.publish(values)


def _value(directory: Path, name: str = "A") -> str | bytes:
    return MountedFiles(directory).fetch(name).current


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"a", "a"),
        (b"a\n", "a"),
        (b"a\r\n", "a"),
        (b"a\n\n", "a\n"),
        (b" a \n", " a "),
        (b"a\r", "a\r"),
        ("\N{SNOWMAN}\n".encode(), "\N{SNOWMAN}"),
        (b"\xff\x00\n", b"\xff\x00\n"),
        (b"a\0b", "a\0b"),
    ],
)
def test_text_loses_one_line_ending_at_its_end_and_bytes_lose_nothing(
    content: bytes, value: str | bytes, tmp_path: Path
) -> None:
    _write(tmp_path / "A", content)
    assert _value(tmp_path) == value


def test_a_pem_file_keeps_its_lines(tmp_path: Path) -> None:
    pem = "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n"
    _write(tmp_path / "tls.key", pem)
    assert _value(tmp_path, "tls.key") == pem[:-1]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_configuration_error(content: bytes) -> None:
    directory = Path(os.environ.get("TMPDIR", "/tmp")) / f"authkit-files-{os.getpid()}"
    directory.mkdir(exist_ok=True)
    _write(directory / "A", content)
    try:
        value = _value(directory)
    except ConfigurationError:
        assert is_blank(content) or is_blank(content.decode())
    else:
        read = value.encode() if isinstance(value, str) else value
        assert content in (read, read + b"\n", read + b"\r\n")
    finally:
        shutil.rmtree(directory)


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n"])
def test_an_empty_file_is_refused_and_no_weaker_source_answers(content: bytes, tmp_path: Path) -> None:
    _write(tmp_path / "A", content)
    with pytest.raises(ConfigurationError, match="A is empty"):
        Secrets(MountedFiles(tmp_path), Environment({"A": "weaker"}))["A"].reveal()


def test_a_file_is_at_most_one_mebibyte(tmp_path: Path) -> None:
    _write(tmp_path / "A", b"a" * 1_048_576)
    assert len(_value(tmp_path)) == 1_048_576
    _write(tmp_path / "A", b"a" * 1_048_577)
    with pytest.raises(ConfigurationError, match="larger than 1 MiB"):
        _value(tmp_path)


def test_one_that_every_user_can_read_is_fine_and_one_that_every_user_can_write_is_not(tmp_path: Path) -> None:
    _write(tmp_path / "A", CANARY, 0o444)
    assert _value(tmp_path) == CANARY
    (tmp_path / "A").chmod(0o446)
    with pytest.raises(ConfigurationError, match="can be written by every user") as raised:
        Secrets(MountedFiles(tmp_path), Environment({"A": "weaker"}))["A"].reveal()
    assert CANARY not in str(raised.value)


def test_a_directory_where_every_user_can_replace_a_file_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "A", "a")
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigurationError, match="every user can replace"):
        _value(tmp_path)
    tmp_path.chmod(0o1777)  # what Kubernetes makes: others may add files there and not replace one
    assert _value(tmp_path) == "a"


def test_what_is_no_regular_file_is_refused_and_nothing_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "FIFO", 0o600)
    (tmp_path / "DIRECTORY").mkdir()
    for name in ("FIFO", "DIRECTORY"):
        with pytest.raises(ConfigurationError, match="not a regular file"):
            _value(tmp_path, name)


def test_a_link_in_a_plain_directory_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "mount").mkdir()
    _write(tmp_path / "outside", CANARY)
    (tmp_path / "mount" / "A").symlink_to("../outside")
    with pytest.raises(ConfigurationError, match="symbolic link") as raised:
        _value(tmp_path / "mount")
    assert CANARY not in str(raised.value)


def test_a_name_never_leaves_the_directory(tmp_path: Path) -> None:
    (tmp_path / "mount").mkdir()
    _write(tmp_path / "outside", CANARY)
    for name in ("../outside", str(tmp_path / "outside"), "mount/../../outside", ".."):
        with pytest.raises(SecretNotFound):
            _value(tmp_path / "mount", name)


def test_a_directory_that_is_not_there_is_unavailable_and_no_weaker_source_answers(tmp_path: Path) -> None:
    with pytest.raises(SecretUnavailable, match="nowhere"):
        Secrets(MountedFiles(tmp_path / "nowhere"), Environment({"A": "weaker"}))["A"].reveal()
    _write(tmp_path / "file", "a")
    with pytest.raises(ConfigurationError, match="not a directory"):
        _value(tmp_path / "file")
    (tmp_path / "..data").symlink_to("..gone")
    with pytest.raises(SecretUnavailable, match="leads nowhere"):
        _value(tmp_path)


@pytest.mark.parametrize("directory", ["", "a\0b"])
def test_a_path_that_cannot_be_one_is_refused_at_once(directory: str) -> None:
    with pytest.raises(ConfigurationError, match="path of a directory"):
        MountedFiles(directory)


def test_a_directory_that_is_itself_turned_to_another_is_followed(tmp_path: Path) -> None:
    for generation in ("one", "two"):
        (tmp_path / generation).mkdir()
        _write(tmp_path / generation / "A", generation)
    (tmp_path / "now").symlink_to("one")
    source = MountedFiles(tmp_path / "now")
    assert source.fetch("A").current == "one"
    (tmp_path / "next").symlink_to("two")
    os.rename(tmp_path / "next", tmp_path / "now")
    assert source.fetch("A").current == "two"


def _swap_under_load(directory: Path, swaps: int) -> list[str]:
    """What is wrong in the answers of readers while generations come and go: each holds n, n - 1 and n + 1."""

    def values(n: int) -> dict[str, str]:
        both = {"A": f"{n}", "A__PREVIOUS": f"{n - 1}", "A__PENDING": f"{n + 1}", "B": f"{n}"}
        return {name: value + "\n" for name, value in both.items()}

    kubelet = Kubelet(directory)
    kubelet.publish(values(1))
    source, wrong, read, done = MountedFiles(directory), [], [0], threading.Event()

    def reader() -> None:
        last = 0
        while not done.is_set():
            try:
                found = source.fetch_many(("A", "B"))
                told = [int(value) for _, value in found["A"].named()]
                assert isinstance(found["B"], SecretVersions)
                if told != [told[0], told[0] - 1, told[0] + 1] or int(found["B"].current) != told[0] or told[0] < last:
                    wrong.append(repr(told))
                last = told[0]
                read[0] += 1
            except Exception as error:
                wrong.append(repr(error))

    threads = [threading.Thread(target=reader) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(2, swaps + 2):
        kubelet.publish(values(n))
    done.set()
    for thread in threads:
        thread.join()
    assert read[0] > 0
    return wrong


def test_no_answer_mixes_two_generations(tmp_path: Path) -> None:
    assert _swap_under_load(tmp_path, 200) == []


@pytest.mark.soak
def test_no_answer_mixes_two_generations_in_twenty_thousand_swaps(tmp_path: Path) -> None:
    assert _swap_under_load(tmp_path, 20_000) == []
