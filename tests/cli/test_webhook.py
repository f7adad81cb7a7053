"""`authkit webhook`: what it signs a service accepts, what it sends arrives, and the schemes are those there are."""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from authkit import webhooks
from authkit.errors import ConfigurationError, InvalidSignature
from tests.cli.command import authkit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "gH9-Qm4xW7bT2kZ8vN3pR6yL1sD5fGh0"
STANDARD = "whsec_" + base64.b64encode(b"0123456789abcdefghijklmn").decode()
BODY = b'{"a": "\xc3\xa9"}\r\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_text(f"HOOK={SECRET}\nSTANDARD={STANDARD}\n")
    (tmp_path / ".env").chmod(0o600)
    (tmp_path / "body").write_bytes(BODY)
    return tmp_path


def headers_of(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.splitlines())


def test_what_is_signed_is_accepted(place: Path) -> None:
    said = authkit("webhook", "sign", "stripe", "body", "--secret", "HOOK", cwd=place)
    assert (said.code, said.err) == (0, "")
    assert webhooks.verify("stripe", SECRET, headers_of(said.out), BODY).body == BODY
    found = authkit(
        "webhook", "sign", "standard-webhooks", "--secret", "STANDARD", "--id", "m_1", "--json", cwd=place, stdin=BODY
    )
    event = webhooks.verify("standard-webhooks", STANDARD, found.json["headers"], BODY)
    assert (event.id, event.signed_id) == ("m_1", True)


def test_the_secret_may_come_from_a_file_or_a_pipe_and_the_time_be_said(place: Path) -> None:
    (place / "key").write_text(SECRET + "\n")
    words = ("webhook", "sign", "stripe", "body", "--now", "2023-11-14T22:13:20Z", "--secret-from")
    from_file, from_pipe = authkit(*words, "key", cwd=place), authkit(*words, "-", cwd=place, stdin=SECRET)
    assert from_file.out == from_pipe.out
    assert webhooks.verify("stripe", SECRET, headers_of(from_file.out), BODY, now=1_700_000_001).timestamp == 1_700_000_000


def test_a_signature_inside_the_body_is_written_into_it(place: Path) -> None:
    sent = json.dumps({"signature": {}, "event-data": {"event": "opened"}}).encode()
    found = authkit("webhook", "sign", "mailgun", "--secret", "HOOK", "--json", cwd=place, stdin=sent).json
    assert webhooks.verify("mailgun", SECRET, found["headers"], base64.b64decode(found["body_base64"])).scheme == "mailgun"


def test_a_scheme_that_sends_the_secret_itself_prints_it_only_when_asked(place: Path) -> None:
    said = authkit("webhook", "sign", "gitlab", "body", "--secret", "HOOK", cwd=place)
    assert (said.code, "--reveal" in said.err, SECRET in said.all) == (2, True, False)
    assert SECRET in authkit("webhook", "sign", "gitlab", "body", "--secret", "HOOK", "--reveal", cwd=place).out


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense", "body", "--secret", "HOOK"),
        ("stripe", "body"),
        ("stripe", "body", "--secret", "HOOK", "--secret-from", "key"),
        ("standard-webhooks", "body", "--secret", "HOOK"),
        ("square", "body", "--secret", "HOOK"),
        ("stripe", "body", "--secret", "HOOK", "--option", "a=b"),
    ],
)
def test_what_nobody_can_sign_is_refused_without_a_value(words: tuple[str, ...], place: Path) -> None:
    said = authkit("webhook", "sign", *words, cwd=place)
    assert (said.code, said.out, SECRET in said.err) == (2, "", False)
    assert said.err.count("\n") == 1


def test_a_captured_delivery_is_verified(place: Path) -> None:
    headers = webhooks.sign("stripe", SECRET, BODY)
    capture = json.dumps({"headers": headers, "body_base64": base64.b64encode(BODY).decode()})
    said = authkit("webhook", "verify", "stripe", "--secret", "HOOK", cwd=place, stdin=capture)
    assert (said.code, said.out.splitlines()[0]) == (0, "signed with the current secret")
    changed = json.dumps({"headers": headers, "body": "{}"})
    found = authkit("webhook", "verify", "stripe", "--secret", "HOOK", "--json", cwd=place, stdin=changed).json
    assert (found["valid"], found["reason"], found["matched"]) == (False, "signature_mismatch", None)


class Receiver(HTTPServer):
    """A receiver that verifies, and answers with each of `answers` in turn, then with 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receives)
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.got: list[tuple[str, Any, bool]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Receives(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            event = webhooks.verify("standard-webhooks", STANDARD, dict(self.headers.items()), body)
            self.server.got.append((self.path, event.id, event.body == BODY))
        except (InvalidSignature, ConfigurationError):
            self.server.got.append((self.path, None, False))
        status, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


SEND = ("webhook", "send", "standard-webhooks")


def test_what_is_sent_arrives_signed(receiver: Receiver, place: Path) -> None:
    found = authkit(*SEND, receiver.url, "body", "--secret", "STANDARD", "--json", cwd=place)
    assert (found.code, found.json["status"], found.json["attempts"]) == (0, 204, 1)
    assert receiver.got == [("/hook", found.json["id"], True)]
    assert STANDARD not in found.all


def test_an_attempt_is_made_again_with_the_same_id_where_that_may_help(receiver: Receiver, place: Path) -> None:
    receiver.answers = [(503, {"retry-after": "0"}), (200, {})]
    found = authkit(*SEND, receiver.url, "body", "--secret", "STANDARD", "--retries", "2", "--json", cwd=place).json
    assert (found["status"], found["attempts"], len({id for _, id, _ in receiver.got})) == (200, 2, 1)
    receiver.answers = [(401, {})]
    said = authkit(*SEND, receiver.url, "body", "--secret", "STANDARD", "--retries", "5", cwd=place)
    assert (said.code, said.out) == (1, "attempt 1: 401\n")


def test_no_redirect_is_followed(receiver: Receiver, place: Path) -> None:
    receiver.answers = [(307, {"location": receiver.url + "2"})]
    assert authkit(*SEND, receiver.url, "body", "--secret", "STANDARD", cwd=place).code == 1
    assert [path for path, _, _ in receiver.got] == ["/hook"]


def test_no_answer_is_told_in_time(place: Path) -> None:
    started = time.monotonic()
    said = authkit(*SEND, "http://127.0.0.1:9/", "body", "--secret", "STANDARD", "--timeout", "1s", cwd=place)
    assert (said.code, said.out) == (5, "attempt 1: no answer\n")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://a:t0k3n@example.com/",
        "ftp://127.0.0.1/",
        "http://127.0.0.1.example.com/t0k3n",
        "x",
        "http://[::1",
    ],
)
def test_a_url_that_is_neither_https_nor_this_machine_is_refused_and_not_repeated(url: str, place: Path) -> None:
    said = authkit(*SEND, url, "body", "--secret", "STANDARD", cwd=place)
    assert (said.code, "t0k3n" in said.all) == (2, False)


def test_the_schemes_are_those_there_are_and_say_which_were_verified(place: Path) -> None:
    found = {row["name"]: row for row in authkit("webhook", "schemes", "--json", cwd=place).json["schemes"]}
    assert set(found) == set(webhooks.schemes())
    assert {name for name, row in found.items() if row["verified"]} == {
        name for name, scheme in webhooks.schemes().items() if scheme.verified
    }
    assert found["stripe"]["signature"] == ["Stripe-Signature"]
    assert authkit("webhook", "schemes", cwd=place).out.count("\n") == len(found) + 1
