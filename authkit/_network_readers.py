"""Where a list of networks can come from: a file, a URL, a secret, a callable of yours."""

from __future__ import annotations

import os
import stat

from ._fetch import Answer, Unfetched, checked_url, fetch
from ._network_sources import NetworkSource, NotYet, Unread
from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .secrets import Secret

MAX_BYTES = 16_777_216  # of a list: a million networks
TIMEOUT = 10.0  # seconds for a URL, from the first to the last byte
SETTLED = 1.0  # seconds after the last change of a file at which nobody is writing it any more
REDIRECTS = 3  # of a URL, all to the same origin

_TOO_LARGE = "it is larger than 16 MiB"
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class FileNetworks(NetworkSource):
    """A file that is read again whenever it has changed. A file that every user of the machine can write is refused.

    Replace it as a whole (write beside it, then rename). One that is written in place is left alone until a second after the
    last change. The path is made absolute when this is built; symbolic links are followed at each reading.
    """

    def __init__(self, path: str | os.PathLike[str], *, refresh: float = 5.0, **options: Any) -> None:
        super().__init__(refresh, **options)
        name = os.fspath(path)
        if not isinstance(name, str) or not name or "\0" in name:
            raise ConfigurationError("Networks.file needs the path of a file")
        self._path = os.path.abspath(name)
        self._seen: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return f"the networks in {self._path}"

    def _read(self) -> str | None:
        try:
            file = os.open(self._path, _FLAGS)
        except OSError as error:
            raise Unread(f"it cannot be opened ({type(error).__name__})") from None
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise Unread("it is not a regular file")
            if os.name == "posix" and status.st_mode & 0o002:
                raise Unread("every user of this machine can write it: chmod o-w it")
            seen = _signature(status)
            if seen == self._seen and self._known is not None and not self._failures:
                return None
            if self._known is not None and 0 <= self._clock() - status.st_mtime < SETTLED:
                raise NotYet
            with os.fdopen(os.dup(file), "rb") as opened:
                content = opened.read(MAX_BYTES + 1)
            if _signature(os.fstat(file)) != seen:
                raise NotYet if self._known is not None else Unread("it changed while it was read")
        finally:
            os.close(file)
        text = _text(content)
        self._seen = seen
        return text


class UrlNetworks(NetworkSource):
    """An https URL that answers with a list. http to a loopback address only; no redirect to another origin is followed.

    At most 16 MiB, and `timeout` seconds for all of it. `headers`: sent with the request, and never shown. Nothing checks that
    the list is the publisher's own but TLS.
    """

    def __init__(
        self,
        url: str,
        *,
        refresh: float = 3600.0,
        timeout: float = TIMEOUT,
        headers: dict[str, str] | None = None,
        transport: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(refresh, **options)
        from urllib.parse import urlsplit

        checked_url("Networks.url: the URL", url)
        if type(timeout) not in (int, float) or not 0 < timeout <= 60:
            raise ConfigurationError("Networks.url: timeout is a number of seconds, up to 60")
        self._url = url
        self._host = urlsplit(url).hostname
        self._timeout = timeout
        self._headers = dict(headers or {})
        self._transport = transport
        self._etag: str | None = None

    @property
    def name(self) -> str:
        return f"the networks of {self._host}"

    def _read(self) -> str | None:
        try:
            answer = fetch(
                self._url,
                max_bytes=MAX_BYTES,
                seconds=self._timeout,
                headers=self._asking(),
                redirects=REDIRECTS,
                transport=self._transport,
                monotonic=self._monotonic,
            )
        except Unfetched as error:
            raise Unread(str(error)) from None
        return self._taken(answer)

    def _asking(self) -> dict[str, str]:
        if self._etag is None or self._known is None or self._failures:
            return self._headers
        return {**self._headers, "if-none-match": self._etag}

    def _taken(self, answer: Answer) -> str | None:
        if answer.status == 304 and self._known is not None:
            return None
        if answer.status != 200:
            raise Unread(f"it answered {answer.status}")
        text = _text(answer.content)
        self._etag = answer.headers.get("etag")
        return text


class SecretNetworks(NetworkSource):
    """A secret whose value is a list: one network to a line, or separated by commas or spaces."""

    def __init__(self, secret: Secret, *, refresh: float = 30.0, **options: Any) -> None:
        super().__init__(refresh, **options)
        from .secrets import Secret

        if not isinstance(secret, Secret):
            raise ConfigurationError("Networks.secret needs a Secret, like secrets[...]")
        self._secret = secret

    @property
    def name(self) -> str:
        return f"the networks in the secret {self._secret.name}"

    def _read(self) -> str:
        return self._secret.reveal()


class CalledNetworks(NetworkSource):
    """A callable of yours. It is called in a thread, may block, and has a timeout of its own."""

    def __init__(self, fn: Callable[[], Iterable[str]], *, refresh: float = 60.0, **options: Any) -> None:
        super().__init__(refresh, **options)
        from inspect import iscoroutinefunction

        if not callable(fn) or iscoroutinefunction(fn):
            raise ConfigurationError("Networks.call needs a callable that is not async")
        self._fn = fn

    @property
    def name(self) -> str:
        return f"the networks of {getattr(self._fn, '__qualname__', type(self._fn).__name__)}"

    def _read(self) -> Any:
        listed: Any = self._fn()
        if listed is None:
            raise Unread("it gave None")
        if hasattr(listed, "__await__"):
            if hasattr(listed, "close"):
                listed.close()
            raise Unread("it is async")
        return listed


def _signature(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise Unread(_TOO_LARGE)
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Unread("it is not UTF-8") from None
