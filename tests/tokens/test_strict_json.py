"""Signed JSON has one reading, or is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit.decision import FrozenDict, FrozenList
from authkit.tokens.strict_json import MAX_DEPTH, parse_object

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('":\\{}[], \t'), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=3)


def deepest(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(deepest, value.values()), default=0)
    return 1 + max(map(deepest, value), default=0) if isinstance(value, list) else 0


def all_frozen(value: Any) -> bool:
    if isinstance(value, dict):
        return type(value) is FrozenDict and all(map(all_frozen, value.values()))
    return type(value) is FrozenList and all(map(all_frozen, value)) if isinstance(value, list) else True


@given(OBJECTS, st.booleans(), st.sampled_from([None, 1]))
def test_an_object_of_allowed_depth_comes_out_as_json_has_it_and_frozen(value: Any, escaped: bool, indent: int | None) -> None:
    raw = json.dumps(value, ensure_ascii=escaped, indent=indent).encode()
    if deepest(value) > MAX_DEPTH:
        with pytest.raises(ValueError):
            parse_object(raw)
        return
    found = parse_object(raw)
    assert found == value
    assert all_frozen(found)


@given(OBJECTS, TEXT, VALUES, VALUES, st.booleans(), st.sampled_from([(", ", ": "), (",", ":"), (" ,\n", " \t:")]))
def test_tok_23_a_member_twice_is_refused_wherever_and_however_it_is_written(
    value: Any, name: str, first: Any, second: Any, escaped: bool, separators: tuple[str, str]
) -> None:
    def dump(item: object) -> str:
        return json.dumps(item, ensure_ascii=escaped, separators=separators)

    inner = f"{{{dump(name)}{separators[1]}{dump(first)}{separators[0]}{dump(name)}{separators[1]}{dump(second)}}}"
    for text in (inner, f'{{"cnf":{inner}}}', f'{{"a":[0,{inner}]}}', f'{{"rest":{dump(value)},"x":{inner}}}'):
        with pytest.raises(ValueError):
            parse_object(text.encode())


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_an_object_or_a_value_error(raw: bytes) -> None:
    try:
        found = parse_object(raw)
    except ValueError:
        return
    assert type(found) is FrozenDict


@given(st.text(st.sampled_from('{}[]":,\\u0aA1eE+-. \tn'), max_size=40))
def test_what_is_read_is_what_json_reads(text: str) -> None:
    """A differential test on texts that are nearly JSON: we accept no more than the standard library, and the same value."""
    try:
        found = parse_object(text.encode())
    except ValueError:
        return
    assert found == json.loads(text)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"null", b"1", b'"a"', b"[]", b"[{}]", b"{}{}", b"{} x", b"{},", b"{", b"}", b"{]", b"{'a':1}", b"{a:1}",
        b'{"a":1,}',
        b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e999}',
        b'{"a":-1e999}',
        b'{"a":[1e400]}', b'{"a":"\x00"}', b'{"a":"\n"}', b'{"a":"\\x41"}', b'{"a":"\\ud800"}', b'{"\\udc00":1}',
        b'{"a":["\\ud800x"]}',
        b'{"a":{"\\ud800":1}}', b'\xef\xbb\xbf{"a":1}', b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xc0\x80"}',
        b"// x\n{}",
        '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-16-le"), '{"a":1}'.encode("utf-32-be"), "\xa0{}".encode(),
        b"\x0b{}", b"{}\x00",
        b'{"a":' + b"1" * 4301 + b"}",
    ],
)  # fmt: skip
def test_what_is_not_exactly_one_object_in_utf_8_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        parse_object(raw)


@pytest.mark.parametrize(
    "raw", [b' \t\r\n{"a" : 1} \n', b'{"a":"\\ud83d\\ude00"}', '{"a":"\U0001f600"}'.encode(), b'{"a":":","b":"\\""}']
)
def test_json_that_is_merely_unusual_is_read(raw: bytes) -> None:
    assert parse_object(raw) == json.loads(raw)


@pytest.mark.parametrize(
    "raw", [b'{"sub":"a","\\u0073ub":"b"}', b'{"a":{"sub":1,"s\\u0075b":2}}', b'{"sub" :"a","sub":"b"}', b'{"a":1,"a":1}']
)
def test_tok_23_an_escaped_spelling_is_the_same_member(raw: bytes) -> None:
    with pytest.raises(ValueError):
        parse_object(raw)


@pytest.mark.parametrize("depth", [16, 17, 20, 100, 1_000, 5_000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ("[", ""), ('{"\\"[":[', "")])
def test_tok_21_nesting_beyond_the_cap_is_a_value_error_and_never_a_recursion_error(
    depth: int, opening: str, closing: str
) -> None:
    with pytest.raises(ValueError):
        parse_object(f'{{"a":{opening * depth}1{closing * depth}}}'.encode())


def test_tok_21_nesting_up_to_the_cap_is_read() -> None:
    inner = MAX_DEPTH - 1
    assert parse_object(f'{{"a":{"[" * inner}{"]" * inner}}}'.encode())
    assert parse_object(('{"a":' * inner + "{}" + "}" * inner).encode())


def test_brackets_inside_text_are_no_nesting() -> None:
    assert parse_object(json.dumps({"a": "[{" * 500}).encode()) == {"a": "[{" * 500}


NO_JSON = [b'{"a', b'{"a":"x', b'{"a":"\x1b"}', b'{"a":"\\x"}', b'{"a":"\\u12"}', b'{"a":1.', b'{"a":tru', b"{", b'{"a":1,}']


def test_what_is_no_json_is_a_value_error_also_where_nobody_has_loaded_json() -> None:
    """LOG-05: CPython's scanner takes its exception from json.decoder, and without that raised SystemError."""
    code = """
import ast, sys
from authkit.tokens.strict_json import parse_object
assert "json.decoder" not in sys.modules
for raw in ast.literal_eval(sys.argv[1]):
    try:
        parse_object(raw)
    except ValueError:
        print("refused")
assert "json.decoder" not in sys.modules
"""
    command = [sys.executable, "-c", code, repr(NO_JSON)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["refused"] * len(NO_JSON), "")
