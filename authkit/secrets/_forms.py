"""The texts under which one secret value may turn up in a log, and taking them out of a text."""

from __future__ import annotations

from .versions import as_bytes, sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from .versions import Sealed

    Redact: TypeAlias = Callable[[str], str]

MARK = "[redacted]"
LEAST = 4  # characters; a shorter value is in every other line of a log
LONG = 8  # characters from which a value is taken out of the midst of a word too
LINE = 16  # characters of a line of a longer value (a PEM, say) that are a secret by themselves


def redactor(values: Iterable[Sealed]) -> Redact:
    """A function that puts a mark in place of each of the values, in any of their forms. The forms are behind it."""
    long: set[str] = set()
    short: set[str] = set()
    for value in values:
        for form in _forms(value):
            text = str(form())
            if len(text) >= LONG:
                long.add(text)
            elif len(text) >= LEAST:
                short.add(text)
    in_order = sorted(long, key=len, reverse=True)  # the longest first: what is left of a form is no form of another

    def redact(text: str) -> str:
        for form in in_order:
            if form in text:
                text = text.replace(form, MARK)
        for form in short:
            if form in text:
                text = _alone(text, form)
        return text

    return redact


def _alone(text: str, form: str) -> str:
    """`text` with a mark for `form` where neither a letter, a digit nor an underscore touches it."""
    parts = text.split(form)
    kept = parts[0]
    for place in range(1, len(parts)):
        touches = _is_word(parts[place - 1][-1:]) or _is_word(parts[place][:1])
        kept += (form if touches else MARK) + parts[place]
    return kept


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _forms(value: Sealed) -> list[Sealed]:
    import json
    from urllib.parse import quote, quote_plus

    raw = as_bytes(value())
    text = _text(value)
    forms: set[str] = set()
    if text is not None:
        bare = text.strip()
        lines = {line.strip() for line in bare.splitlines()} if "\n" in bare else set()
        forms = {text, bare, *(line for line in lines if len(line) >= LINE and "-----" not in line)}
        for one in (text, bare):
            forms |= {repr(one)[1:-1], json.dumps(one)[1:-1], json.dumps(one, ensure_ascii=False)[1:-1]}
            if raw is not None:
                forms |= {quote(one, safe="", errors="surrogateescape"), quote(one, errors="surrogateescape")}
                forms |= {quote_plus(one, errors="surrogateescape")}
    elif raw is not None:
        forms = {quote(raw, safe="")}
    if raw is not None:
        forms |= {repr(raw)[2:-1], raw.hex(), raw.hex().upper(), *_base64(raw)}
    return [sealed(form) for form in forms if form]


def _text(value: Sealed) -> str | None:
    given = value()
    if isinstance(given, str):
        return given
    try:
        return given.decode()
    except UnicodeDecodeError:
        return None


def _base64(raw: bytes) -> set[str]:
    """What base64 makes of `raw`, alone and in the midst of other bytes: there, the characters that depend on it alone."""
    from base64 import b64encode

    found = set()
    for before in range(3):
        encoded = b64encode(b"\0" * before + raw).rstrip(b"=").decode()
        start = (before * 8 + 5) // 6
        end = (before + len(raw)) * 8 // 6
        if end - start >= LONG:
            found.add(encoded[start:end])
    return found | {form.replace("+", "-").replace("/", "_") for form in found}
