"""`authkit oidc discover | keys`: what an issuer says, what is wrong with it, and why a key is left out."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from authkit.cli._oidc_findings import difference
from authkit.testing import FakeIssuer
from authkit.tokens import base64url
from tests.cli.command import authkit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHORT_RSA = {"kty": "RSA", "kid": "short", "e": "AQAB", "n": base64url.encode(b"\xc1" * 128).decode()}  # 1024 bits


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    with FakeIssuer("/tenant") as running:
        yield running


def codes(said: Any) -> dict[str, str]:
    return {finding["code"]: finding["severity"] for finding in said.json["findings"]}


class TestDiscover:
    def test_shows_what_an_issuer_says_and_that_nothing_is_wrong(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        said = authkit("oidc", "discover", issuer.url, cwd=tmp_path)
        assert (said.code, said.err) == (0, "")
        for text in (issuer.url, f"{issuer.url}/jwks", f"{issuer.url}/token", "ES256", "S256", "nothing found"):
            assert text in said.out
        assert (issuer.asked("discovery"), issuer.asked("keys")) == (1, 1)

    @pytest.mark.parametrize(
        ("says", "cause"),
        [("/", "slash"), ("https", "http and https"), ("upper", "capital"), ("path", "path"), ("host", "host"),
         ("{tenantid}", "template"), ("other", "another issuer"), (None, "whose it is"), (7, "whose it is")],
    )  # fmt: skip
    def test_another_issuer_is_an_error_with_its_cause(self, issuer: FakeIssuer, tmp_path: Path, says: Any, cause: str) -> None:
        changed = {
            "/": issuer.url + "/", "https": issuer.url.replace("http:", "https:"), "path": issuer.base + "/realm",
            "upper": issuer.url.replace("tenant", "Tenant"), "host": "http://idp.internal/tenant",
            "{tenantid}": issuer.base + "/{tenantid}/v2.0", "other": "https://elsewhere.example/x",
        }  # fmt: skip
        issuer.says["issuer"] = changed.get(says, says)
        said = authkit("oidc", "discover", issuer.url, "--json", cwd=tmp_path)
        assert (said.code, said.json["worst"], codes(said)) == (1, "error", {"issuer_mismatch": "error"})
        assert cause in said.json["findings"][0]["message"]
        assert issuer.asked("keys") == 0  # those of somebody else

    def test_the_slash_that_was_typed_is_told_too(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        said = authkit("oidc", "discover", issuer.url + "/", cwd=tmp_path)
        assert said.code == 1
        assert "they differ in a slash at the end" in said.out

    @pytest.mark.parametrize(
        ("says", "found"),
        [
            ({"jwks_uri": None}, {"no_jwks_uri": "error"}),
            ({"jwks_uri": "http://issuer.example/jwks"}, {"endpoint_insecure": "error"}),
            ({"token_endpoint": "http://issuer.example/token"}, {"endpoint_insecure": "warning"}),
            ({"userinfo_endpoint": 7}, {"endpoint_insecure": "warning"}),
            ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, {"no_algorithm": "error"}),
            ({"id_token_signing_alg_values_supported": ["HS256", "Ed25519"]}, {}),
            ({"id_token_signing_alg_values_supported": "RS256"}, {}),
        ],
    )
    def test_what_would_not_do_is_a_finding(
        self, issuer: FakeIssuer, tmp_path: Path, says: dict[str, Any], found: dict[str, str]
    ) -> None:
        issuer.says.update(says)
        said = authkit("oidc", "discover", issuer.url, "--json", cwd=tmp_path)
        assert codes(said) == found
        assert said.code == ("error" in found.values())

    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 503},
            {"drop": True},
            {"garbage": True},
            {"huge": True},
            {"redirect": "https://evil.example/"},
            {"cut": True},
        ],
        ids=lambda fault: next(iter(fault)),
    )
    def test_an_issuer_that_does_not_answer_is_exit_code_5(
        self, issuer: FakeIssuer, tmp_path: Path, fault: dict[str, Any]
    ) -> None:
        issuer.fault("discovery", **fault)
        said = authkit("oidc", "discover", issuer.url, cwd=tmp_path)
        assert (said.code, said.out) == (5, "")
        assert said.err.startswith("authkit: its metadata cannot be had from http://127.0.0.1:")
        issuer.mend()
        issuer.fault("keys", **fault)
        said = authkit("oidc", "discover", issuer.url, "--json", cwd=tmp_path)
        assert (said.code, codes(said)) == (1, {"keys_unreachable": "error"})

    def test_clocks_and_lifetimes_are_compared(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        for ahead, found in ((3600, "error"), (90, "warning"), (-90, "warning")):
            issuer.fault("discovery", headers={"Date": formatdate(time.time() - ahead, usegmt=True)})
            assert codes(authkit("oidc", "discover", issuer.url, "--json", cwd=tmp_path)) == {"clock_skew": found}
        issuer.mend()
        for control, told in (("max-age=5", "1m"), ("max-age=86400", "1h"), ("no-store", "1m")):
            issuer.headers["Cache-Control"] = control
            said = authkit("oidc", "discover", issuer.url, "--json", cwd=tmp_path)
            assert codes(said) == {"keys_lifetime": "note"}
            assert f"here they are kept for {told}" in said.json["findings"][0]["message"]
        issuer.headers["Cache-Control"] = "public, max-age=900"
        assert codes(authkit("oidc", "discover", issuer.url, "--json", cwd=tmp_path)) == {}

    @pytest.mark.parametrize(
        "url", ["http://issuer.example", "ftp://issuer.example", "issuer.example", "https://a:b@issuer.example"]
    )
    def test_what_may_not_be_asked_is_not_asked_and_not_repeated(self, tmp_path: Path, url: str) -> None:
        for command in ("discover", "keys"):
            said = authkit("oidc", command, url, cwd=tmp_path)
            assert said.code == 2
            assert url not in said.all

    def test_no_two_texts_are_without_a_difference(self) -> None:
        texts = [
            "https://a.example",
            "https://a.example/",
            "https://A.example",
            "http://a.example",
            "https://b.example",
            "urn:x",
            "",
        ]
        assert all(difference(one, other) for one in texts for other in texts if one != other)

    def test_what_is_said_at_length_is_not_repeated_at_length(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        issuer.says.update(issuer="x" * 5000, scopes_supported=["s" * 5000], token_endpoint=issuer.base + "/" + "t" * 5000)
        said = authkit("oidc", "discover", issuer.url, cwd=tmp_path)
        assert said.code == 1
        assert max(map(len, said.out.splitlines())) < 600

    def test_an_address_of_its_keys_that_is_none_or_endless_is_a_finding_and_no_defect(
        self, issuer: FakeIssuer, tmp_path: Path
    ) -> None:
        issuer.keys = [{**issuer.keys[0], "kid": "k" * 50_000, "d": "AAAA"}]
        said = authkit("oidc", "discover", issuer.url, cwd=tmp_path)
        assert (said.code, len(said.all) < 5000) == (1, True)
        for uri in ("https://xn--a/", f"https://keys.example/{'a' * 70_000}"):
            issuer.says["jwks_uri"] = uri
            said = authkit("oidc", "discover", issuer.url, "--json", cwd=tmp_path)
            assert (said.code, codes(said)) == (1, {"keys_unreachable": "error"})
            assert len(said.json["findings"][0]["message"]) < 500

    def test_no_query_that_was_typed_is_repeated(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        for command in ("discover", "keys"):
            said = authkit("oidc", command, issuer.url + "/none?key=s3cret", cwd=tmp_path)
            assert said.code == {"discover": 2, "keys": 5}[command]
            assert "s3cret" not in said.all


class TestKeys:
    def test_lists_each_with_what_it_is_used_for_or_why_not(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        issuer.add_key("RS256", kid="rsa")
        issuer.keys.append({name: value for name, value in issuer.keys[-1].items() if name != "alg"} | {"kid": "any"})
        ec = issuer.keys[0]
        issuer.keys += [
            SHORT_RSA,
            {**ec, "kid": "enc", "use": "enc"},
            {**ec, "kid": "wrap", "key_ops": ["wrapKey"]},
            {**ec, "kid": "wrong", "alg": "RS256"},
            {**ec, "kid": "half", "y": None},
            {"kty": "AKP", "kid": "new"},
            "x",
        ]
        said = authkit("oidc", "keys", issuer.url, "--json", cwd=tmp_path)
        assert (said.code, said.json["worst"], said.json["jwks_uri"]) == (0, None, issuer.url + "/jwks")
        listed = {key["kid"]: key for key in said.json["keys"]}
        assert (listed["key-1"]["algorithms"], listed["key-1"]["bits"], listed["key-1"]["left_out"]) == (["ES256"], 256, None)
        assert (listed["rsa"]["algorithms"], listed["rsa"]["bits"]) == (["RS256"], 2048)
        assert listed["any"]["algorithms"] == ["RS256", "RS384", "RS512"]
        causes = {"enc": "encryption", "wrap": "key_ops", "half": "lacks", "new": "kty", "short": "RSA", None: "JSON"}
        for kid, cause in causes.items():
            assert cause in listed[kid]["left_out"], kid
        assert listed["wrong"]["left_out"]
        assert not listed["wrong"]["algorithms"]
        shown = authkit("oidc", "keys", issuer.url, cwd=tmp_path).out
        assert "left out: it is for encryption (use)" in shown
        assert "RS256 RS384 RS512" in shown

    def test_takes_the_address_of_the_keys_themselves(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        said = authkit("oidc", "keys", issuer.url + "/jwks", "--json", cwd=tmp_path)
        assert (said.code, [key["kid"] for key in said.json["keys"]]) == (0, ["key-1"])
        issuer.pages["/keys"] = {"keys": issuer.keys}
        assert authkit("oidc", "keys", issuer.url + "/keys?version=2", cwd=tmp_path).code == 0
        assert authkit("oidc", "keys", issuer.base + "/nothing", cwd=tmp_path).code == 5

    def test_takes_an_address_that_no_issuer_has_for_that_of_keys(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        issuer.pages["/.well-known/jwks.json"] = {"keys": issuer.keys}
        assert authkit("oidc", "keys", f"{issuer.url}/.well-known/jwks.json", cwd=tmp_path).code == 0
        said = authkit("oidc", "discover", f"{issuer.url}/.well-known/openid-configuration", cwd=tmp_path)
        assert (said.code, "iss" in said.err) == (2, True)

    def test_the_keys_of_another_issuer_are_not_listed(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        said = authkit("oidc", "keys", issuer.url + "/", cwd=tmp_path)
        assert (said.code, said.out) == (1, "")
        assert "a slash at the end" in said.err

    def test_a_private_key_is_an_error_and_is_not_shown(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        issuer.keys += [
            {**issuer.keys[0], "kid": "leaked", "d": "cHJpdmF0ZS1oYWxm"},
            {"kty": "oct", "k": "c2VjcmV0LXRleHQ", "kid": "s"},
        ]
        said = authkit("oidc", "keys", issuer.url, "--json", cwd=tmp_path)
        assert (said.code, codes(said)) == (1, {"private_key_published": "error"})
        assert "cHJpdmF0" not in said.all
        assert "c2VjcmV0" not in said.all

    @pytest.mark.parametrize("keys", [[], [{"kty": "oct", "kid": "x"}], {}, "x", [{}] * 101])
    def test_where_none_verifies_it_is_an_error(self, issuer: FakeIssuer, tmp_path: Path, keys: Any) -> None:
        issuer.pages["/jwks"] = {"keys": keys}
        said = authkit("oidc", "keys", issuer.url, "--json", cwd=tmp_path)
        assert (said.code, codes(said)) == (1, {"no_usable_key": "error"})

    def test_one_of_several_without_a_kid_is_a_warning(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        issuer.add_key()
        del issuer.keys[0]["kid"]
        assert codes(authkit("oidc", "keys", issuer.url, "--json", cwd=tmp_path)) == {"key_without_kid": "warning"}

    def test_what_would_steer_a_terminal_is_not_printed(self, issuer: FakeIssuer, tmp_path: Path) -> None:
        issuer.keys[0]["kid"] = "\x1b[2J" + "k" * 200
        said = authkit("oidc", "keys", issuer.url, cwd=tmp_path)
        assert said.code == 0
        assert "\x1b" not in said.out
        assert max(map(len, said.out.splitlines())) < 200
