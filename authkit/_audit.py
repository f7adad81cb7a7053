"""One audit event per request, to the logger `authkit.audit` and to callbacks. Never a token, secret, claim value or query.

The fields are public API: event, outcome, status, guard, reason, principal, issuer, client, method, route, host, us, shadow.
`us`: microseconds in guards. The record's message is the event as JSON; the same mapping is its attribute `authkit`.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping
    from typing import Any

    from ._state import State
    from .http import Request

FIELD_BYTES = 256  # so that a hostile user name or method cannot flood the log

_loggers: dict[str, logging.Logger] = {}


def logger(name: str = "authkit") -> logging.Logger | None:
    """The logger, or None while the program has not imported `logging`: then nobody can be listening."""
    found = _loggers.get(name)
    if found is None:
        logging = sys.modules.get("logging")
        if logging is None or not hasattr(logging, "captureWarnings"):  # the last it defines: a thread may import it still
            return None
        found = _loggers[name] = logging.getLogger(name)
        if name == "authkit.audit" and not any(isinstance(h, logging.NullHandler) for h in found.handlers):
            found.addHandler(logging.NullHandler())  # a library does not print to stderr unless it was asked to
    return found


def is_heard(state: State) -> bool:
    """Whether anybody listens for an allowed request; a refusal is always built."""
    if state.listeners:
        return True
    log = _loggers.get("authkit.audit") or logger("authkit.audit")
    return log is not None and log.isEnabledFor(20)


def _bounded(value: object) -> str | None:
    if value is None:
        return None
    encoded = str(value).encode("utf-8", "backslashreplace")
    return encoded[:FIELD_BYTES].decode("utf-8", "ignore")


def event(state: State, request: Request) -> dict[str, Any]:
    """The audit event of this request as a mapping."""
    principal = state.principal
    subject = None if principal is None else principal.subject
    if subject is not None and state.hash_key is not None:
        import hashlib

        subject = hashlib.blake2b(subject.encode("utf-8", "backslashreplace"), key=state.hash_key, digest_size=16).hexdigest()
    try:
        route = request.route
    except Exception:  # a host's own object may be in any shape by now; the event is written all the same
        route = None
    return {
        "event": "request",
        "outcome": state.outcome,
        "status": state.status,
        "guard": _bounded(state.guard),
        "reason": _bounded(state.reason),
        "principal": _bounded(subject),
        "issuer": None if principal is None else _bounded(principal.issuer),
        "client": _bounded(request.peer if state.client is None else state.client or None),
        "method": _bounded(request.method),
        "route": _bounded(route),
        "host": request.host,
        "us": state.ns // 1000,
        "shadow": _bounded(state.shadow),
    }


def write(state: State, request: Request) -> None:
    """Write the event. A listener that raises is logged; it never changes the decision."""
    if state.outcome == "allow" and state.shadow is None and not is_heard(state):
        return
    log = logger("authkit.audit")
    if not state.listeners and log is None:
        return
    fields = event(state, request)
    if log is not None:
        level = 20 if state.outcome == "allow" and state.shadow is None else 30
        if log.isEnabledFor(level):
            import json

            try:
                log.log(level, "%s", json.dumps(fields, separators=(",", ":")), extra={"authkit": fields})
            except Exception as error:  # of the program's own handlers and filters
                warn("writing an audit event raised %s", type(error).__name__)
    for listener in state.listeners:
        try:
            listener(fields)
        except Exception as error:
            warn("an audit callback raised %s", type(error).__name__)


def warn(message: str, *args: object) -> None:
    """A warning of the library itself, on the logger `authkit`."""
    log = logger()
    if log is None:
        import logging

        log = logging.getLogger("authkit")
    log.warning(message, *args)


def once(message: str, *args: object, _said: set[Mapping[str, Any] | str] = set()) -> None:  # noqa: B006
    """As `warn`, but each message at most once in this process."""
    line = message % args if args else message
    if line not in _said:
        _said.add(line)
        warn("%s", line)
