"""One bounded way to fetch something over https: by so much, in so long, and from nobody but whom we were told to ask."""

from __future__ import annotations

import os
import threading
import time

from ._needs import needs
from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from typing import Any

LOOPBACK = ("localhost", "127.0.0.1", "::1")
TRUST_SECONDS = 60  # how long it is remembered who is trusted: reading that takes 30 ms, and files of certificates change
MAX_TRUSTED = 8  # environments of which it is

_quiet = threading.local()  # `asking`: this thread asks what httpx shall not log
_trusted: dict[tuple[str | None, ...], tuple[float, Any]] = {}  # by what the environment says: since when, and the TLS settings


class Unfetched(Exception):
    """It could not be had. The message says why, and nothing of what was answered."""


class Answer:
    """What was answered. `headers`: in lower case; `content`: the body of a 200, of a 400, 401, 403 to a form, or as told."""

    __slots__ = ("status", "headers", "content")

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content


def checked_url(setting: str, url: object) -> str:
    """`url`, if it is one that may be asked: https, or http to a loopback address; no user, password or fragment.

    Raises: `ConfigurationError`, which names the setting and not its value.
    """
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = None, None
    if (
        parts is None
        or not isinstance(url, str)
        or not host
        or parts.username is not None
        or parts.password is not None
        or "#" in url
        or not all("!" <= char <= "~" and char not in '\\"<>^`{|}' for char in url)
    ):
        raise ConfigurationError(f"{setting} is an https URL with a host, and without user, password or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        raise ConfigurationError(f"{setting} is an https URL; http goes to a loopback address only")
    return url


def fetch(
    url: str,
    *,
    max_bytes: int,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    form: bytes | None = None,
    method: str | None = None,
    told: Container[int] | None = None,
    quiet: bool = False,
    redirects: int = 0,
    auth: Any = None,
    transport: Any = None,
    trust_env: bool = True,
    monotonic: Callable[[], float] = time.monotonic,
) -> Answer:
    """What `url` answers with GET. It blocks, for at most `seconds` from the first to the last byte.

    `form`: what is sent with POST instead (application/x-www-form-urlencoded unless `headers` have another content-type), and
    then no redirect is followed. `method`: another than these two; then none is followed either. `told`: the status of answers
    whose body is wanted. `quiet`: httpx logs nothing of it; at INFO it writes each URL with its query.
    `redirects`: how many are followed, all to the same origin. `auth`, `transport`: of httpx; the latter closed by its owner.
    `trust_env`: whether a proxy and SSL_CERT_FILE are taken from the environment; never a proxy to a loopback address.

    Raises: `Unfetched` for whatever is no answer, or one that is too large, too slow, encoded, or a redirect elsewhere;
    `ConfigurationError` if a proxy or the certificates that the environment names cannot be used.
    """
    httpx = needs("httpx")
    end = monotonic() + seconds
    asking = {"accept-encoding": "identity", **(headers or {})}
    if told is None:
        told = (200,) if form is None else (200, 400, 401, 403)
    if form is not None or method is not None:
        redirects = 0  # what is sent is for nobody else
    if form is not None:
        asking.setdefault("content-type", "application/x-www-form-urlencoded")
    method = method or ("GET" if form is None else "POST")
    try:
        target = httpx.URL(url)
        proxied = trust_env and target.host not in LOOPBACK
    except Exception:  # a host that IDNA does not know, a URL of a megabyte
        target, proxied = None, False
    if target is None:
        raise Unfetched("its address names no host")
    client: Any = None
    unusable = ""
    try:
        client = httpx.Client(
            transport=transport,
            timeout=seconds,
            follow_redirects=False,
            trust_env=proxied,
            verify=_verifying(target.scheme, trust_env, monotonic()),
        )
    except Exception as error:  # its words may hold the proxy's password
        unusable = type(error).__name__
    if client is None:
        raise ConfigurationError(f"a proxy or SSL_CERT_FILE of the environment cannot be used: {unusable}")
    watch = _Watch(seconds)
    heard = getattr(_quiet, "asking", False)  # `auth` may fetch, too
    if quiet:
        _hush()
    try:
        for _ in range(1 + redirects):
            with client.stream(
                method, target, content=form, headers=asking, auth=auth, extensions={"trace": watch.saw}
            ) as answer:
                if answer.next_request is None:
                    content = _body(answer, max_bytes, end, seconds, monotonic) if answer.status_code in told else b""
                    if watch.barked:  # a connection that is shut looks like the end of an answer that names no length
                        raise Unfetched(f"it took more than {seconds:g} seconds")
                    return Answer(answer.status_code, dict(answer.headers.items()), content)
                origin, target = target, answer.next_request.url
            if (target.scheme, target.host, target.port) != (origin.scheme, origin.host, origin.port):
                raise Unfetched("it redirects to another origin, which is not followed")
        raise Unfetched("it redirects, which is not followed" if not redirects else "it redirects for ever")
    except Unfetched:
        raise
    except Exception as error:  # httpx's own, and whatever a socket says that the watch has shut
        failure = f"it took more than {seconds:g} seconds" if watch.barked else type(error).__name__
    finally:
        _quiet.asking = heard
        watch.over()
        if transport is None:
            client.close()
    raise Unfetched(failure)


def _hush() -> None:
    """See to it that httpx logs nothing of what this thread asks next. What others ask is logged as before."""
    import logging

    logging.getLogger("httpx").addFilter(_loud)  # adding it once more changes nothing
    _quiet.asking = True


def _loud(record: object) -> bool:
    return not getattr(_quiet, "asking", False)


def _verifying(scheme: str, trust_env: bool, now: float) -> Any:
    """How certificates are verified. Without TLS there are none; and who is trusted is not read for each question."""
    import ssl

    if scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
    named = tuple(os.environ.get(name) or None for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")) if trust_env else (None, None)
    read, found = _trusted.get(named, (now, None))
    if found is None or not 0 <= now - read < TRUST_SECONDS:
        # As the newest httpx has it; older ones take a file that is not there for none.
        file, folder = named[0], None if named[0] else named[1]
        if file is None and folder is None:
            file = needs("certifi").where()
        found = ssl.create_default_context(cafile=file, capath=folder)
        if len(_trusted) >= MAX_TRUSTED:
            _trusted.clear()
        _trusted[named] = now, found
    return found


def _body(answer: Any, max_bytes: int, end: float, seconds: float, monotonic: Callable[[], float]) -> bytes:
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unfetched("it answered in an encoding that was not asked for")
    parts, size = [], 0
    # A transport that is given, in tests say, may have read the answer already.
    for part in [answer.content] if answer.is_stream_consumed else answer.iter_raw():
        size += len(part)
        if size > max_bytes:
            raise Unfetched(f"it is larger than {_amount(max_bytes)}")
        if monotonic() > end:
            raise Unfetched(f"it took more than {seconds:g} seconds")
        parts.append(part)
    return b"".join(parts)


def _amount(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


class _Watch:
    """Shuts the connection when the time is over: httpx bounds each read, and a byte a second never ends."""

    __slots__ = ("_timer", "_sockets", "barked")

    def __init__(self, seconds: float) -> None:
        self.barked = False
        self._sockets: list[Any] = []
        self._timer = threading.Timer(seconds, self._bark)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:  # no thread to be had, or the interpreter is closing: each read has its bound still
            pass

    def saw(self, event: str, info: Mapping[str, Any]) -> None:
        """What httpx tells of a connection as it makes one (its `trace` extension)."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            found = info["return_value"].get_extra_info("socket")
            if found is not None:
                self._sockets.append(found)
                if self.barked:
                    self._shut()

    def over(self) -> None:
        self._timer.cancel()
        self._sockets.clear()

    def _bark(self) -> None:
        self.barked = True
        self._shut()

    def _shut(self) -> None:
        import socket

        for one in list(self._sockets):
            try:  # the plain socket's way, also of one under TLS, which another thread reads just now
                socket.socket.shutdown(one, socket.SHUT_RDWR)
            except (OSError, TypeError):  # it is closed, or not a socket
                continue
