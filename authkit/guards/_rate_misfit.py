"""Where a limit that is counted in one process's memory is not the limit that was written: said once, as far as it shows."""

from __future__ import annotations

import os
import sys

from .._audit import once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SERVERS = ("gunicorn", "uvicorn", "hypercorn", "granian", "daphne", "fastapi")


def misfit(environ: Mapping[str, str], argv: Sequence[str], modules: Mapping[str, object]) -> str | None:
    """Why other processes count for themselves here, or None if nothing shows that there are any.

    Seen: AWS Lambda, `WEB_CONCURRENCY`, `--workers` of a server, uWSGI's processes, and the siblings of a gunicorn worker. Not
    seen: several machines or containers, and workers that only a program's own code starts.
    """
    if environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return "every instance of this Lambda function counts by itself"
    stated = (  # in the order in which servers go by them
        (_stated(argv) if _is_server(argv) else 0)
        or (_stated(environ.get("GUNICORN_CMD_ARGS", "").split()) if "gunicorn" in modules else 0)
        or _whole(environ.get("WEB_CONCURRENCY"))
    )
    seen = max(_whole(getattr(modules.get("uwsgi"), "numproc", 0)), _siblings(modules.get("gunicorn.arbiter")))
    workers = max(stated, seen)
    return "each of several worker processes counts by itself" if workers > 1 else None


def note() -> None:
    """Warn, once in this process, if this is such a place."""
    why = misfit(os.environ, sys.argv, sys.modules)
    if why is not None:
        once("rate_limit counts in this process's memory, and %s: give it a store that all of them share", why)


def _is_server(argv: Sequence[str]) -> bool:
    """Whether the program is a server: `gunicorn`, or the `__main__.py` of its package."""
    return bool(argv) and any(name in _SERVERS for name in argv[0].replace("\\", "/").removesuffix(".exe").split("/")[-2:])


def _stated(words: Sequence[str]) -> int:
    """What `--workers 4`, `--workers=4`, `-w 4` or `-w4` says; 0 if nothing does."""
    found = 0
    for place, word in enumerate(words):
        if word in ("--workers", "-w"):
            found = _whole(words[place + 1]) if place + 1 < len(words) else 0
        elif word.startswith("--workers="):
            found = _whole(word[10:])
        elif word.startswith("-w"):
            found = _whole(word[2:]) or found
    return found


def _siblings(arbiter: object) -> int:
    """How many workers gunicorn's master had when this one was forked, this one included: all but the first see another."""
    workers = getattr(getattr(arbiter, "Arbiter", None), "WORKERS", None)
    return len(workers) + 1 if isinstance(workers, dict) and workers else 0


def _whole(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
