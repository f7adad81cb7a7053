"""Secret: a handle that gives its value to nobody who does not ask for it by name."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import io
import json
import logging
import marshal
import multiprocessing
import pickle
import pprint
import string
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from authkit._run import run
from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets import Dotenv, Environment, Hardcoded, Secret, Secrets, SecretSource, SecretVersions
from authkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CANARY = "canary-7f3a9c51e0"


def test_a_literal_reveals_what_it_was_made_of() -> None:
    assert Secret.of("väl").reveal() == "väl"
    assert Secret.of("väl").reveal_bytes() == "väl".encode()
    assert Secret.of(b"bytes").reveal() == "bytes"
    assert asyncio.run(Secret.of("a").areveal()) == "a"
    assert asyncio.run(Secret.of("a").areveal_bytes()) == b"a"
    assert asyncio.run(Secret.of("a").aversions()).current == "a"


@pytest.mark.parametrize("value", [None, "", " \t\n", b"", b"  ", 5, object()])
def test_a_literal_that_is_no_secret_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError):
        Secret.of(value)  # type: ignore[arg-type]


def test_binary_is_not_guessed_into_text_and_the_error_holds_none_of_it() -> None:
    secret = Secret.of(b"\xff\xfe" + CANARY.encode())
    with pytest.raises(ConfigurationError) as raised:
        secret.reveal()
    assert raised.value.__context__ is None
    assert secret.reveal_bytes() == b"\xff\xfe" + CANARY.encode()


def test_text_that_utf8_cannot_say_is_an_error_that_holds_none_of_it() -> None:
    secret = Secret.of("\ud800" + CANARY)
    with pytest.raises(ConfigurationError) as raised:
        secret.reveal_bytes()
    assert raised.value.__context__ is None
    assert not secret.matches("\ud800" + CANARY)
    assert not secret.matches("")


def test_bytes_that_the_environment_could_not_decode_come_out_as_they_were() -> None:
    assert Secret.of("a\udcff").reveal_bytes() == b"a\xff"


def test_matches_takes_current_previous_and_pending_and_nothing_else() -> None:
    secret = Secret.of(SecretVersions("now", "before", "next"))
    assert all(secret.matches(value) for value in ("now", "before", "next", b"now", b"next"))
    assert not any(secret.matches(value) for value in ("", "no", "now ", "noww", "NOW", b"", "\ud800", "ñow"))
    assert not secret.matches(None)  # type: ignore[arg-type]
    assert asyncio.run(secret.amatches("before"))


def test_matches_takes_previous_only_until_its_end() -> None:
    now = [99.0]
    secret = Secret.of(SecretVersions("now", "before", None, 100), clock=lambda: now[0])
    assert secret.matches("before")
    held = secret.versions()
    assert held is secret.versions()
    now[0] = 100.0
    assert not secret.matches("before")
    assert secret.versions() is not held
    assert secret.versions() is secret.versions()


def test_handles_are_compared_without_io() -> None:
    class Broken(SecretSource):
        def fetch(self, name: str) -> str:
            raise AssertionError("asked")

    secrets, others = Secrets(Broken()), Secrets(Broken())
    assert secrets["A"] == secrets["A"]
    assert hash(secrets["A"]) == hash(secrets["A"])
    assert secrets["A"] != secrets["B"]
    assert secrets["A"] != others["A"]
    assert secrets["A"] != "A"
    assert Secret.of("a") != Secret.of("a")


def test_a_copy_of_a_secret_is_the_secret() -> None:
    for masked in (Secret.of(CANARY), SecretVersions(CANARY), Secrets(Environment({"A": CANARY}))):
        assert copy.copy(masked) is masked
        assert copy.deepcopy(masked) is masked
        assert copy.deepcopy({"a": [masked]})["a"][0] is masked


# SEC-01 and SEC-02: every way of showing an object that we know of, for every object that holds a value.


def _logged(value: object) -> str:
    stream = io.StringIO()
    logger = logging.Logger("canary")
    logger.addHandler(logging.StreamHandler(stream))
    logger.warning("%s %r %(x)s" if isinstance(value, dict) else "%s %r", value, value)
    return stream.getvalue()


def _in_dataclass(value: object) -> str:
    @dataclasses.dataclass
    class Config:
        secret: object

    config = Config(value)
    return f"{config!r} {dataclasses.asdict(config)!r} {dataclasses.astuple(config)!r}"


def _every_attribute(value: object) -> str:
    return " ".join(repr(getattr(value, name, None)) for name in dir(value) if name not in ("current", "previous", "pending"))


def _traceback(value: object) -> str:
    def fails(argument: object) -> None:
        kept = [argument, {"k": argument}]
        raise ValueError(f"{argument} {kept!r:.5}")

    try:
        fails(value)
    except ValueError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return ""


def _refused(function: Callable[[Any], object]) -> Callable[[Any], str]:
    def shown(value: object) -> str:
        try:
            return repr(function(value))
        except (TypeError, ValueError, AttributeError) as error:
            return repr(error)

    return shown


RENDERERS: dict[str, Callable[[Any], str]] = {
    "str": str,
    "repr": repr,
    "ascii": ascii,
    "format": lambda v: f"{v}{v!s}{v!r}",
    "format with a width": _refused(lambda v: f"{v:>40}"),
    "str.format": lambda v: "{0} {0!r}".format(v),  # noqa: UP032
    "percent": lambda v: "%s %r %a" % (v, v, v),  # noqa: UP031
    "template": lambda v: string.Template("$v").substitute(v=v),
    "join": lambda v: "".join(map(str, [v])),
    "list": lambda v: repr([v, (v,), {v: v}]),
    "logging": _logged,
    "pprint": pprint.pformat,
    "print": lambda v: str(print(v, file=io.StringIO())),
    "dataclass": _in_dataclass,
    "attributes": _every_attribute,
    "traceback": _traceback,
    "exception": lambda v: repr(ValueError(v)) + str(ValueError(v)),
    "vars": _refused(vars),
    "json": _refused(json.dumps),
    "json default": lambda v: json.dumps({"v": v}, default=str),
    "pickle": _refused(pickle.dumps),
    "pickle 0": _refused(lambda v: pickle.dumps(v, protocol=0)),
    "reduce": _refused(lambda v: v.__reduce__()),
    "reduce_ex": _refused(lambda v: v.__reduce_ex__(4)),
    "getstate": _refused(lambda v: v.__getstate__()),
    "marshal": _refused(marshal.dumps),
    "bytes": _refused(bytes),
    "iterate": _refused(list),
    "dict": _refused(dict),
    "displayhook": lambda v: repr(v),
}


def _holders(folder: Path) -> dict[str, object]:
    file = folder / ".env"
    file.write_text(f"A={CANARY}\nAUTHKIT_ENV=test\n")
    file.chmod(0o600)
    settings = Settings({"AUTHKIT_ENV": "test", "A": CANARY}, str(folder))
    from_file = Settings({}, str(folder))
    assert from_file.get("A") == CANARY
    used = Secrets(Environment({"A": CANARY, "A__PREVIOUS": CANARY + "1"}))
    assert used["A"].reveal() == CANARY
    return {
        "literal": Secret.of(CANARY),
        "bytes": Secret.of(CANARY.encode()),
        "handle": used["A"],
        "secrets": used,
        "versions": SecretVersions(CANARY, CANARY + "1", CANARY + "2"),
        "hardcoded": Hardcoded({"A": CANARY}, settings=settings),
        "environment": Environment({"A": CANARY}),
        "dotenv": Dotenv(str(file), settings=settings),
        "settings": settings,
        "settings with a file": from_file,
    }


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize(
    "holder",
    [
        "literal",
        "bytes",
        "handle",
        "secrets",
        "versions",
        "hardcoded",
        "environment",
        "dotenv",
        "settings",
        "settings with a file",
    ],
)
def test_nothing_that_shows_objects_shows_a_value(holder: str, renderer: str, tmp_path: Path) -> None:
    shown = RENDERERS[renderer](_holders(tmp_path)[holder])
    assert CANARY not in shown
    assert CANARY.encode().hex() not in shown


@pytest.mark.parametrize("value", [Secret.of(CANARY), SecretVersions(CANARY), Secrets(Environment({"A": CANARY}))])
def test_pickling_is_refused(value: object) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(value, protocol=protocol)


def test_a_secret_does_not_cross_to_another_process() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool, pytest.raises(TypeError, match="pickled"):
        pool.apply(repr, (Secret.of(CANARY),))


# Frames of our own: whatever we raise, a traceback with locals shows the caller's own variables and no value of ours.


class _Breaks(SecretSource):
    def fetch(self, name: str) -> str:
        raise OSError(f"cannot connect with password {CANARY}")


def _env(**more: str) -> Environment:
    return Environment({"A": CANARY, "A__PREVIOUS": CANARY, **more})


FAILURES: dict[str, Callable[[], object]] = {
    "versions": lambda: SecretVersions(CANARY, ""),
    "versions until": lambda: SecretVersions(CANARY, CANARY, None, float("nan")),
    "until in the environment": lambda: Secrets(_env(A__PREVIOUS_UNTIL="soon"))["A"].reveal(),
    "empty": lambda: Secrets(_env(B=" "))["B"].reveal(),
    "not found": lambda: Secrets(_env())["B"].reveal(),
    "binary": lambda: Secret.of(b"\xff" + CANARY.encode()).reveal(),
    "unencodable": lambda: Secret.of("\ud800" + CANARY).reveal_bytes(),
    "matches on a source that is down": lambda: Secrets(_Breaks())["A"].matches(CANARY),
    "a source that is down": lambda: Secrets(_Breaks())["A"].reveal(),
    "a source that is down, async": lambda: asyncio.run(Secrets(_Breaks())["A"].amatches(CANARY)),
    "hardcoded sample": lambda: Hardcoded({"A": CANARY, "B": "changeme"}),
    "hardcoded empty": lambda: Hardcoded({"A": CANARY, "B": ""}),
    "hardcoded in production": lambda: Secrets(Hardcoded({"A": CANARY}, settings=Settings({"AUTHKIT_ENV": "production"})))[
        "A"
    ].reveal(),
    "setting": lambda: Settings({"A": CANARY, "AUTHKIT_ENV": CANARY}).environment(),
    "missing setting": lambda: Settings({"A": CANARY}, "/nonexistent").require("B"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_no_error_shows_a_value_even_with_locals(failure: str) -> None:
    with pytest.raises((ConfigurationError, SecretNotFound, SecretUnavailable)) as raised:
        FAILURES[failure]()
    shown = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    assert CANARY not in shown.replace(f"CANARY = '{CANARY}'", "")


def test_a_secret_is_loaded_by_whoever_drives_the_guard() -> None:
    secret = Secrets(Environment({"A": "a"}))["A"]
    assert run(secret.load()).current == "a"
    assert run(secret.load()) is secret.versions()


def test_importing_the_secrets_loads_nothing_heavy() -> None:
    import subprocess

    heavy = "('dotenv', 'boto3', 'asyncio', 'logging', 'dataclasses', 'typing', 'hmac')"
    # what an editable installation has loaded before is not counted
    program = (
        f"import sys; old = {{*sys.modules}}; import authkit.secrets; print(sorted(({{*sys.modules}} - old) & {{*{heavy}}}))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
