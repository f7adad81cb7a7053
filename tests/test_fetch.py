"""One bounded fetch: nothing is slower, larger or elsewhere than we were told to accept (JWK-08, JWK-10)."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from authkit import ConfigurationError
from authkit._fetch import Unfetched, checked_url, fetch
from authkit.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path


class Raw:
    """A server that answers with the bytes it is told, one piece at a time."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        self.pieces: Callable[[], Iterator[bytes]] = lambda: iter(())
        self.asked = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def answers(self, *lines: str, body: bytes = b"") -> None:
        self.pieces = lambda: iter(["\r\n".join([*lines, "", ""]).encode() + body])

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            with peer:
                self.asked += 1
                peer.recv(65_536)
                try:
                    for piece in self.pieces():
                        peer.sendall(piece)
                except OSError:
                    pass

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def raw() -> Iterator[Raw]:
    server = Raw()
    yield server
    server.close()


def drip(first: bytes) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield first
        while True:
            time.sleep(0.05)
            yield b"x"

    return pieces


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_a_byte_now_and_then_is_over_when_the_time_is_in_headers_and_body(raw: Raw, first: bytes) -> None:
    raw.pieces = drip(first)
    began = time.monotonic()
    with pytest.raises(Unfetched, match=r"more than 0\.3 seconds"):
        fetch(raw.url, max_bytes=1 << 20, seconds=0.3)
    assert time.monotonic() - began < 3


def test_a_body_that_is_too_large_is_not_read_on(raw: Raw) -> None:
    raw.answers("HTTP/1.1 200 OK", body=b"x" * 5000)
    with pytest.raises(Unfetched, match="larger than 4 KiB"):
        fetch(raw.url, max_bytes=4096, seconds=5)


def test_a_compressed_answer_is_not_unpacked(raw: Raw) -> None:
    raw.answers("HTTP/1.1 200 OK", "Content-Encoding: gzip", body=gzip.compress(b"0" * 10_000_000))
    with pytest.raises(Unfetched, match="encoding"):
        fetch(raw.url, max_bytes=1 << 20, seconds=5)


def test_a_redirect_goes_to_the_same_origin_or_nowhere(raw: Raw) -> None:
    elsewhere = Raw()
    raw.answers("HTTP/1.1 302 Found", f"Location: {elsewhere.url}", "Content-Length: 0")
    with pytest.raises(Unfetched, match="another origin"):
        fetch(raw.url, max_bytes=1 << 20, seconds=5, redirects=3)
    assert elsewhere.asked == 0
    elsewhere.close()
    raw.answers("HTTP/1.1 302 Found", "Location: /", "Content-Length: 0", "Connection: close")
    with pytest.raises(Unfetched, match="for ever"):
        fetch(raw.url, max_bytes=1 << 20, seconds=5, redirects=3)


def test_nobody_there_is_said_without_the_url(raw: Raw) -> None:
    raw.close()
    with pytest.raises(Unfetched, match=r"^ConnectError$"):
        fetch(raw.url, max_bytes=1 << 20, seconds=5)
    raw._listening = socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/", "file:///etc/passwd", "ftp://issuer.example/", "data:text/plain,x", "//issuer.example", "",
        "https://", "https://user:word@issuer.example/", "https://issuer.example/#x", "https://issuer.example/a b", None, 7,
        "http://127.0.0.1.example/", "http://localhost.example/", "https://issuer.example:port/", "https://[::1", "https://i\n/",
    ],
)  # fmt: skip
def test_only_https_is_asked_and_http_on_this_machine(url: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^jwks_uri is an https URL"):
        checked_url("jwks_uri", url)


@pytest.mark.parametrize(
    "url", ["https://issuer.example/a?b=c", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/"]
)
def test_these_are(url: str) -> None:
    assert checked_url("jwks_uri", url) == url


class TestCertificates:
    """A server with TLS on loopback; what vouches for it decides."""

    @pytest.mark.parametrize("days", [30, -1], ids=["self-signed", "expired"])
    def test_one_that_nobody_vouches_for_is_not_believed(self, days: int, tmp_path: Path) -> None:
        with tls(tmp_path, days) as (url, _), pytest.raises(Unfetched, match=r"^ConnectError$"):
            fetch(url, max_bytes=1 << 20, seconds=5)

    def test_one_that_is_trusted_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As a company's own authority is, by the variable that is usual for that."""
        with tls(tmp_path, 30) as (url, certificate):
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            assert fetch(url, max_bytes=1 << 20, seconds=5).content == b"in"

    def test_one_that_is_trusted_and_over_is_not(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with tls(tmp_path, -1) as (url, certificate):
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            with pytest.raises(Unfetched, match=r"^ConnectError$"):
                fetch(url, max_bytes=1 << 20, seconds=5)

    def test_who_is_trusted_is_read_once_a_minute_and_not_for_each_question(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Reading all authorities takes longer than the rest, and strangers choose how often we ask about their tokens."""
        clock = Clock()
        with tls(tmp_path, 30) as (url, certificate):
            trusted = tmp_path / "trusted.pem"
            monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
            for _ in range(2):
                with pytest.raises(ConfigurationError):  # what could not be read is read again
                    fetch(url, max_bytes=100, seconds=30, monotonic=clock)
            trusted.write_bytes(certificate.read_bytes())
            assert fetch(url, max_bytes=100, seconds=30, monotonic=clock).content == b"in"
            trusted.unlink()
            clock.advance(59)
            assert fetch(url, max_bytes=100, seconds=30, monotonic=clock).content == b"in"
            clock.advance(2)
            with pytest.raises(ConfigurationError):
                fetch(url, max_bytes=100, seconds=30, monotonic=clock)
            with pytest.raises(Unfetched, match="ConnectError"):  # by another environment others are trusted
                fetch(url, max_bytes=100, seconds=30, monotonic=clock, trust_env=False)


@contextlib.contextmanager
def tls(folder: Path, days: int) -> Iterator[tuple[str, Path]]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    made = made.not_valid_before(now - datetime.timedelta(9)).not_valid_after(now + datetime.timedelta(days))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate = folder / "certificate.pem"
    certificate.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = folder / "key.pem"
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(certificate, private)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), settings.wrap_socket(peer, server_side=True) as secure:
                secure.recv(65_536)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nin")

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        yield f"https://localhost:{listening.getsockname()[1]}/", certificate
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        serving.join(5)


class TestTheEnvironment:
    """Nothing that it says leads to this machine's own addresses being asked elsewhere, and what is wrong there is told."""

    NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")

    @pytest.fixture(autouse=True)
    def clean(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in self.NAMES:
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)

    def test_no_proxy_is_asked_for_a_loopback_address(self, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
        proxy = Raw()
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        raw.answers("HTTP/1.1 200 OK", "Content-Length: 2", body=b"{}")
        assert fetch(raw.url, max_bytes=100, seconds=30).content == b"{}"
        assert proxy.asked == 0
        proxy.close()

    def test_a_proxy_is_asked_for_anything_else_and_sees_no_more_than_the_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        proxy = Raw()
        proxy.answers("HTTP/1.1 403 Forbidden", "Content-Length: 0")
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(Unfetched, match="ProxyError"):
            fetch("https://issuer.example/keys", max_bytes=100, seconds=30)
        assert proxy.asked == 1
        proxy.close()

    @pytest.mark.parametrize(
        ("name", "value"),
        [("HTTPS_PROXY", "ftp://user:pass-4711@127.0.0.1:1"), ("SSL_CERT_FILE", "/nowhere/4711.pem")],
    )
    def test_what_cannot_be_used_is_a_wrong_configuration(self, name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(name, value)
        threads = threading.active_count()
        with pytest.raises(ConfigurationError, match="cannot be used") as caught:
            fetch("https://issuer.example/keys", max_bytes=100, seconds=30)
        assert "4711" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
        assert threading.active_count() <= threads


def test_an_answer_in_parts_is_bounded_as_a_whole(raw: Raw) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in range(100):
            yield b"400\r\n" + b"x" * 1024 + b"\r\n"

    raw.pieces = pieces
    with pytest.raises(Unfetched, match="larger than 4 KiB"):
        fetch(raw.url, max_bytes=4096, seconds=30)


def test_an_answer_that_breaks_off_is_none(raw: Raw) -> None:
    raw.answers("HTTP/1.1 200 OK", "Content-Length: 100", body=b"{}")
    with pytest.raises(Unfetched, match="RemoteProtocolError"):
        fetch(raw.url, max_bytes=4096, seconds=30)


@pytest.mark.parametrize("line", ["HTTP/1.1 200 OK\r\nX: " + "x" * 200_000, "\0\1\2\3", "SSH-2.0-x", ""])
def test_what_is_no_http_is_no_answer(raw: Raw, line: str) -> None:
    raw.answers(line)
    with pytest.raises(Unfetched):
        fetch(raw.url, max_bytes=4096, seconds=30)


@pytest.mark.parametrize(
    "location",
    ["https://127.0.0.1:{port}/", "http://127.0.0.1:1/", "http://localhost:{port}/", "//other.example/", "http://[::1]:{port}/",
     "http://127.0.0.1.example:{port}/", "file:///etc/passwd", "http://127.0.0.1:{port}@other.example/", "\\\\other.example\\"],
)  # fmt: skip
def test_a_redirect_that_only_looks_like_the_same_origin_is_not_followed(raw: Raw, location: str) -> None:
    port = raw.url.rsplit(":", 1)[1].rstrip("/")
    raw.answers("HTTP/1.1 302 Found", f"Location: {location.format(port=port)}", "Content-Length: 0", "Connection: close")
    with pytest.raises(Unfetched):
        fetch(raw.url, max_bytes=4096, seconds=30, redirects=1)
    assert raw.asked <= 2


@pytest.mark.parametrize(
    "url",
    ["http://localhost./", "http://0.0.0.0/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://[::]/",
     "http://[::ffff:127.0.0.1]/", "http://127.0.0.2/", "http://xlocalhost/", "http://localhost%2eevil.example/",
     "http://\u24c1ocalhost/", "http://localhost\\@evil.example/", "http://127.0.0.1@evil.example/",
     "http://127.0.0.1:80@evil.example/", "http:localhost/",
     "http:///localhost/", "HTTP://evil.example/", "http://[::1%25eth0]/", "http://local host/", "http://localhost;evil.example/",
     "https://issuer.example:99999/", "https://issuer.example:-1/", "https://:443/", "https://@issuer.example/", " https://x.example/"],
)  # fmt: skip
def test_what_resembles_this_machine_or_an_url_is_neither(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^jwks_uri is an https URL"):
        checked_url("jwks_uri", url)


def test_another_method_is_sent_with_its_body_and_follows_no_redirect(raw: Raw) -> None:
    raw.answers("HTTP/1.1 302 Found", f"Location: {raw.url}again", "Content-Length: 0", "Connection: close")
    with pytest.raises(Unfetched, match="redirects"):
        fetch(raw.url, max_bytes=4096, seconds=30, method="DELETE", form=b"{}", redirects=3)
    assert raw.asked == 1


def test_of_the_answers_whose_bodies_are_wanted_the_bodies_are_read(raw: Raw) -> None:
    raw.answers("HTTP/1.1 201 Created", "Content-Length: 2", "Connection: close", body=b"{}")
    assert fetch(raw.url, max_bytes=4096, seconds=30, form=b"").content == b""
    assert fetch(raw.url, max_bytes=4096, seconds=30, form=b"", told=(201,)).content == b"{}"


def test_what_is_asked_quietly_is_in_no_log_and_what_others_ask_is(raw: Raw, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    raw.answers("HTTP/1.1 200 OK", "Content-Length: 2", "Connection: close", body=b"{}")
    fetch(raw.url + "?email=canary", max_bytes=4096, seconds=30, quiet=True)
    assert "canary" not in caplog.text
    fetch(raw.url + "?page=parrot", max_bytes=4096, seconds=30)
    assert "parrot" in caplog.text


@pytest.mark.parametrize(
    "url", ["https://xn--a/", "https://a..b/", f"https://{'a' * 300}/", f"https://a.example/{'a' * 70_000}"]
)
def test_what_no_request_can_be_made_of_is_not_fetched(url: str) -> None:
    """An issuer's metadata may name such."""
    with pytest.raises(Unfetched):
        fetch(checked_url("it", url), max_bytes=10, seconds=5)


def test_what_is_asked_quietly_stays_quiet_while_who_asks_fetches_something_else(
    raw: Raw, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    raw.answers("HTTP/1.1 200 OK", "Content-Length: 2", "Connection: close", body=b"{}")

    class Fetching(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
            fetch(raw.url + "token", max_bytes=4096, seconds=30)
            yield request

    fetch(raw.url + "?email=canary", max_bytes=4096, seconds=30, quiet=True, auth=Fetching())
    assert raw.asked == 2
    assert "canary" not in caplog.text
