"""The project itself: what is in the wheel, what `import authkit` costs and does, what no file may contain."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import authkit

ROOT = Path(__file__).resolve().parent.parent
IMPORTED = Path(authkit.__file__).parent.parent


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel under test: `make test` names it; in a checkout it is built here."""
    named = os.environ.get("AUTHKIT_WHEEL")
    if named is None:
        target = tmp_path_factory.mktemp("wheel")
        build = [sys.executable, "-P", "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
        subprocess.run(build, check=True, capture_output=True)
        [built] = target.glob("*.whl")
        named = str(built)
    return zipfile.ZipFile(named)


def child(program: str, *arguments: str, site: bool = True) -> Any:
    """Run `program` in a fresh interpreter and return the JSON that it prints. Without `site`, nothing but it is imported."""
    prelude = "" if site else f"import sys; sys.path.insert(0, {str(IMPORTED)!r})\n"
    command = [sys.executable, "-P", *([] if site else ["-I", "-S"]), "-c", prelude + program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# The wheel


def test_the_wheel_holds_the_two_packages_with_their_types_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    info = [name for name in names if re.fullmatch(r"authkit_middleware-[^/]+\.dist-info/.+", name)]
    assert {name.split("/")[0] for name in names if name not in info} == {"authkit", "authkit_providers"}
    assert {"authkit/py.typed", "authkit_providers/py.typed", "authkit_providers/__init__.py"} <= set(names)
    assert [name for name in names if name.endswith(".pth") or "/test_" in name or name.startswith("tests/")] == []
    assert any(name.endswith("/licenses/LICENSE") for name in info)


def test_the_wheel_says_the_version_that_the_package_says(wheel: zipfile.ZipFile) -> None:
    [metadata] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    lines = wheel.read(metadata).decode().splitlines()
    assert f"Version: {authkit.__version__}" in lines
    assert "Name: authkit-middleware" in lines
    assert "Requires-Python: >=3.11" in lines


def test_the_runtime_dependencies_are_the_five_named_ones() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=~!\[; ]", dependency)[0] for dependency in project["dependencies"]}
    assert needed == {"pyjwt", "cryptography", "argon2-cffi", "python-dotenv", "httpx"}
    assert {"aws", "redis", "bcrypt", "cli", "all", "dev"} <= set(project["optional-dependencies"])


def test_the_suite_of_make_test_runs_against_the_installed_wheel() -> None:
    if "AUTHKIT_WHEEL" in os.environ:
        assert not (ROOT / "authkit").exists()
        assert not (ROOT / "providers").exists()
        assert "site-packages" in Path(authkit.__file__).parts


def test_every_part_of_the_house_stands_in_an_arrow_contract() -> None:
    """A new folder that no contract names would be free to import anything."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = {module for contract in contracts for module in contract.get("source_modules", [])}
    folders = {path.parent.name for path in (IMPORTED / "authkit").glob("*/__init__.py")}
    exempt = {"testing", "cli"}  # they may know everything; nothing may know them
    assert {f"authkit.{folder}" for folder in folders - exempt} - named == set()


# The public names

PUBLIC = """
import importlib, json, pkgutil, sys, types, authkit
if sys.argv[1] == "submodules first":
    for module in pkgutil.walk_packages(authkit.__path__, "authkit."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
found = {}
for name in authkit.__all__:
    value = getattr(authkit, name)
    kind = "module" if isinstance(value, types.ModuleType) else "object"
    where = value.__name__ if kind == "module" else getattr(value, "__module__", "")
    found[name] = [kind, where, getattr(value, "__qualname__", type(value).__qualname__)]
print(json.dumps(found))
"""


def test_every_public_name_is_the_same_object_after_every_submodule_was_imported() -> None:
    direct, after = child(PUBLIC, "direct"), child(PUBLIC, "submodules first")
    assert direct
    assert after == direct


def test_no_submodule_shares_a_public_name_unless_it_is_what_the_name_means() -> None:
    """Importing `authkit/guard.py` would replace the function `guard`."""
    kinds = child(PUBLIC, "direct")
    shared = {name for name in authkit.__all__ if find_spec(f"authkit.{name}") is not None}
    assert {name for name in shared if kinds[name][0] != "module" or kinds[name][1] != f"authkit.{name}"} == set()


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = authkit.no_such_name  # type: ignore[attr-defined]


def test_dir_lists_every_public_name() -> None:
    assert set(authkit.__all__) <= set(dir(authkit))


# What `import authkit` does

HEAVY = [
    *("typing", "dataclasses", "asyncio", "inspect", "logging", "json", "hmac", "base64", "ssl", "socket"),
    *("boto3", "botocore", "httpx", "cryptography", "jwt", "argon2", "redis", "dotenv"),
    *("starlette", "fastapi", "flask", "django", "aiohttp", "anyio", "werkzeug", "pydantic"),
]

LOADED = """
import sys
before = set(sys.modules)
import authkit
after = set(sys.modules) - before
import json
print(json.dumps(sorted(after)))
"""


def test_import_authkit_loads_nothing_heavy() -> None:
    loaded = {name.split(".")[0] for name in child(LOADED, site=False)}
    assert "authkit" in loaded
    assert loaded & set(HEAVY) == set()


WATCHED = """
import os, sys, _thread
events = []
allowed = (os.path.dirname(os.__file__), sys.path[0])

def watch(event, args):
    if event == "open":
        path = os.fsdecode(args[0]) if isinstance(args[0], (str, bytes)) else str(args[0])
        if not (path.startswith(allowed) and path.endswith((".py", ".pyc", ".so"))):
            events.append([event, path])
    elif event.startswith(("socket.", "subprocess.", "os.system", "os.fork", "os.exec", "sqlite3.", "ctypes.")):
        events.append([event, repr(args)])

class Recorded(dict):
    def __getitem__(self, name):
        events.append(["environ", name])
        return super().__getitem__(name)
    def get(self, name, default=None):
        events.append(["environ", name])
        return super().get(name, default)
    def __contains__(self, name):
        events.append(["environ", name])
        return super().__contains__(name)
    def __iter__(self):
        events.append(["environ", "*"])
        return super().__iter__()
    def items(self):
        events.append(["environ", "*"])
        return super().items()
    def copy(self):
        events.append(["environ", "*"])
        return super().copy()

def started(function, *args):
    events.append(["thread", repr(function)])
    return start(function, *args)

start, _thread.start_new_thread = _thread.start_new_thread, started  # a thread's start is no audit event before 3.12
os.environ = Recorded(os.environ)
sys.addaudithook(watch)
if sys.argv[1] == "prove the watch":
    import socket
    socket.socket().close()
    _thread.start_new_thread(int, ())
    os.environ.get("AUTHKIT_JWT_SECRET")
    os.getenv("AUTHKIT_ENV")
    open(os.devnull).close()
else:
    import authkit
seen = list(events)
import json
print(json.dumps(seen))
"""


def test_import_authkit_opens_nothing_starts_nothing_and_reads_no_environment() -> None:
    assert child(WATCHED, "import", site=False) == []


def test_the_watch_over_the_import_sees_sockets_threads_settings_and_files() -> None:
    seen = [tuple(event) for event in child(WATCHED, "prove the watch", site=False)]
    kinds = {kind for kind, _ in seen}
    assert {"socket.__new__", "thread", "open"} <= kinds
    assert {("environ", "AUTHKIT_JWT_SECRET"), ("environ", "AUTHKIT_ENV")} <= set(seen)


# What no file may contain

FORBIDDEN = {
    "a path of one machine": re.compile(rb"(?<![\w.:/-])/(?:work|farm|root|home/\w+|Users/\w+|opt/\w*pypi\w*)/"),
    "a registry address": re.compile(rb"pypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org|https?://[^ \"']*/simple/"),
    "an index option": re.compile(rb"--(?:extra-)?index-url[ =]\S|--find-links[ =]\S"),
}
NOT_OURS = {".git", ".venv", "build", "dist", "node_modules", "__pycache__"}


def tracked() -> list[Path]:
    """What git tracks here; every file, in a tree that is no checkout."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
        return [ROOT / name for name in listed.split("\0") if name]
    return [path for path in ROOT.rglob("*") if not NOT_OURS.intersection(path.relative_to(ROOT).parts)]


def offences(name: str, content: bytes) -> list[str]:
    return [f"{name}: {what}: {found.group()!r}" for what, pattern in FORBIDDEN.items() if (found := pattern.search(content))]


def test_no_tracked_file_names_a_registry_or_a_path_of_one_machine() -> None:
    files = [path for path in tracked() if path.is_file()]
    assert ROOT / "pyproject.toml" in files
    assert [line for path in files for line in offences(str(path.relative_to(ROOT)), path.read_bytes())] == []


def test_no_file_of_the_wheel_names_a_registry_or_a_path_of_one_machine(wheel: zipfile.ZipFile) -> None:
    assert [line for name in wheel.namelist() for line in offences(name, wheel.read(name))] == []


@pytest.mark.parametrize("lock", ["dev.txt", "bench.txt", "floor.txt"])
def test_every_line_of_a_lock_pins_one_version_by_its_hashes(lock: str) -> None:
    entries = (ROOT / "requirements" / lock).read_text().replace("\\\n", "").splitlines()
    entries = [line for line in entries if line and not line.startswith("#")]
    assert len(entries) > 20
    assert [line for line in entries if not re.match(r"[a-z0-9.\-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


def test_the_floor_lock_pins_the_floor_of_every_dependency_and_every_host() -> None:
    """ADP-14. What `pyproject.toml` promises is what the suite is run against, once more, by `make test`."""

    def floors(lines: list[str]) -> dict[str, str]:
        found = (re.match(r"([a-z0-9-]+)(?:\[[a-z]+\])?>=([\d.]+)", line) for line in lines)
        return {match[1]: match[2] for match in found if match}

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chosen = floors((ROOT / "requirements" / "floor.in").read_text().splitlines())
    promised = floors(project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra])
    assert {name: promised.get(name) for name in chosen} == chosen
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / "floor.txt").read_text(), re.MULTILINE))
    assert {"starlette", "fastapi", "flask", "django", "aiohttp", "awslambdaric"} <= set(chosen)
    assert {"uvicorn", "gunicorn", "waitress", "websockets"} <= set(chosen)
    assert {"boto3", "redis", "bcrypt"} <= set(chosen)
    for name, floor in {**floors(project["dependencies"]), **chosen}.items():
        assert re.sub(r"(\.0)+$", "", locked[name]) == re.sub(r"(\.0)+$", "", floor), name
