"""`why` of a signed request: what became of it is undone, one thing at a time, until the signature holds."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

import authkit.signatures
from authkit.http import Headers
from authkit.secrets import Secret
from authkit.signatures import Signer
from authkit.signatures.why import _ASKED, SAID, why
from authkit.testing import Clock
from authkit.webhooks.why import Why

NOW = 1_800_000_000.0
SECRET = "a client's own secret: 0f1e2d3c4b5a69788796a5b4"
URL = "https://api.example.com/v1/orders?b=2&a=x%20y"
BODY = b'{"order": 7}'
KEYS = {"client-a": SECRET}


def signed(method: str = "POST", url: str = URL, body: bytes = BODY, more: Any = (), **settings: Any) -> dict[str, str]:
    signer = Signer(SECRET, **{"keyid": "client-a", "clock": Clock(NOW), **settings})
    sent = dict(more)
    return {**sent, **signer.sign(method, url, sent, body)}


def asked(method: str = "POST", url: str = URL, headers: Any = None, body: bytes = BODY, keys: Any = KEYS, **more: Any) -> Why:
    found = why(keys, method, url, signed() if headers is None else headers, body, **{"now": NOW, **more})
    assert found is not None
    said = repr([getattr(found, name) for name in Why.__slots__])
    assert SECRET not in said
    assert not re.search(r"[A-Za-z0-9+/]{43}=", said)
    return found


def test_what_holds_is_not_explained() -> None:
    assert why(KEYS, "POST", URL, signed(), BODY, now=NOW) is None


@pytest.mark.parametrize(
    ("method", "url", "said"),
    [
        ("PUT", URL, '"@method" was POST'),
        ("POST", URL.replace("https", "http"), None),
        ("POST", "https://internal:8080/v1/orders?b=2&a=x%20y", '"@authority"'),
        ("POST", URL.replace("example.com", "example.com:8443"), '"@authority"'),
        ("POST", URL.replace("/v1/orders", "/prod/v1/orders"), '"@path"'),
        ("POST", URL.replace("/v1/orders", "/orders"), '"@path"'),
        ("POST", URL.replace("orders?", "orders/?"), '"@path"'),
        ("POST", URL.replace("%20", "+"), '"@query"'),
        ("POST", URL.replace("b=2&a=x%20y", "a=x%20y&b=2"), None),
        ("POST", URL.replace("a=x", "a=y"), None),
    ],
)
def test_the_component_that_differs_is_named(method: str, url: str, said: str | None) -> None:
    """None: another scheme is not covered, and of another order of the query nobody can tell which one it was."""
    headers = {**signed(), "Host": "api.example.com", "X-Forwarded-Prefix": "/v1"}
    if url.startswith("http://"):
        assert why(KEYS, method, url, headers, BODY, now=NOW) is None
        return
    found = asked(method, url, headers)
    assert (found.reason, found.check, found.proven) == ("signature_mismatch", "signature", said is not None)
    if said is not None:
        assert said in found.says
        assert found.tried
    else:
        assert '"@query"' in found.cause  # of all that is covered, one differs


def test_a_query_whose_parameters_were_sorted_by_the_client_is_told() -> None:
    headers = signed(url="https://api.example.com/?a=1&b=2")
    assert '"@query"' in asked(url="https://api.example.com/?b=2&a=1", headers=headers).says


@pytest.mark.parametrize(
    ("name", "sent", "came", "said"),
    [
        ("content-type", "application/json", "application/json; charset=utf-8", "charset was added"),
        ("content-type", "application/json; charset=utf-8", "application/json", "charset was dropped"),
        ("x-tenant", "acme", "ACME", "small letters"),
        ("host", "shop.example", "internal", "a proxy replaced it"),
        ("content-length", "12", "99", "not the length"),
    ],
)
def test_the_field_that_was_changed_is_named_and_its_value_not(name: str, sent: str, came: str, said: str) -> None:
    headers = signed(more={name: sent}, components=[name])
    found = asked(headers={**headers, name: came, "x-forwarded-host": "shop.example"})
    assert (found.reason, found.proven) == ("signature_mismatch", True)
    assert f'"{name}"' in found.says
    assert said in found.cause
    assert "acme" not in found.says.lower()


def test_a_digest_that_was_replaced_is_told() -> None:
    """A proxy changes the body, and makes a digest of its own for it: neither of them is the client's."""
    headers = signed()
    theirs = signed(body=b"{}")["Content-Digest" if "Content-Digest" in headers else "content-digest"]
    found = asked(headers={**{key.lower(): value for key, value in headers.items()}, "content-digest": theirs})
    assert '"content-digest" differs' in found.says


@pytest.mark.parametrize(
    ("came", "said"),
    [
        (json.dumps(json.loads(BODY), separators=(",", ":")).encode(), "written again"), (BODY + b"\n", "line breaks"),
        (b64encode(BODY), "still base64"), (b"something else", "changed on its way"),
    ],
)  # fmt: skip
def test_a_body_that_was_changed_is_told(came: bytes, said: str) -> None:
    found = asked(body=came)
    assert (found.reason, found.check) == ("digest_mismatch", "body")
    assert said in found.cause
    assert found.proven is (came != b"something else")


@pytest.mark.parametrize(
    ("held", "said"),
    [(SECRET + "\n", "line break"), (b64encode(SECRET.encode()).decode(), "in base64"), (SECRET.encode().hex(), "in hex")],
)
def test_a_key_that_was_stored_otherwise_is_told(held: str, said: str) -> None:
    found = asked(keys={"client-a": Secret.of(held)})
    assert (found.reason, found.proven) == ("signature_mismatch", True)
    assert said in found.cause


def test_another_key_is_told_by_nothing() -> None:
    found = asked(keys={"client-a": "some other secret of at least 32 bytes"})
    assert (found.reason, found.proven) == ("signature_mismatch", False)
    assert all(name in found.cause for name in ('"@method"', '"@authority"', '"@path"', '"content-digest"', "another key"))


def test_a_base_that_is_written_otherwise_is_told() -> None:
    """Parameters in a spelling that means the same, a last line that ends, and line ends of another kind."""
    import hashlib
    import hmac

    params = '("@method" "@authority" "@path" "@query");created=1800000000 ;keyid="client-a"'
    lines = ['"@method": GET', '"@authority": api.example.com', '"@path": /', '"@query": ?']
    canonical = params.replace(" ;", ";")
    for base, sent, said in (
        ("\n".join([*lines, f'"@signature-params": {params}']), params, "written otherwise"),
        ("\n".join([*lines, f'"@signature-params": {canonical}']) + "\n", canonical, "ends in a line break"),
        ("\r\n".join([*lines, f'"@signature-params": {canonical}']), canonical, "CR LF"),
    ):
        made = b64encode(hmac.new(SECRET.encode(), base.encode(), hashlib.sha256).digest()).decode()
        headers = {"Signature-Input": f"sig1={sent}", "Signature": f"sig1=:{made}:"}
        found = why(KEYS, "GET", "https://api.example.com/", headers, now=NOW)
        assert found is not None
        if found.reason == "signature_mismatch":
            assert said in found.says
            assert found.proven
        else:  # RFC 8941 lets no space stand there
            assert (found.reason, sent) == ("signature_malformed", params)


@pytest.mark.parametrize(
    ("settings", "age", "reason", "said"),
    [
        ({}, 3600, "created_too_old", "late"), ({}, -3600, "created_in_future", "clock"),
        ({"expires": 5}, 60, "expired", "late"), ({"clock": Clock(NOW * 1000)}, 0, "created_in_future", "milliseconds"),
    ],
)  # fmt: skip
def test_a_time_that_is_wrong_is_told(settings: dict[str, Any], age: float, reason: str, said: str) -> None:
    found = asked(headers=signed(**settings), now=NOW + age)
    assert (found.reason, found.check) == (reason, "time")
    assert said in found.cause


@pytest.mark.parametrize(
    ("change", "reason", "said"),
    [
        (("signature", None), "signature_missing", "dropped"), (("signature", "x=:AAAA:"), "labels_differ", "labels"),
        (("signature-input", "hm (("), "signature_malformed", "dictionary"),
        (("content-digest", None), "component_missing", "content-digest"),
        (("content-digest", "nonsense"), "signature_mismatch", "content-digest"),
    ],
)  # fmt: skip
def test_what_is_missing_or_malformed_is_told(change: tuple[str, str | None], reason: str, said: str) -> None:
    headers = {key.lower(): value for key, value in signed().items() if key.lower() != change[0]}
    found = asked(headers={**headers, **({} if change[1] is None else {change[0]: change[1]})})
    assert found.reason == reason
    assert said in found.says + found.cause


def test_what_is_not_covered_is_named() -> None:
    found = asked(headers=signed(), components=["x-tenant"])
    assert (found.reason, found.proven) == ("not_covered", True)
    assert '"x-tenant"' in found.says
    assert asked(headers=signed(), tag="another").reason == "no_such_signature"
    assert asked(keys={"client-b": SECRET}).reason == "unknown_key"
    without = signed(body=b"")
    assert asked(headers=without).reason in ("digest_missing", "body_not_covered")
    query = signed(url="https://api.example.com/", body=b"")
    assert asked("POST", "https://api.example.com/?admin=1", query, b"").reason in ("not_covered", "signature_mismatch")


def test_every_reason_is_explained() -> None:
    source = "".join(path.read_text() for path in Path(authkit.signatures.__file__).parent.glob("*.py"))
    raised = set(re.findall(r'InvalidSignature\("(\w+)"\)', source)) | {
        "keyid_missing",
        "created_missing",
        "algorithm_mismatch",
    }
    hmac_only = {"keyid_malformed"}
    needs_no_url = {"authority_not_configured", "path_not_exact", "query_not_exact", "replayed"}  # a URL is given, and no store
    assert raised - hmac_only - needs_no_url <= {*SAID, *_ASKED}


def test_whatever_is_in_the_headers_it_says_something() -> None:
    for value in (
        "",
        "=",
        "é",
        "\x00",
        "sig1",
        'sig1=("@method");created=1',
        "sig1=:AAAA:",
        'sig1=("@nothing");created=1;keyid="a"',
    ):
        for name in ("signature", "signature-input", "content-digest"):
            headers = Headers([(key, one) for key, one in signed().items() if key.lower() != name] + [(name, value)])
            assert asked(headers=headers).says


def test_of_two_signatures_one_that_cannot_be_read_is_left_alone() -> None:
    ours = {key.lower(): value for key, value in signed().items()}
    ours["signature-input"] = 'other=("@status");created=1800000000;keyid="client-a", ' + ours["signature-input"]
    ours["signature"] = "other=:AAAA:, " + ours["signature"]
    assert '"@method" was POST' in asked("PUT", headers=ours).says
    assert asked(headers=ours, components=["x-tenant"]).reason == "not_covered"
    alone = {"signature-input": 'other=("@status");created=1700000000;keyid="client-a"', "signature": "other=:AAAA:"}
    assert asked(headers=alone).reason == "created_too_old"
