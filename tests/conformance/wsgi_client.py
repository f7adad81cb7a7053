"""An HTTP request to a WSGI app in this process, with a peer of our choosing."""

from __future__ import annotations

import io
import sys
from typing import Any

from .exchange import Got, Sent


def environ_of(sent: Sent) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": sent.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": sent.path,
        "QUERY_STRING": sent.query,
        "SERVER_NAME": "api.example",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "api.example",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(sent.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(sent.body)),
    }
    if sent.peer is not None:
        environ["REMOTE_ADDR"] = sent.peer
    for name, value in sent.headers:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value  # as gunicorn and waitress join repeated lines
    return environ


def call(app: Any, sent: Sent) -> Got:
    """One request. An exception that the app lets through is what the server would turn into its own 500."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if exc_info is not None and started:
            raise exc_info[1].with_traceback(exc_info[2])
        started[:] = [status, headers]
        return lambda data: None

    try:
        parts = app(environ_of(sent), start_response)
        try:
            body = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
    except Exception as error:
        return Got(status=None, error=type(error).__name__)
    headers: dict[str, list[str]] = {}
    for name, value in started[1]:
        headers.setdefault(name.lower(), []).append(value.strip(" \t"))  # as a client reads it; Django writes a space
    return Got(status=int(started[0][:3]), headers=headers, body=body)
