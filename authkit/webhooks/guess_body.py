"""What is done to a body on its way to whoever verifies it: each undone, as far as it can be."""

from __future__ import annotations

import json
import zlib
from binascii import Error, a2b_base64, b2a_base64
from itertools import permutations

from .guess import Guess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    from .guess import Case

    Undone: TypeAlias = tuple[bytes, str, str]  # the body, the cause, what to do

MAX_PARSED = 131_072  # bytes that are parsed and written anew; more would take seconds
MAX_UNPACKED = 1_048_576  # bytes
_CHARSETS = (("latin-1", "utf-8"), ("cp1252", "utf-8"), ("utf-8", "latin-1"), ("utf-8", "cp1252"), ("utf-16", "utf-8"))
MAX_MEMBERS = 5  # whose orders are tried: 120

RAW = "verify the bytes as they came, before a framework parses them (verify_webhook reads those)"
DECODE = "decode the body once, where isBase64Encoded is true (verify_webhook does), and not again"
GATEWAY = "have the gateway or proxy hand the body on unchanged"
SENT = "sign the very bytes that are sent"


def guesses(case: Case) -> Iterator[Guess]:
    """The delivery with the bodies that may have been signed."""
    seen = {case.body}
    for body, cause, mend in _undone(case.body):
        if body not in seen:
            seen.add(body)
            yield Guess(case.but(body=body), cause, mend)


def _undone(body: bytes) -> Iterator[Undone]:
    yield from _base64(body)
    yield from _ends(body)
    yield from _charsets(body)
    yield from _unpacked(body)
    if len(body) <= MAX_PARSED:
        yield from _wrapped(body)
        yield from _form(body)
        yield from _json(body)


def _base64(body: bytes) -> Iterator[Undone]:
    try:
        yield a2b_base64(body.strip(), strict_mode=True), "the body was still base64 when it was verified", DECODE
    except Error:
        pass
    again = b2a_base64(body, newline=False)
    yield again, "the body was decoded from base64 once too often: the sender signed the base64", DECODE


def _ends(body: bytes) -> Iterator[Undone]:
    for end, name in ((b"\n", "a newline"), (b"\r\n", "CR and LF")):
        yield body + end, f"{name} at the end of the body was cut off", GATEWAY
        if body.endswith(end):
            yield body.removesuffix(end), f"{name} was added at the end of the body", GATEWAY
    yield body.strip(), "white space was put around the body", GATEWAY
    unix = body.replace(b"\r\n", b"\n")
    yield unix, "line ends were changed from LF to CR LF", GATEWAY
    yield unix.replace(b"\n", b"\r\n"), "line ends were changed from CR LF to LF", GATEWAY
    yield body.removeprefix(b"\xef\xbb\xbf"), "a byte order mark was put before the body", GATEWAY
    yield b"\xef\xbb\xbf" + body, "the byte order mark before the body was cut off", GATEWAY


def _charsets(body: bytes) -> Iterator[Undone]:
    for written, read in _CHARSETS:
        try:
            yield (
                body.decode(read).encode(written),
                f"the body was decoded as {written} and encoded again as {read}",
                "take the body as bytes, never as text: " + RAW,
            )
        except UnicodeError:
            continue


def _unpacked(body: bytes) -> Iterator[Undone]:
    if body[:2] != b"\x1f\x8b":
        return
    unpacking = zlib.decompressobj(31)
    try:
        found = unpacking.decompress(body, MAX_UNPACKED)
    except zlib.error:
        return
    if not unpacking.unconsumed_tail:
        yield (
            found,
            "the body is packed with gzip, and was signed unpacked",
            "unpack it before it is verified, or have it sent plain",
        )


def _wrapped(body: bytes) -> Iterator[Undone]:
    """The body inside something: a JSON text, a Python literal, an event of a gateway."""
    text = _text(body)
    if text is None:
        return
    yield (json.dumps(text).encode(), "the body was a JSON text, and was verified as what that says", RAW)
    if text[:2] in ("b'", 'b"'):
        literal = _literal(text)
        if isinstance(literal, bytes):
            yield literal, "str() of the bytes was verified, with its b and quotes", "pass the bytes themselves"
    found = _parsed(text)
    if isinstance(found, str):
        yield _utf8(found), "the body was made a JSON text once more", RAW
    if isinstance(found, dict) and isinstance(found.get("body"), str):
        inner = found["body"]
        cause = "the whole event was verified, instead of the body in it"
        yield _utf8(inner), cause, "pass the body of the event"
        try:
            yield (
                a2b_base64(inner.encode("ascii", "replace"), strict_mode=True),
                cause + ", which is base64",
                "pass its body, decoded",
            )
        except Error:
            pass


def _form(body: bytes) -> Iterator[Undone]:
    from urllib.parse import parse_qsl, quote, quote_plus, urlencode

    text = _text(body)
    if text is None:
        return
    found, as_json = _parsed(text), False
    if isinstance(found, dict):
        yield b"payload=" + quote_plus(text).encode(), "what the form holds was verified, instead of the form", RAW
        as_json = True
        pairs = [(name, str(one)) for name, value in found.items() for one in (value if isinstance(value, list) else [value])]
    else:
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=1_000, errors="strict") if "=" in text else []
        except ValueError:
            return
    cause = "the form was made JSON" if as_json else "the form was parsed and written again"
    for some in (pairs, sorted(pairs)):
        for way in (quote_plus, quote):
            for safe in ("", "*", "~", "/:", "@:/?$,;!'()*"):
                written = urlencode(some, quote_via=way, safe=safe, errors="surrogatepass")
                yield written.encode(), cause, RAW
                yield _lower_escapes(written).encode(), cause, RAW


def _json(body: bytes) -> Iterator[Undone]:
    text = _text(body)
    data = None if text is None else _parsed(text)
    if not isinstance(data, (dict, list)):
        data = None if text is None else _literal(text)  # str() of a dict, as a log has it
        if not isinstance(data, (dict, list)):
            return
    plain, spaced = (",", ":"), (", ", ": ")
    escapes = (True, False)
    for order, shown in ((False, ""), (True, ", its members sorted")):
        for indent, separators, layout in (
            (None, plain, "without spaces"), (None, spaced, "with spaces"), (2, spaced, "on several lines"),
            (4, spaced, "on several lines"), ("\t", spaced, "on several lines"), (None, (",", ": "), "with some spaces"),
        ):  # fmt: skip
            for ascii_only in escapes:
                written = _dumped(data, indent, separators, ascii_only, order)
                how = f"{layout}{shown}" + (", with \\u escapes" if ascii_only and "\\u" in written else "")
                for form, more in _dialects(written):
                    cause = f"the JSON was parsed and written again: it was signed {how}{more}"
                    yield _utf8(form), cause, RAW
                    yield _utf8(form) + b"\n", cause + ", with a newline at its end", RAW
    if isinstance(data, dict) and 1 < len(data) <= MAX_MEMBERS:
        for members in permutations(data.items()):
            for separators in (plain, spaced):
                for ascii_only in escapes:
                    yield (
                        _utf8(_dumped(dict(members), None, separators, ascii_only, False)),
                        "the JSON was parsed and written again, its members in another order",
                        RAW,
                    )


def _dialects(written: str) -> Iterator[tuple[str, str]]:
    yield written, ""
    if "/" in written:
        yield written.replace("/", "\\/"), ", with escaped slashes, as PHP writes it"
    if any(mark in written for mark in "<>&"):
        html = written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        yield html, ", with escaped <, > and &, as Go writes it"
    if "\\u" in written:
        yield _upper_escapes(written), ", with \\u escapes in capital letters"


def _dumped(data: Any, indent: Any, separators: tuple[str, str], ascii_only: bool, order: bool) -> str:
    try:
        if indent is not None:
            separators = (",", ": ")
        return json.dumps(data, indent=indent, separators=separators, ensure_ascii=ascii_only, sort_keys=order)
    except (TypeError, ValueError, RecursionError):  # a literal that is no JSON
        return ""


def _upper_escapes(text: str) -> str:
    import re

    return re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), text)


def _lower_escapes(text: str) -> str:
    import re

    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text)


def _text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _literal(text: str) -> Any:
    import ast
    import warnings

    # str() of a dict or of bytes. The parser of Python is not fed with more: nesting costs it more than that of JSON.
    if len(text) > 16_384 or text[:1] not in ("{", "[", "b") or ("'" not in text and '"' not in text):
        return None
    try:
        with warnings.catch_warnings():  # they would repeat pieces of the body
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
