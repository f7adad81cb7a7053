"""`authkit explain`: which check refused a captured request, and why; never with a secret, a token or a signature."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from authkit import Tokens, webhooks
from authkit.apikeys import ApiKeys, SqliteKeys
from authkit.secrets.rotation.generate import generate
from authkit.signatures import Signer
from authkit.testing import lambda_event
from tests.cli.command import Said, authkit, start

GITHUB = "gH9-Qm4xW7bT2kZ8vN3pR6yL1sD5fGh0"
STRIPE = "whsec_" + base64.b64encode(hashlib.sha256(b"one").digest()).decode()
OTHER = "whsec_" + base64.b64encode(hashlib.sha256(b"two").digest()).decode()
JWT = str(generate()())
ISSUER = "https://api.example.com"
PAGE = Path(__file__).parents[2] / "docs" / "explain.md"
BODY = b'{"id": "evt_1", "n": 1}'
HIDDEN = (GITHUB, STRIPE, STRIPE[6:], OTHER, OTHER[6:], JWT)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    lines = [f"GITHUB={GITHUB}", f"STRIPE_SECRET={STRIPE}", f"OTHER_SECRET={OTHER}", f"AUTHKIT_JWT_SECRET={JWT}"]
    lines += [f"AUTHKIT_ISSUER={ISSUER}", f"AUTHKIT_AUDIENCE={ISSUER}"]
    (tmp_path / ".env").write_text("\n".join(lines) + "\n")
    (tmp_path / ".env").chmod(0o600)
    return tmp_path


def request(headers: dict[str, str], body: bytes = BODY, line: str = "POST /hook HTTP/1.1") -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "shop.example", **headers}.items())
    return f"{line}\r\n{fields}\r\n".encode() + body


def explain(
    capture: bytes | dict[str, Any], *words: str, cwd: Path, code: int = 1, hidden: tuple[str, ...] = (), plain: bool = False
) -> Any:
    """What is said of it as JSON, and with `plain` as text too; neither shows what the request carries."""
    raw = capture if isinstance(capture, bytes) else json.dumps(capture).encode()
    said = authkit("explain", *words, "--json", cwd=cwd, stdin=raw)
    assert said.code == code, said.all
    shows_nothing(said, *hidden)
    found = said.json
    assert found["accepted"] is (code == 0)
    if plain:
        text = authkit("explain", *words, cwd=cwd, stdin=raw)
        assert text.code == code
        shows_nothing(text, *hidden)
        assert [found[name] in text.out for name in ("likely", "reason", "mend")] == [True] * 3
    return found


def shows_nothing(said: Said, *hidden: str) -> None:
    assert "Traceback" not in said.err
    for one in (*HIDDEN, *hidden):
        assert one not in said.all
        assert one[: len(one) // 2] not in said.all
    assert not re.search(r"[0-9a-f]{40}|eyJ|[A-Za-z0-9+/]{43}=", said.all)


def signed(scheme: str, secret: str, body: bytes = BODY, **more: Any) -> dict[str, str]:
    return webhooks.sign(scheme, secret, body, **more)


def test_a_delivery_is_told_by_its_headers_and_accepted(place: Path) -> None:
    found = explain(request(signed("stripe", STRIPE)), "--secret", "STRIPE_SECRET", cwd=place, code=0)
    assert (found["credential"], found["scheme"], found["matched"]) == ("webhook", "stripe", "current")
    assert found["reason"] is None


def test_of_schemes_that_share_a_header_the_one_is_found_under_which_the_signature_holds(place: Path) -> None:
    found = explain(request(signed("cursor", GITHUB)), "--secret", "GITHUB", cwd=place, code=0)
    assert found["scheme"] == "cursor"
    refused = explain(request(signed("github", GITHUB), b"{}"), "--secret", "GITHUB", cwd=place)
    assert (refused["scheme"], "may also be of" in refused["notes"][0], "meta" in refused["notes"][0]) == ("github", True, True)


def test_a_body_that_was_written_again_is_told(place: Path) -> None:
    again = json.dumps(json.loads(BODY), separators=(",", ":")).encode()
    found = explain(request(signed("github", GITHUB), again), "--secret", "GITHUB", cwd=place, plain=True)
    assert (found["check"], found["proven"]) == ("signature", True)
    assert "parsed and written again" in found["likely"]


def test_the_page_shows_what_the_command_says(place: Path) -> None:
    [shown] = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    again = json.dumps(json.loads(BODY), separators=(",", ":")).encode()
    said = authkit("explain", "--secret", "GITHUB", cwd=place, stdin=request(signed("github", GITHUB), again)).out
    assert [line for line in said.splitlines() if not line.startswith(("  tried:", "  note:"))] == [
        line for line in shown.splitlines() if not line.startswith("  tried:")
    ]


def test_a_body_that_is_still_base64_is_told(place: Path) -> None:
    event = lambda_event("v1", "POST", "/hook", signed("github", GITHUB), base64.b64encode(BODY))
    event["isBase64Encoded"] = False  # what a gateway does that was not told of binary media types
    assert "still base64" in explain(event, "--secret", "GITHUB", cwd=place)["likely"]


def test_an_event_that_says_base64_of_what_is_none_is_told(place: Path) -> None:
    event = {**lambda_event("v2", "POST", "/hook", signed("github", GITHUB), BODY), "isBase64Encoded": True}
    found = explain(event, "--secret", "GITHUB", cwd=place)
    assert (found["check"], found["reason"]) == ("event", "body_not_base64")


def test_the_wrong_handling_of_whsec_is_told(place: Path) -> None:
    bare = place / "bare"
    bare.write_text(STRIPE[6:] + "\n")
    found = explain(request(signed("stripe", STRIPE)), "--secret-from", str(bare), cwd=place)
    assert "whsec_ was cut off" in found["likely"]
    theirs = signed("standard-webhooks", STRIPE, id="msg_1")
    assert (
        explain(request(theirs), "--secret", "STRIPE_SECRET", "--scheme", "standard-webhooks", cwd=place, code=0)["matched"]
        == "current"
    )


def test_milliseconds_for_seconds_are_told(place: Path) -> None:
    found = explain(request(signed("stripe", STRIPE, timestamp=time.time() * 1000)), "--secret", "STRIPE_SECRET", cwd=place)
    assert (found["check"], "milliseconds" in found["likely"]) == ("time", True)


def test_a_url_with_the_wrong_stage_scheme_or_port_is_told(place: Path) -> None:
    url = "https://shop.example/prod/hook"
    key = place / "key"
    key.write_text(GITHUB)
    headers = signed("square", GITHUB, url=url)
    event = lambda_event("v1", "POST", "/hook", {**headers, "Host": "shop.example"}, BODY)
    event["requestContext"]["stage"] = "prod"
    for wrong in ("https://shop.example/hook", "http://shop.example/prod/hook", "https://shop.example:8443/prod/hook"):
        found = explain(event, "--scheme", "square", "--secret-from", str(key), "--url", wrong, cwd=place)
        assert "signed another URL" in found["likely"]
    assert (
        explain(event, "--scheme", "square", "--secret-from", str(key), "--url", url, cwd=place, code=0)["scheme"] == "square"
    )


def test_the_wrong_version_of_a_secret_is_told(place: Path) -> None:
    with (place / ".env").open("a") as file:
        file.write(f"STRIPE_SECRET__PREVIOUS={OTHER}\nSTRIPE_SECRET__PREVIOUS_UNTIL={int(time.time()) - 60}\n")
    found = explain(request(signed("stripe", OTHER)), "--secret", "STRIPE_SECRET", cwd=place)
    assert "previous value of the secret, which is no longer accepted" in found["likely"]


def test_the_secret_of_another_endpoint_is_told_by_its_name(place: Path) -> None:
    found = explain(request(signed("stripe", OTHER)), "--secret", "STRIPE_SECRET", cwd=place)
    assert found["likely"] == "it was signed with another secret: OTHER_SECRET"


def test_the_wrong_scheme_is_told(place: Path) -> None:
    found = explain(request(signed("stripe", STRIPE)), "--scheme", "github", "--secret", "STRIPE_SECRET", cwd=place)
    assert (found["reason"], "signed as stripe signs" in found["likely"]) == ("signature_missing", True)


def test_a_clock_that_is_off_is_told_and_the_moment_may_be_said(place: Path) -> None:
    sent = request(signed("stripe", STRIPE, timestamp=time.time() - 1_000))
    found = explain(sent, "--secret", "STRIPE_SECRET", cwd=place)
    assert (found["reason"], "signature holds" in found["found"]) == ("timestamp_too_old", True)
    explain(sent, "--secret", "STRIPE_SECRET", "--now", str(int(time.time()) - 990), cwd=place, code=0)
    ahead = explain(request(signed("stripe", STRIPE, timestamp=time.time() + 1_000)), "--secret", "STRIPE_SECRET", cwd=place)
    assert "clock is behind" in ahead["likely"]


def test_a_captured_event_is_judged_as_of_when_it_came(place: Path) -> None:
    event = lambda_event("v2", "POST", "/hook", signed("stripe", STRIPE, timestamp=1_700_000_000), BODY)
    event["requestContext"]["timeEpoch"] = 1_700_000_002_000
    found = explain(event, "--secret", "STRIPE_SECRET", cwd=place, code=0)
    assert (found["judged_at"], "as of when it was received" in found["notes"][0]) == (1_700_000_002, True)


def issued(key: str = JWT, issuer: str = ISSUER, audience: str = ISSUER) -> dict[str, str]:
    return {"Authorization": "Bearer " + Tokens(key, issuer=issuer, audience=audience).issue("alice")}


def forged(**header: Any) -> dict[str, str]:
    _, _, rest = issued()["Authorization"].partition(".")
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    return {"Authorization": f"Bearer {head}.{rest}"}


@pytest.mark.parametrize(
    ("headers", "check"),
    [
        (lambda: issued(issuer="https://other.example"), "issuer"),
        (lambda: issued(audience="https://other.example"), "audience"),
        (lambda: forged(alg="HS256", typ="JWT"), "token kind"),
        (lambda: forged(alg="none", typ="at+jwt"), "key"),
        (lambda: forged(alg="RS256", typ="at+jwt", kid="k"), "key"),
        (lambda: issued(key=str(generate()())), "key"),
        (lambda: {"Authorization": issued()["Authorization"][:-4] + "AAAA"}, "signature"),
    ],
)
def test_why_a_token_is_refused_is_told(headers: Any, check: str, place: Path) -> None:
    sent = headers()
    found = explain(request(sent, b"", "GET /me HTTP/1.1"), cwd=place, hidden=(sent["Authorization"].rpartition(".")[2],))
    assert (found["credential"], found["check"]) == ("bearer token", check)


def test_a_token_that_holds_is_accepted_wherever_it_was_captured(place: Path) -> None:
    sent = issued()
    said = b"* using TLS\n> GET /me HTTP/1.1\n> Host: a\n> Authorization: %s\n>\n" % sent["Authorization"].encode()
    for capture in (
        request(sent, b"", "GET /me HTTP/1.1"),
        lambda_event("v2", "GET", "/me", sent),
        {"type": "TOKEN", "methodArn": "arn:aws:x", "authorizationToken": sent["Authorization"]},
        said,
    ):
        assert explain(capture, cwd=place, code=0)["credential"] == "bearer token"


def test_a_header_that_is_no_credential_is_told(place: Path) -> None:
    assert explain(request({"Authorization": "Bearer  a b"}), cwd=place)["reason"] == "malformed_authorization"
    assert "renamed" in explain(request({"X-Amzn-Remapped-Authorization": "Bearer a.b.c"}), cwd=place)["likely"]
    assert "another scheme" in explain(request({"Authorization": "Basic QTpC"}), cwd=place)["likely"]
    assert "RFC 9421" in explain(request({"Signature-Input": 'a=("@method")', "Signature": "a=:eA==:"}), cwd=place)["likely"]
    assert explain(request({}), cwd=place)["reason"] == "no_credential"


def test_a_signed_request_is_judged_with_the_clients_key(place: Path) -> None:
    """RFC 9421: the component that differs is named."""
    url = "https://shop.example/hook?a=1"
    sent = Signer(JWT, keyid="client-a").sign("POST", url, (), BODY)
    words = ("--secret", "AUTHKIT_JWT_SECRET")
    line = "POST /hook?a=1 HTTP/1.1"
    assert explain(request(sent, line=line), *words, "--url", url, cwd=place, code=0)["credential"] == "signature"
    found = explain(request(sent, line=line), *words, "--url", url.replace("/hook", "/prod/hook"), cwd=place, plain=True)
    assert (found["reason"], found["check"], found["proven"]) == ("signature_mismatch", "signature", True)
    assert '"@path"' in found["found"]
    found = explain(request(sent, line=line.replace("POST", "PUT")), *words, "--url", url, cwd=place)
    assert '"@method" was POST' in found["found"]
    found = explain(request(sent, BODY + b"\n", line=line), *words, "--url", url, cwd=place)
    assert (found["reason"], found["check"]) == ("digest_mismatch", "body")
    found = explain(request(sent, line=line), "--secret", "OTHER_SECRET", "--url", url, cwd=place)
    assert (found["reason"], found["proven"]) == ("signature_mismatch", False)
    said = authkit("explain", *words, "--url", "nonsense", cwd=place, stdin=request(sent, line=line))
    assert (said.code, "--url is an absolute URL" in said.err) == (2, True)


def test_an_api_key_is_judged_by_its_table(place: Path) -> None:
    table = SqliteKeys(place / "keys.db")
    keys = ApiKeys(table)
    made = keys.new("alice")
    value = made.reveal()
    words = ("--api-keys", "sqlite:///keys.db")
    assert explain(request({"X-Api-Key": value}), *words, cwd=place, code=0, hidden=(value,))["credential"] == "API key"
    assert (
        explain(request({"X-Api-Key": value[:-1]}), *words, cwd=place, hidden=(value[3:-1],))["reason"] == "api_key_malformed"
    )
    keys.revoke(made.id)
    assert explain(request({"X-Api-Key": value}), *words, cwd=place, hidden=(value,))["reason"] == "api_key_disabled"
    table.close()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name its secret"),
        (("--scheme", "nonsense"), "no scheme of that name"),
        (("--secret", "GITHUB", "--secret-from", "x"), "one of the two"),
        (("--secret-from", "-"), "cannot both come from stdin"),
        (("--secret", "GITHUB", "--now", "yesterday"), "--now is"),
        (("--secret", "GITHUB", "--option", "x"), "--option is"),
        (("--live", "x"), "takes no file"),
        (("k" * 9_000,), "the file cannot be read"),
    ],
)
def test_what_is_missing_or_wrong_is_said_as_usage(words: tuple[str, ...], says: str, place: Path) -> None:
    said = authkit("explain", *words, cwd=place, stdin=request(signed("github", GITHUB)))
    assert (said.code, says in said.err) == (2, True), said.err
    shows_nothing(said)


def test_live_explains_each_request_and_answers_it(place: Path) -> None:
    process = start("explain", "--live", "--secret", "GITHUB", "--json", cwd=place)
    assert process.stdout is not None
    text = ""
    try:
        while "}" not in text:
            text += process.stdout.readline().decode()
        port = int(json.loads(text)["listening"].rpartition(":")[2])

        def post(headers: dict[str, str], body: bytes = BODY) -> int:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", "/hook?token=t0k3n", body, headers)
            status = connection.getresponse().status
            connection.close()
            return status

        assert post(signed("github", GITHUB)) == 200
        assert post(signed("github", GITHUB), BODY + b"\n") == 401
        assert post({"Content-Length": "99999999"}) == 413
        assert post({"Transfer-Encoding": "chunked"}) == 411
        assert post({**signed("github", GITHUB), "X-Big": "x" * 70_000}) == 431
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    said = Said(process.returncode, text + out.decode(), err.decode())
    assert said.code == 0
    shows_nothing(said, "t0k3n", signed("github", GITHUB)["X-Hub-Signature-256"])
    found = [json.loads(one) for one in re.split(r"(?<=^\})\n", said.out, flags=re.MULTILINE) if one.strip()]
    assert [one.get("accepted") for one in found[1:]] == [True, False]
    assert "newline was added" in found[2]["likely"]
