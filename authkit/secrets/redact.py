"""`RedactingFilter`: takes the values of secrets that are at hand out of log records."""

from __future__ import annotations

import logging

from ..errors import ConfigurationError
from ._forms import MARK, redactor
from .memo import Secrets
from .secret import Secret
from .versions import Masked, sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._forms import Redact
    from .versions import SecretVersions

WITHHELD = "[a log record was withheld: the secrets could not be taken out of it]"
DEPTH = 6  # how far into nested fields and arguments a value is looked for


class RedactingFilter(Masked, logging.Filter):
    """Puts `[redacted]` for every value of these secrets in a log record: message, arguments, fields, exception and stack.

    `RedactingFilter(secrets)` covers every name that `secrets` was asked for by then or later; a single `Secret` may be given
    too. Add it to handlers: a filter on a logger does not see what the loggers below it log. It knows the values at hand
    (current, previous, pending, and the last ones that they replaced) and does no I/O: a secret that was never used is not
    known. Found are the value itself; as JSON, `repr`, a URL, hex and base64 write it, also within a longer base64 text; and
    each line of a value of several lines. A number in a field is looked at as it is written. A value of 4 to 7 characters is
    replaced where it stands alone, not within a word; a shorter one is let through, because it would be found everywhere. Other
    encodings, and values cut in two, are not found; nor are the local variables that a formatter of its own may show with a
    traceback.

    A record is always let through, and nothing is raised: where redaction itself fails, the message is replaced as a whole.

    Raises: `ConfigurationError` for what is neither a `Secrets` nor a `Secret`.
    """

    def __init__(self, *secrets: Secrets | Secret) -> None:
        super().__init__()
        for one in secrets:
            if not isinstance(one, (Secrets, Secret)):
                raise ConfigurationError(f"RedactingFilter takes Secrets and Secret objects, not {type(one).__name__}")
        self._secrets = secrets
        self._made: tuple[tuple[SecretVersions, ...], Redact] = ((), redactor(()))

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True; the record is changed if it holds a value."""
        try:
            _clean(record, self._redact())
        except Exception:  # also an argument that cannot be shown: logging would raise the same, or print it
            record.msg, record.args = WITHHELD, ()
            record.exc_info = record.exc_text = record.stack_info = None
        return True

    def _redact(self) -> Redact:
        """The function for the values at hand; the same until one of them changes."""
        known, redact = self._made
        seen = tuple(
            versions
            for one in self._secrets
            for slot in (one._ledger.slots() if isinstance(one, Secrets) else (one._slot,))
            for versions in slot.read()
        )
        if seen != known:  # by identity
            redact = redactor([sealed(value) for versions in seen for _, value in versions.named()])
            self._made = (seen, redact)
        return redact


def _clean(record: logging.LogRecord, redact: Redact) -> None:
    if record.exc_info and not record.exc_text:
        shown = logging.Formatter().formatException(record.exc_info)
        if redact(shown) != shown:  # otherwise the handler's formatter shows it in its own way
            record.exc_text = shown
    message = record.getMessage()
    clean = redact(message)
    if clean != message or _within(record.args, redact, DEPTH) is not record.args:
        record.msg, record.args = clean, ()
    for name, value in list(record.__dict__.items()):
        if name not in _KEPT:
            clean = _within(value, redact, DEPTH)
            if clean is not value:
                record.__dict__[name] = clean
    if record.exc_text and MARK in record.exc_text:
        record.exc_info = None  # whoever formats it anew would show what was taken out


# What a record always has is no place for a secret, but for these two and the message.
_KEPT = frozenset(logging.makeLogRecord({}).__dict__) - {"exc_text", "stack_info"}


def _within(value: Any, redact: Redact, depth: int) -> Any:
    """`value` without secrets; the same object if there are none in it. Beyond `depth`, what holds one is shown as text."""
    if isinstance(value, str):
        clean = redact(value)
        return value if clean == value else clean
    if value is None or isinstance(value, bool):
        return value
    if depth and type(value) in (tuple, list):
        items = [_within(item, redact, depth - 1) for item in value]
        return value if all(map(_same, items, value)) else type(value)(items)
    if depth and type(value) is dict:
        pairs = [(_within(k, redact, depth - 1), _within(v, redact, depth - 1)) for k, v in value.items()]
        same = all(_same(key, old) and _same(item, value[old]) for (key, item), old in zip(pairs, value, strict=True))
        return value if same else dict(pairs)
    shown = str(value)
    clean = redact(shown)
    return value if clean == shown else clean


def _same(one: object, other: object) -> bool:
    return one is other
