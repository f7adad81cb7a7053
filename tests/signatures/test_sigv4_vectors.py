"""The cases of AWS's own Signature Version 4 test suite."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import ReadOnlyCredentials

from authkit.signatures._sigv4 import Scope, authorization, canonical, canonical_query

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/sigv4/sigv4.json").read_text(encoding="utf-8"))
KEYS = ReadOnlyCredentials(VECTORS["credentials"]["access_key_id"], VECTORS["credentials"]["secret_access_key"], None)
SCOPE = Scope(VECTORS["region"], VECTORS["service"], ())


def parts(request: str) -> tuple[str, str, str, list[tuple[str, str]], bytes]:
    head, _, body = request.partition("\n\n")
    first, *lines = head.split("\n")
    method, target = first.removesuffix(" HTTP/1.1").split(" ", 1)
    path, _, query = target.partition("?")
    headers = [tuple(line.split(":", 1)) for line in lines]
    return method, path, canonical_query(query), headers, body.encode()  # type: ignore[return-value]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=[case["id"] for case in VECTORS["cases"]])
def test_a_published_request_is_signed_as_published(case: dict[str, Any]) -> None:
    method, path, query, headers, body = parts(case["request"])
    signer, request = canonical(KEYS, SCOPE, method, path, query, headers)
    request.data = body  # the published ones have no x-amz-content-sha256
    assert signer.canonical_request(request) == case["canonical_request"]
    assert signer.string_to_sign(request, case["canonical_request"]) == case["string_to_sign"]
    if sha256(body).hexdigest() == sha256(b"").hexdigest():
        assert authorization(KEYS, SCOPE, method, path, query, headers) == case["authorization"]


def test_the_vectors_are_all_there() -> None:
    assert len(VECTORS["cases"]) == 17
