"""A client whose every request is signed, over a real transport."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from authkit.errors import ConfigurationError, InvalidSignature
from authkit.signatures import SignatureAuth, SignatureVerifier

SECRET = "clients: 0f1e2d3c4b5a69788796a5b4c3d2e1f0"


@pytest.fixture
def origin() -> Iterator[str]:
    """A server that says what it made of each request's signature."""

    class Answering(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            port = self.server.server_address[1]
            try:
                url = f"http://127.0.0.1:{port}{self.path}"
                found = VERIFIER.verify(self.command, url, list(self.headers.items()), body)
                said: dict[str, Any] = {"components": found.components, "nonce": found.nonce, "body": len(body)}
            except InvalidSignature as error:
                said = {"reason": error.reason}
            raw = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


VERIFIER = SignatureVerifier({"client-a": SECRET})


def test_every_request_of_a_client_is_signed(origin: str) -> None:
    auth = SignatureAuth(SECRET, keyid="client-a", components=["content-type"])
    with httpx.Client(auth=SignatureAuth(SECRET, keyid="client-a")) as client:
        got = client.get(f"{origin}/a%20b/?q=%7E x&q=2").json()
        assert got["components"] == ['"@method"', '"@authority"', '"@path"', '"@query"']
        assert client.get(origin).json()["nonce"] != got["nonce"]
        posted = client.post(f"{origin}/orders", json={"n": 1}, auth=auth).json()
        assert posted["components"][-2:] == ['"content-digest"', '"content-type"']
        streamed = client.put(f"{origin}/orders", content=iter([b"a" * 10, b"b"]), headers={"content-length": "11"})
        assert streamed.json()["body"] == 11


def test_every_request_of_an_async_client_is_signed(origin: str) -> None:
    async def chunks() -> Any:
        yield b"a" * 10
        yield b"b"

    async def visit() -> None:
        async with httpx.AsyncClient(auth=SignatureAuth(SECRET, keyid="client-a")) as client:
            assert (await client.get(f"{origin}/?a=1")).json()["body"] == 0
            assert (await client.post(f"{origin}/", content=b"x")).json()["body"] == 1
            assert (await client.post(f"{origin}/", json=[1])).json()["body"] == 3
            assert (await client.post(f"{origin}/", files={"f": b"x"})).json()["body"] > 1

    asyncio.run(visit())


def test_a_request_is_refused_by_who_does_not_know_the_key(origin: str) -> None:
    with httpx.Client() as client:
        assert client.get(origin, auth=SignatureAuth(SECRET[::-1], keyid="client-a")).json() == {"reason": "signature_mismatch"}
        assert client.get(origin, auth=SignatureAuth(SECRET, keyid="client-b")).json() == {"reason": "unknown_key"}
        assert client.get(origin).json() == {"reason": "signature_missing"}


def test_the_flow_can_be_stepped_without_a_client() -> None:
    request = httpx.Request("POST", "https://user:password@api.example.com/x?y=1#z", content=b"hello")
    flow = SignatureAuth(SECRET, keyid="client-a").sync_auth_flow(request)
    signed = next(flow)
    found = SignatureVerifier({"client-a": SECRET}).verify(
        "POST", "https://api.example.com/x?y=1", signed.headers.multi_items(), b"hello"
    )
    assert found.keyid == "client-a"
    with pytest.raises(StopIteration):
        flow.send(httpx.Response(401))


def test_what_is_sent_on_to_another_target_is_refused_there() -> None:
    request = httpx.Request("POST", "https://api.example.com/a", content=b"hello")
    signed = next(SignatureAuth(SECRET, keyid="client-a").sync_auth_flow(request))
    with pytest.raises(InvalidSignature, match="signature_mismatch"):
        VERIFIER.verify("POST", "https://api.example.com/b", signed.headers.multi_items(), b"hello")


def test_a_key_is_judged_when_the_client_is_built_and_never_shown() -> None:
    with pytest.raises(ConfigurationError):
        SignatureAuth("short", keyid="client-a")
    assert SECRET not in repr(SignatureAuth(SECRET, keyid="client-a"))
