"""RedactingFilter: no value that is at hand leaves through a log record, and no record is lost over it."""

from __future__ import annotations

import base64
import io
import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlencode

import pytest

from authkit.errors import ConfigurationError
from authkit.secrets import RedactingFilter, Secret, Secrets, SecretVersions

from .counted import Source

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = 'canary/7f3a+9c 51"e0é'
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49canaryAAAA\nBBBBcanaryhRANCAAQ2vAz5Lx\n-----END PRIVATE KEY-----\n"


class Log:
    """A logger, a handler with the filter, and what came out."""

    def __init__(self, *secrets: Secrets | Secret, format: str = "%(message)s") -> None:
        self.stream = io.StringIO()
        self.filter = RedactingFilter(*secrets)
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(logging.Formatter(format))
        handler.addFilter(self.filter)
        self.logger = logging.Logger("log")
        self.logger.addHandler(handler)

    @property
    def text(self) -> str:
        return self.stream.getvalue()


SHAPES: dict[str, Callable[[str], tuple[Any, ...]]] = {
    "message": lambda v: (f"connecting with {v}",),
    "argument": lambda v: ("connecting with %s", v),
    "argument by name": lambda v: ("connecting with %(v)s", {"v": v}),
    "repr": lambda v: ("connecting with %r", v),
    "in a list": lambda v: ("%s", [v, (v,)]),
    "in a dictionary": lambda v: ("%s", {"k": {"v": v}, v: 1}),
    "in an exception": lambda v: ("%s %r", ValueError(v), KeyError(v)),
    "bytes": lambda v: ("%s", v.encode()),
    "split over format and argument": lambda v: (v[:5].replace("%", "%%") + "%s", v[5:]),
    "json": lambda v: (json.dumps({"v": v}),),
    "json in unicode": lambda v: (json.dumps({"v": v}, ensure_ascii=False),),
    "url": lambda v: ("GET /?key=%s", quote(v, safe="")),
    "path": lambda v: ("GET /%s", quote(v)),
    "form": lambda v: (urlencode({"v": v}),),
    "plus": lambda v: (quote_plus(v),),
    "base64": lambda v: (base64.b64encode(v.encode()).decode(),),
    "base64url": lambda v: (base64.urlsafe_b64encode(v.encode()).rstrip(b"=").decode(),),
    "basic authentication": lambda v: ("Authorization: Basic %s", base64.b64encode(b"alice:" + v.encode()).decode()),
    "base64 in the midst": lambda v: ("%s", base64.b64encode(b"ab" + v.encode() + b"xyz").decode()),
    "hex": lambda v: (v.encode().hex(), v.encode().hex().upper()),
    "object": lambda v: ("%s", type("Config", (), {"__str__": lambda self: f"Config({v})"})()),
}


def leaks(text: str) -> list[str]:
    raw = VALUE.encode()
    inner = [base64.b64encode(b"\0" * n + raw).decode()[4:-5] for n in range(3)]
    tells = ["canary", "9c 51", "9c%2051", "9c+51", raw.hex(), raw.hex().upper(), *inner]
    return [one for one in tells if one in text]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_value_is_taken_out_whatever_shape_it_comes_in(shape: str) -> None:
    lines = [(line,) for line in SHAPES[shape](VALUE)] if shape == "hex" else [SHAPES[shape](VALUE)]
    bare, log = Log(), Log(Secret.of(VALUE))
    for line in lines:
        bare.logger.warning(*line)
        log.logger.warning(*line)
    assert leaks(bare.text), "without the filter it is there"
    assert leaks(log.text) == []
    assert "[redacted]" in log.text


def test_the_rest_of_a_record_stays() -> None:
    log = Log(Secret.of(VALUE), format="%(levelname)s %(name)s %(message)s %(user)s")
    log.logger.warning("user %s connects with %s to %d", "alice", VALUE, 5432, extra={"user": "alice"})
    assert log.text == "WARNING log user alice connects with [redacted] to 5432 alice\n"
    record = logging.makeLogRecord({"msg": "%s is %d", "args": ("x", 1), "levelno": 30})
    assert log.filter.filter(record)
    assert (record.msg, record.args, record.getMessage()) == ("%s is %d", ("x", 1), "x is 1")


def test_arguments_and_fields_that_the_message_does_not_show_are_clean_too() -> None:
    """What writes records as JSON reads them all."""
    fields = {"key": VALUE, "deep": {"list": [{"v": VALUE}, 1], "n": None}, "error": ValueError(VALUE), "clean": ["x"]}
    record = logging.makeLogRecord({"msg": "%.3s", "args": (VALUE,), **fields})
    assert RedactingFilter(Secret.of(VALUE)).filter(record)
    assert "canary" not in repr(record.__dict__)
    assert record.__dict__["deep"] == {"list": [{"v": "[redacted]"}, 1], "n": None}
    assert record.__dict__["clean"] is fields["clean"]
    assert fields["deep"] == {"list": [{"v": VALUE}, 1], "n": None}, "the caller's own objects are left alone"


def test_exceptions_and_stacks_are_clean() -> None:
    log = Log(Secret.of(VALUE))
    try:
        try:
            raise ValueError(f"no route to {VALUE}")
        except ValueError as error:
            raise LookupError(VALUE) from error
    except LookupError:
        log.logger.exception("failed", stack_info=True)
    assert leaks(log.text) == []
    assert "LookupError: [redacted]" in log.text
    assert "ValueError: no route to [redacted]" in log.text
    assert "Stack (most recent call last)" in log.text


def test_an_exception_without_a_value_is_left_to_whoever_formats_it() -> None:
    record = logging.makeLogRecord({"msg": "x"})
    try:
        raise ValueError("nothing")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    RedactingFilter(Secret.of(VALUE)).filter(record)
    assert record.exc_info is not None
    try:
        raise ValueError(VALUE)
    except ValueError as error:
        record.exc_info, record.exc_text = (ValueError, error, error.__traceback__), None
    RedactingFilter(Secret.of(VALUE)).filter(record)
    assert record.exc_info is None
    assert "ValueError: [redacted]" in str(record.exc_text)


def test_lines_of_a_longer_value_are_secrets_by_themselves() -> None:
    log = Log(Secret.of(PEM))
    log.logger.warning("%s", PEM)
    log.logger.warning("    " + PEM.splitlines()[1])
    log.logger.warning("%r", {"key": PEM})
    log.logger.warning("-----BEGIN PRIVATE KEY-----")
    assert "canary" not in log.text
    assert "-----BEGIN PRIVATE KEY-----" in log.text


def test_all_versions_are_taken_out_and_bytes_as_well() -> None:
    log = Log(Secret.of(SecretVersions("canary-current", "canary-previous", b"canary\xff-pending")))
    log.logger.warning("canary-current, canary-previous and %s", b"canary\xff-pending")
    assert log.text == "[redacted], [redacted] and b'[redacted]'\n"


def test_a_value_that_contains_another_is_taken_out_whole() -> None:
    log = Log(Secret.of("canary-12"), Secret.of("canary-12-and-more"))
    log.logger.warning("canary-12-and-more canary-12")
    assert log.text == "[redacted] [redacted]\n"


@pytest.mark.parametrize(
    ("value", "line", "expected"),
    [
        ("test", "the test of testing: test.", "the [redacted] of testing: [redacted]."),
        ("abcdefg", "key=abcdefg; abcdefgh _abcdefg", "key=[redacted]; abcdefgh _abcdefg"),
        ("abcdefgh", "xabcdefghx", "x[redacted]x"),
        ("a", "a cat sat", "a cat sat"),
        ("123", "port 123", "port 123"),
    ],
)
def test_a_short_value_makes_no_mush_of_a_log(value: str, line: str, expected: str) -> None:
    log = Log(Secret.of(value))
    log.logger.warning(line)
    assert log.text == expected + "\n"


def test_it_knows_what_is_at_hand_and_fetches_nothing() -> None:
    source = Source(A="canary-aaaa", B="canary-bbbb")
    secrets = Secrets(source)
    log = Log(secrets)
    log.logger.warning("canary-aaaa")
    assert source.asked == []
    secrets["A"].reveal()
    log.logger.warning("canary-aaaa canary-bbbb")
    secrets["B"].reveal()
    log.logger.warning("canary-aaaa canary-bbbb")
    assert log.text == "canary-aaaa\n[redacted] canary-bbbb\n[redacted] [redacted]\n"
    assert source.asked == ["A", "B"]


def test_it_follows_a_rotation_and_still_knows_the_value_before_it() -> None:
    source = Source(A="canary-old")
    secrets = Secrets(source)
    log = Log(secrets)
    secrets["A"].reveal()
    log.logger.warning("canary-old canary-new")
    source.values["A"] = "canary-new"
    secrets.refresh()
    log.logger.warning("canary-old")
    secrets["A"].reveal()
    log.logger.warning("canary-old canary-new")
    assert log.text == "[redacted] canary-new\n[redacted]\n[redacted] [redacted]\n"


class Broken:
    def __str__(self) -> str:
        raise RuntimeError(VALUE)

    __repr__ = __str__


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("%s", (Broken(),)),
        ("%d", (VALUE,)),
        ("%s %s", (VALUE,)),
        ("%(x)s", ({"y": VALUE},)),
        ("%q" + VALUE, (1,)),
        ("", (VALUE,)),
    ],
)
def test_a_record_that_cannot_be_formatted_is_withheld_and_nothing_is_raised(message: str, arguments: tuple[Any, ...]) -> None:
    log = Log(Secret.of(VALUE))
    log.logger.warning(message, *arguments)
    assert log.text == "[a log record was withheld: the secrets could not be taken out of it]\n"


def test_what_holds_itself_is_shown_as_far_as_it_goes() -> None:
    loop: list[Any] = [VALUE]
    loop.append(loop)
    log = Log(Secret.of(VALUE))
    log.logger.warning("%s", loop, extra={"loop": loop})
    assert "canary" not in log.text


def test_many_threads_log_through_it_while_values_change() -> None:
    source = Source(A="canary-0")
    secrets = Secrets(source)
    log = Log(secrets)
    secrets["A"].reveal()

    def logs() -> None:
        for _ in range(200):
            log.logger.warning("with %s", secrets["A"].reveal())

    threads = [threading.Thread(target=logs) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        source.values["A"] = f"canary-{number}"
        secrets.refresh()
        time.sleep(0.001)
    for thread in threads:
        thread.join(20)
    assert log.text == "with [redacted]\n" * 800


@pytest.mark.parametrize("wrong", ["text", b"bytes", None, SecretVersions("x"), {}])
def test_it_takes_secrets_and_nothing_else(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="RedactingFilter takes"):
        RedactingFilter(wrong)


class OneLine(logging.Formatter):
    """As formatters of JSON do: an exception in a way of its own."""

    def formatException(self, ei: Any) -> str:
        return f"one line: {ei[1]!r}"


@pytest.mark.parametrize(
    ("said", "shown"), [("nothing of note", "one line: ValueError('nothing of note')"), (VALUE, "[redacted]")]
)
def test_an_exception_without_a_secret_is_shown_as_the_handler_shows_it(said: str, shown: str) -> None:
    log = Log(Secret.of(VALUE))
    log.logger.handlers[0].setFormatter(OneLine("%(message)s"))
    try:
        raise ValueError(said)
    except ValueError:
        log.logger.exception("failed")
    assert shown in log.text
    assert VALUE not in log.text


def test_a_secret_that_is_a_number_is_found_in_a_field_that_is_one() -> None:
    log = Log(Secret.of("12345678"), format="%(message)s %(pin)s %(deep)s %(other)s %(flag)s")
    log.logger.warning("m", extra={"pin": 12345678, "deep": {"x": [12345678]}, "other": 1234, "flag": True})
    assert log.text == "m [redacted] {'x': ['[redacted]']} 1234 True\n"
