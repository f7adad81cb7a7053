"""RFC 9421 appendix B and RFC 9530: what they publish is what comes out."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from authkit._run import run
from authkit.errors import InvalidSignature
from authkit.http import Headers
from authkit.signatures import SignatureKey, SignatureVerifier, content_digest
from authkit.signatures.components import components_of, signature_base
from authkit.signatures.coverage import wanted
from authkit.signatures.digest import check_digest
from authkit.signatures.message import Message, target_of
from authkit.signatures.structured import InnerList, parse_dictionary

VECTORS = Path(__file__).parents[1] / "vectors" / "signatures"
PUBLISHED: dict[str, Any] = json.loads((VECTORS / "rfc9421.json").read_text())
DIGESTS: dict[str, Any] = json.loads((VECTORS / "rfc9530.json").read_text())
NOW = 1618884475.0


def key(case: dict[str, Any]) -> SignatureKey:
    material = PUBLISHED["keys"][case["key"]]
    return SignatureKey(base64.b64decode(material) if isinstance(material, str) else material, case["alg"])


@pytest.mark.parametrize("case", PUBLISHED["cases"], ids=lambda case: case["section"])
def test_a_published_signature_holds_or_not_as_the_rfc_says(case: dict[str, Any]) -> None:
    request = case["request"]
    headers = [*request["headers"], ("Signature-Input", case["input"]), ("Signature", case["signature"])]
    # They cover less than we want by default, each something else.
    verifier = SignatureVerifier({case["key"]: key(case)}, insecure_components=(), insecure_unsigned_body=True)

    def verify() -> object:
        return verifier.verify(request["method"], request["url"], headers, request["body"].encode(), NOW)

    if case["holds"]:
        assert verify().keyid == case["key"]  # type: ignore[attr-defined]
    else:
        with pytest.raises(InvalidSignature, match="signature_mismatch"):
            verify()


@pytest.mark.parametrize(
    "case", [case for case in PUBLISHED["cases"] if case["deterministic"] and case["holds"]], ids=lambda case: case["section"]
)
def test_what_is_signed_gives_the_published_bytes(case: dict[str, Any]) -> None:
    """Ed25519 and HMAC have one signature for one text."""
    request = case["request"]
    [(label, covered)] = parse_dictionary(case["input"]).items()
    assert isinstance(covered, InnerList)
    message = Message(request["method"], target_of(request["url"]), request["headers"])
    _, sign = run(key(case).signing())
    made = sign(signature_base(message, covered, components_of(covered)))
    assert f"{label}=:{base64.b64encode(made).decode()}:" == case["signature"]


@pytest.mark.parametrize("case", PUBLISHED["cases"], ids=lambda case: case["section"])
def test_fields_come_out_as_they_went_in(case: dict[str, Any]) -> None:
    [(label, member)] = parse_dictionary(case["input"]).items()
    assert f"{label}={member}" == case["input"]


@pytest.mark.parametrize(("text", "value"), PUBLISHED["fields"]["values"].items())
def test_the_value_of_a_field(text: str, value: str) -> None:
    """RFC 9421 sections 2.1 to 2.1.3."""
    message = Message("GET", target_of("https://www.example.com/"), PUBLISHED["fields"]["headers"])
    [component] = wanted("these", [text])
    assert component.text == text
    assert component.value(message) == value


@pytest.mark.parametrize(("name", "value"), PUBLISHED["query_params"]["values"].items())
def test_the_value_of_a_query_parameter(name: str, value: str) -> None:
    """RFC 9421 section 2.2.8."""
    [component] = wanted("these", [f'"@query-param";name="{name}"'])
    assert component.value(Message("GET", target_of(PUBLISHED["query_params"]["url"]), ())) == value


@pytest.mark.parametrize("case", DIGESTS["cases"], ids=lambda case: case["value"][:20])
def test_the_digest_of_a_body(case: dict[str, Any]) -> None:
    """RFC 9530 appendix B."""
    algorithm = case["value"].partition("=")[0]
    assert content_digest(case["body"].encode(), algorithm) == case["value"]
    assert check_digest(Headers({"Content-Digest": case["value"]}), case["body"].encode()) == {algorithm}
