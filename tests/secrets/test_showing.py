"""SEC-01 and SEC-02: nothing that shows, copies or carries objects away shows the value of a secret."""

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
import reprlib
import string
import traceback
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from rich.pretty import Pretty, pretty_repr

from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets import Dotenv, Environment, Hardcoded, RedactingFilter, Secret, Secrets, SecretSource, SecretVersions
from authkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = "canary-7f3a9c51e0"


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


def _members(value: object) -> list[tuple[str, object]]:
    shown = ((name, _refused(lambda one, name=name: getattr(one, name))(value)) for name in dir(value))  # type: ignore[misc]
    return [(name, text) for name, text in shown if name not in ("current", "previous", "pending")]


def _reached(value: object, depth: int = 6) -> Iterator[str]:
    """What a debugger's dump reaches from here by slots, attributes and containers; functions are shown, not entered."""
    yield repr(value)
    if depth == 0 or isinstance(value, (str, bytes, type, ModuleType)) or callable(value):
        return
    if isinstance(value, dict):
        inner = [*value, *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = list(value)
    else:
        names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        inner = [getattr(value, name, None) for name in names if name != "__weakref__"] + list(
            getattr(value, "__dict__", {}).values()
        )
    for one in inner:
        yield from _reached(one, depth - 1)


def _logged_with_extra(value: object) -> str:
    record = logging.makeLogRecord({"msg": "%r", "args": (value,), "secret": value, "deep": {"v": [value]}})
    return f"{record} {record.getMessage()} {record.__dict__!r} {json.dumps(record.__dict__, default=str)}"


def _logged_exception(value: object) -> str:
    stream = io.StringIO()
    logger = logging.Logger("canary")
    logger.addHandler(logging.StreamHandler(stream))
    try:
        raise LookupError(value, {"v": value})
    except LookupError:
        logger.exception("failed %s", value, stack_info=True)
    return stream.getvalue()


def _rich(value: object) -> str:
    console = Console(file=io.StringIO(), width=300)
    console.print(value, {"v": value}, Pretty([value]), pretty_repr({"v": value}, expand_all=True))
    return console.file.getvalue()  # type: ignore[attr-defined]


def _rich_traceback(value: object) -> str:
    console = Console(file=io.StringIO(), width=300)
    try:
        raise LookupError("with locals")
    except LookupError:
        console.print_exception(show_locals=True)
    return console.file.getvalue()  # type: ignore[attr-defined]


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
    "reprlib": reprlib.repr,
    "members": lambda v: repr([member for member in _members(v) if not callable(member[1])]),
    "slots": lambda v: pprint.pformat(list(_reached(v))),
    "logging with extra": _logged_with_extra,
    "logging an exception": _logged_exception,
    "json with a default": lambda v: json.dumps({"v": [v]}, default=repr),
    "rich": _rich,
    "rich traceback": _rich_traceback,
    "copy": lambda v: repr(copy.copy(v)) + repr(copy.deepcopy([v])),
}


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("holders")
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
        "slot": used["A"]._slot,
        "entry": used["A"]._slot.entry,
        "filter": _used_filter(used),
    }


def _used_filter(secrets: Secrets) -> RedactingFilter:
    found = RedactingFilter(secrets)
    record = logging.makeLogRecord({"msg": CANARY})
    assert found.filter(record)
    assert record.msg == "[redacted]"
    return found


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
        "slot",
        "entry",
        "filter",
    ],
)
def test_nothing_that_shows_objects_shows_a_value(holder: str, renderer: str, holders: dict[str, object]) -> None:
    shown = RENDERERS[renderer](holders[holder])
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
