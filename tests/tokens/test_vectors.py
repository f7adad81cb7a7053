"""Published vectors, one test for each case: Wycheproof (even tcIds) and the IETF JOSE cookbook. Origin: tests/vectors/jose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from authkit.errors import ConfigurationError, InvalidToken
from authkit.tokens import Key, KeyRing
from authkit.tokens.verify import SignedBy

from .craft import unb64

VECTORS = Path(__file__).parents[1] / "vectors" / "jose"


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def groups(name: str) -> list[Any]:
    return [
        pytest.param(group["public"] if "public" in group else group["private"], case, id=f"{case['tcId']}-{case['comment']}")
        for group in load(name)["testGroups"]
        for case in group["tests"]
    ]


def read(jwk: dict[str, Any], token: str) -> bytes | str:
    """The signed content; or what refused it: "key", or the reason code."""
    if jwk.get("alg") == "ES521":  # the file's name for ES512
        jwk = {**jwk, "alg": "ES512"}
    try:
        typ = json.loads(unb64(token.split(".")[0])).get("typ")  # these are tokens of many types: whichever it is, is wanted
    except ValueError:
        typ = None
    try:
        return SignedBy(KeyRing(Key(jwk)), typ).payload(token)[0]
    except ConfigurationError:
        return "key"
    except InvalidToken as error:
        return error.reason


# Where our decision is not what the file says, and why; the README of the vectors has the same table.
DECIDED = {
    346: "token_key",  # PS384 under a key that says PS256
    350: "token_key",  # the same
    372: "token_malformed",  # "valid" with a character outside the base64url alphabet
}
# Byte for byte the same token, under the same key, as a valid one: no verifier can tell them apart.
SAME_AS_VALID = {370}


@pytest.mark.parametrize(("jwk", "case"), groups("wycheproof_json_web_signature_even.json"))
def test_wycheproof_signature(jwk: dict[str, Any], case: dict[str, Any]) -> None:
    token = case["jws"]
    outcome = read(jwk, token) if isinstance(token, str) else "token_malformed"
    if case["tcId"] in DECIDED:
        assert outcome == DECIDED[case["tcId"]]
    elif case["result"] == "valid" or case["tcId"] in SAME_AS_VALID:
        assert isinstance(outcome, bytes)
        assert outcome == unb64(token.split(".")[1])
    else:
        assert isinstance(outcome, str)
        if case["tcId"] in (354, 356):
            assert outcome == "key", "a key for encryption is refused as a key"


@pytest.mark.parametrize(
    ("keys", "case"),
    [
        pytest.param(group, case, id=f"{case['tcId']}-{case['comment']}")
        for group in load("wycheproof_json_web_key_even.json")["testGroups"]
        for case in group["tests"]
    ],
)
def test_wycheproof_key(keys: dict[str, Any], case: dict[str, Any]) -> None:
    """These are about the key set: a weak, empty, ambiguous or unknown key is refused, whatever a signature under it says."""
    found = keys["public"] if "public" in keys else keys["private"]
    members = found.get("keys", [found])
    try:
        ring = KeyRing(Key(members[0]), previous=[Key(jwk) for jwk in members[1:]])
    except ConfigurationError:
        accepted = False
    else:
        typ = json.loads(unb64(case["jws"].split(".")[0])).get("typ")
        try:
            SignedBy(ring, typ).payload(case["jws"])
            accepted = True
        except InvalidToken:
            accepted = False
    assert accepted is (case["result"] == "valid" and case["tcId"] not in {4, 8, 10, 12, 16, 18, 20})


@pytest.mark.parametrize("name", sorted(path.name for path in VECTORS.glob("cookbook_*.json")))
def test_cookbook(name: str) -> None:
    """RFC 7520 section 4, RFC 8037 appendix A: the signature holds, and where it is reproducible we make the same one."""
    vector = load(name)
    jwk = {**vector["input"]["key"], "alg": vector["input"]["alg"]}
    key = Key(jwk)
    assert read(jwk, vector["output"]["compact"]) == vector["input"]["payload"].encode()
    if vector.get("reproducible"):
        assert key.sign(vector["signing"]["sig-input"].encode()) == unb64(vector["signing"]["sig"])
    assert key.verify(vector["signing"]["sig-input"].encode(), vector["signing"]["sig"])
    assert not key.verify(vector["signing"]["sig-input"].encode() + b".", vector["signing"]["sig"])
