"""Where lists of networks come from: files that are replaced, servers that misbehave, secrets that rotate."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import logging
import os
import ssl
import stat
import time

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from authkit import ConfigurationError
from authkit import _network_readers as readers
from authkit._network_readers import FileNetworks, SecretNetworks, UrlNetworks
from authkit._run import run
from authkit.address import Networks, parse
from authkit.errors import Unavailable
from authkit.secrets import Secret, Secrets
from authkit.testing import Clock
from tests.listed import eventually, serving
from tests.secrets.counted import Source

OFFICE, HOME = parse("10.1.2.3"), parse("203.0.113.5")


def old(path, seconds=100):
    """`path` as if its last change were so long ago."""
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def written(path, text, seconds=100):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return old(path, seconds)


def due(source):
    """Have the next look at `source` be due now."""
    source._until = float("-inf")
    source.at_hand()
    eventually(lambda: not source._reading)
    return source.at_hand()


def self_signed(directory):
    """A certificate for 127.0.0.1 and its key, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(1))
        .add_extension(alternative, False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "both.pem").write_bytes(private + certificate.public_bytes(pem))
    return directory / "both.pem"


class TestFile:
    def test_it_is_read_again_when_it_was_replaced(self, tmp_path):
        path = written(tmp_path / "office.txt", "10.0.0.0/8\n")
        source = Networks.file(path)
        first = run(source.load())
        assert OFFICE in first
        assert due(source) is first, "unchanged, it is not even parsed"
        os.replace(written(tmp_path / "new", "203.0.113.0/24\n", seconds=50), path)
        assert HOME in due(source)
        assert OFFICE not in source.at_hand()

    def test_a_link_that_is_turned_is_followed(self, tmp_path):
        """As Kubernetes publishes a config map."""
        for name, text in (("one", "10.0.0.0/8"), ("two", "203.0.113.0/24")):
            (tmp_path / name).mkdir()
            written(tmp_path / name / "office.txt", text)
        (tmp_path / "now").symlink_to("one")
        source = Networks.file(tmp_path / "now" / "office.txt")
        assert OFFICE in run(source.load())
        (tmp_path / "next").symlink_to("two")
        os.replace(tmp_path / "next", tmp_path / "now")
        assert HOME in due(source)

    @pytest.mark.parametrize("text", ["", "# all gone\n", "10.0.0.0/8\nrubbish\n", b"\xff\xfe10.0.0.0/8", "10.0.0.0/8\0"])
    def test_a_broken_one_changes_nothing(self, tmp_path, text, caplog):
        path = written(tmp_path / "office.txt", "10.0.0.0/8\n")
        source = Networks.file(path)
        run(source.load())
        written(path, text, seconds=50)
        assert OFFICE in due(source)
        assert "the last good list stays" in caplog.text
        assert str(path) in caplog.text
        path.unlink()
        assert OFFICE in due(source)
        written(path, "203.0.113.0/24", seconds=20)
        assert HOME in due(source)

    def test_one_that_is_being_written_is_left_alone(self, tmp_path, caplog):
        path = written(tmp_path / "office.txt", "10.0.0.0/8\n203.0.113.0/24\n")
        source = Networks.file(path)
        run(source.load())
        written(path, "10.0.0.0/8\n", seconds=0.1)  # so far
        assert HOME in due(source)
        assert not caplog.records, "that is nothing to complain about"
        old(path, 2)
        assert HOME not in due(source)

    def test_one_that_changes_while_it_is_read_is_read_again(self, tmp_path):
        path = written(tmp_path / "office.txt", "10.0.0.0/8\n203.0.113.0/24\n")
        changes = []

        def clock():  # looked at between the first look at the file and the reading of it
            if changes:
                written(path, changes.pop(), seconds=30)
            return time.time()

        source = FileNetworks(path, clock=clock)
        run(source.load())
        written(path, "10.0.0.0/8\n", seconds=40)
        source.at_hand()
        changes.append("203.0.113.0/24\n")
        assert due(source) is not None
        assert not source._failures
        assert OFFICE not in due(source)
        assert HOME in source.at_hand()

    def test_the_path_stays_where_it_was(self, tmp_path, monkeypatch):
        written(tmp_path / "office.txt", "10.0.0.0/8")
        monkeypatch.chdir(tmp_path)
        source = Networks.file("office.txt")
        monkeypatch.chdir("/")
        assert OFFICE in run(source.load())

    def test_one_that_everybody_can_write_is_refused(self, tmp_path):
        path = written(tmp_path / "office.txt", "10.0.0.0/8")
        path.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IWOTH)
        with pytest.raises(Unavailable, match="chmod o-w"):
            run(Networks.file(path).load())

    def test_a_pipe_or_a_directory_is_no_file_and_keeps_nobody_waiting(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing", tmp_path / "pipe" / "x"):
            with pytest.raises(Unavailable):
                run(Networks.file(path).load())

    def test_one_that_is_too_large_is_not_read_to_its_end(self, tmp_path):
        path = tmp_path / "office.txt"
        with path.open("wb") as file:
            file.truncate(readers.MAX_BYTES * 1000)
        with pytest.raises(Unavailable, match="16 MiB"):
            run(Networks.file(old(path)).load())

    @pytest.mark.parametrize("path", ["", "a\0b", b"office.txt"])
    def test_what_is_no_path_is_refused_when_built(self, path):
        with pytest.raises(ConfigurationError):
            Networks.file(path)


class TestUrl:
    def test_it_is_fetched_again_and_asked_whether_it_changed(self):
        with serving() as server:
            server.answer = (200, {"etag": '"one"'}, b"10.0.0.0/8\n")
            source = Networks.url(server.url, headers={"x-key": "k"})
            first = run(source.load())
            assert OFFICE in first
            assert "if-none-match" not in server.asked[0]
            assert server.asked[0]["x-key"] == "k"
            assert due(source) is first
            assert server.asked[1]["if-none-match"] == '"one"'
            server.answer = (200, {"etag": '"two"'}, b"203.0.113.0/24")
            assert HOME in due(source)

    @pytest.mark.parametrize(
        "answer",
        [
            (500, {}, b"10.0.0.0/8"),
            (404, {}, b"10.0.0.0/8"),
            (204, {}, b""),
            (206, {}, b"10.0.0.0/8"),
            (304, {}, b""),
            (200, {}, b""),
            (200, {}, b"<html>maintenance</html>"),
            (200, {"content-encoding": "gzip"}, gzip.compress(b"10.0.0.0/8")),
            (200, {"content-length": "1000000"}, b"10.0.0.0/8"),
            (302, {"location": "http://localhost:1/"}, b""),
            (302, {"location": "https://127.0.0.1/list"}, b""),
            (302, {"location": "file:///etc/passwd"}, b""),
            (302, {"location": "/list"}, b""),
            (302, {}, b"10.0.0.0/8"),
        ],
        ids=lambda answer: f"{answer[0]} {answer[1]} {len(answer[2])}",
    )
    def test_an_answer_that_is_no_list_changes_nothing(self, answer):
        with serving() as server:
            server.answer = answer
            with pytest.raises(Unavailable):
                run(Networks.url(server.url).load())
            server.answer = (200, {}, b"10.0.0.0/8")
            source = Networks.url(server.url)
            known = run(source.load())
            server.answer = answer
            assert due(source) is known

    def test_a_redirect_within_the_origin_is_followed(self):
        with serving() as server:
            server.answer = (302, {"location": "/list/v2"}, b"")
            server.by_path["/list/v2"] = (200, {}, b"10.0.0.0/8")
            assert OFFICE in run(Networks.url(server.url).load())

    def test_a_server_that_is_gone_changes_nothing(self, caplog):
        with serving() as server:
            source = Networks.url(server.url + "?key=canary-7f3a")
            run(source.load())
        assert OFFICE in due(source)
        assert "127.0.0.1" in caplog.text
        assert "canary-7f3a" not in caplog.text + repr(source)

    def test_a_list_that_comes_byte_by_byte_takes_no_longer_than_it_may(self):
        with serving() as server:
            server.drip, server.answer = 0.05, (200, {}, b"10.0.0.0/8\n" * 1000)
            start = time.monotonic()
            with pytest.raises(Unavailable, match=r"0\.3 seconds"):
                run(Networks.url(server.url, timeout=0.3).load())
            assert time.monotonic() - start < 3

    def test_a_list_without_end_is_given_up(self, monkeypatch):
        with serving() as server:
            server.answer = (200, {}, b"10.0.0.0/8\n" * (readers.MAX_BYTES // 10))
            with pytest.raises(Unavailable, match="16 MiB"):
                run(Networks.url(server.url).load())

    def test_a_certificate_that_nobody_signed_is_refused(self, tmp_path):
        with serving() as server:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self_signed(tmp_path))
            server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
            with pytest.raises(Unavailable):
                run(Networks.url(server.url.replace("http:", "https:")).load())
            assert server.asked == []

    @pytest.mark.parametrize(
        "url",
        ["http://example.com/list", "http://127.0.0.1.example.com/", "http://10.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd",
         "https://", "https:///list", "example.com/list", "", None, 7, "https://user:word@example.com/", "https://x:99999/",
         "http://user@127.0.0.1/"],
        ids=repr,
    )  # fmt: skip
    def test_what_is_no_safe_url_is_refused_when_built(self, url):
        with pytest.raises(ConfigurationError) as raised:
            Networks.url(url)
        assert "word" not in str(raised.value).replace("password", "")

    @pytest.mark.parametrize("timeout", [0, -1, 61, None, True, "1"])
    def test_a_wrong_timeout_is_refused_when_built(self, timeout):
        with pytest.raises(ConfigurationError):
            Networks.url("https://example.com/", timeout=timeout)

    def test_a_transport_of_yours_is_used_and_not_closed(self):
        class Transport(httpx.BaseTransport):
            closed = 0

            def handle_request(self, request):
                return httpx.Response(200, stream=httpx.ByteStream(b"10.0.0.0/8"))

            def close(self):
                self.closed += 1

        transport = Transport()
        source = UrlNetworks("https://example.com/list", transport=transport)
        assert OFFICE in run(source.load())
        assert OFFICE in due(source)
        assert transport.closed == 0


class TestSecret:
    def test_the_newest_value_counts(self):
        upstream, clock = Source(OFFICE="10.0.0.0/8, 192.0.2.1"), Clock()
        secrets = Secrets(upstream, ttl=10, clock=clock, monotonic=clock)
        source = SecretNetworks(secrets["OFFICE"], clock=clock, monotonic=clock, random=bytes)
        assert OFFICE in run(source.load())
        upstream.values["OFFICE"] = "203.0.113.0/24"
        for _ in range(4):
            clock.advance(31)
            source.at_hand()
            eventually(lambda: not source._reading)
        assert HOME in source.at_hand()

    def test_what_it_holds_is_told_nowhere(self, caplog):
        with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as raised:
            run(Networks.secret(Secret.of("10.0.0.0/8 canary-91c4")).load())
        error = raised.value
        assert "canary-91c4" not in caplog.text + str(error) + repr(error)
        while error.__traceback__ is not None:  # nor by a report with locals
            for value in error.__traceback__.tb_frame.f_locals.values():
                assert "canary-91c4" not in repr(value)
            error.__traceback__ = error.__traceback__.tb_next

    def test_one_that_is_missing_or_binary_is_no_list(self):
        for secret in (Secrets(Source())["OFFICE"], Secret.of(b"\xff\xfe")):
            with pytest.raises(Unavailable):
                run(Networks.secret(secret).load())

    def test_what_is_no_secret_is_refused_when_built(self):
        with pytest.raises(ConfigurationError):
            Networks.secret("10.0.0.0/8")


def test_a_callable_is_called_in_a_thread_of_ours_and_not_awaited():
    async def networks():
        return ["10.0.0.0/8"]

    for wrong in (networks, None, "10.0.0.0/8"):
        with pytest.raises(ConfigurationError):
            Networks.call(wrong)
    with pytest.raises(Unavailable, match="it is async"):
        run(Networks.call(lambda: networks()).load())
