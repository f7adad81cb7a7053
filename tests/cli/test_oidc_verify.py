"""`authkit oidc verify`: the check that refused a provider's token and the likely cause, and never the token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authkit.cli._oidc_why import why_refused
from authkit.oidc import OIDCProvider, TokenProfile
from authkit.testing import BAD_OIDC_TOKENS, BAD_TOKENS, FakeIssuer
from tests.cli.command import authkit
from tests.servers.oidc_provider import has_node, oidc_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUDIENCE = "https://api.example"


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    with FakeIssuer() as running:
        yield running


def verify(token: str, tmp_path: Path, *words: str, **env: str) -> Any:
    (tmp_path / "token").write_text(token + "\n")
    return authkit("oidc", "verify", "--value-from", "token", *words, cwd=tmp_path, **env)


def test_a_good_token_is_valid_and_says_who_it_is_for(issuer: FakeIssuer, tmp_path: Path) -> None:
    token = issuer.token("alice", scopes=["read"], roles=["admin"], email="alice@example.com")
    said = verify(token, tmp_path, "--issuer", issuer.url, "--audience", AUDIENCE)
    assert (said.code, said.err) == (0, "")
    for text in ("valid", "alice", issuer.url, AUDIENCE, "read", "admin", "only the issuer knows"):
        assert text in said.out
    assert "alice@example.com" not in said.out
    said = verify(token, tmp_path, "--json", AUTHKIT_OIDC_ISSUER=issuer.url, AUTHKIT_AUDIENCE=AUDIENCE)
    assert (said.json["valid"], said.json["subject"], said.json["reason"], said.json["audience"]) == (
        True,
        "alice",
        None,
        [AUDIENCE],
    )


def test_it_is_read_from_a_pipe_and_from_the_environment(issuer: FakeIssuer, tmp_path: Path) -> None:
    words = ("oidc", "verify", "--issuer", issuer.url, "--audience", "x", "--audience", AUDIENCE)
    assert authkit(*words, cwd=tmp_path, stdin=issuer.token()).code == 0
    assert authkit(*words, "--token-env", "TOKEN", cwd=tmp_path, TOKEN=issuer.token()).code == 0


REFUSED = {
    "id token": (lambda of: of.id_token(), "token kind", "it is an ID token"),
    "logout token": (lambda of: of.forge({**of.header(), "typ": "JWT"}, of.claims(events={})), "token kind", "logout token"),
    "plain": (lambda of: of.forge({**of.header(), "typ": "JWT"}, of.claims()), "token kind", "no typ of their own"),
    "opaque": (lambda of: "2YotnFZFEjr1zCsicMWpAA", "form", "opaque access token"),
    "cut": (lambda of: of.token()[:90], "form", "opaque"),
    "encrypted": (lambda of: ".".join(["eyJlbmMiOiJBMjU2R0NNIn0"] * 5), "form", "JWE"),
    "slash": (lambda of: of.token(iss=of.url + "/"), "issuer", "a slash at the end"),
    "https": (lambda of: of.token(iss=of.url.replace("http:", "https:")), "issuer", "http and https"),
    "nobody's": (lambda of: of.token(iss=...), "issuer", "does not say who issued it"),
    "another issuer's": (lambda of: of.bad()["other_issuer"], "issuer", ""),
    "client": (lambda of: of.token(aud="web"), "audience", "the client itself"),
    "audience slash": (lambda of: of.token(aud=AUDIENCE + "/"), "audience", "a slash at the end"),
    "another API": (lambda of: of.token(aud=["a", "b"]), "audience", "another API"),
    "client_id": (lambda of: of.token(aud=..., client_id=AUDIENCE), "audience", "no aud"),
    "expired": (lambda of: of.token(ttl=-120), "time", "its time of"),
    "ahead": (lambda of: of.token(nbf=int(of.clock()) + 900, ttl=1000), "clock", "clock"),
    "bound": (lambda of: of.token(cnf={"jkt": "x"}), "proof", "DPoP or mTLS"),
    "unsigned": (lambda of: of.bad()["alg_none"], "key", "somebody tries"),
    "secret": (lambda of: of.bad()["hs256_with_jwk"], "key", "signed with a secret"),
    "rotated": (lambda of: of.bad()["kid_unknown"], "key", "rotated away"),
    "changed": (lambda of: of.bad()["signature_forged"], "signature", "changed after it was signed"),
    "milliseconds": (lambda of: of.token(iat=int(of.clock() * 1000)), "claims", "milliseconds"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_one_is_told_by_its_check_and_likely_cause(name: str, issuer: FakeIssuer, tmp_path: Path) -> None:
    make, check, cause = REFUSED[name]
    token = make(issuer)
    said = verify(token, tmp_path, "--issuer", issuer.url, "--audience", AUDIENCE, "--json")
    assert (said.code, said.json["valid"], said.json["check"]) == (1, False, check)
    assert cause in said.json["likely"]
    assert said.json["mend"]
    assert token not in said.all
    assert not token.rpartition(".")[2][20:] or token.rpartition(".")[2][20:] not in said.all


def test_no_bad_token_is_without_an_answer_or_printed(issuer: FakeIssuer) -> None:
    provider = issuer.provider()
    for name, token in issuer.bad().items():
        with pytest.raises(Exception, match=r"token_\w+") as refused:
            provider.verify(token)
        told = why_refused(refused.value.reason, token, provider, issuer.clock())
        assert all((told.check, told.says, told.cause, told.mend)), name
        assert len(token) < 40 or token[:40] not in " ".join((told.says, told.cause, told.mend)), name
    assert len(issuer.bad()) == len(BAD_TOKENS) + len(BAD_OIDC_TOKENS)


@pytest.mark.parametrize(
    ("reason", "header", "claims", "cause"),
    [
        ("token_signature", {"nonce": "n"}, {}, "Microsoft's own token for Graph"),
        ("token_signature", {}, {"iss": "https://other.example"}, "another issuer's"),
        ("token_key", {"kid": "x"}, {"iss": "https://other.example"}, "another issuer's"),
        ("token_key", {"alg": 7}, {}, "rotated away"),
        ("token_audience", {}, {"aud": ["a", "web"], "azp": "web"}, "the client itself"),
        ("token_audience", {}, {"aud": 7}, "another API"),
        ("token_issuer", {}, {"iss": 7}, "who issued it"),
        ("token_type", {"typ": 7}, {}, "another kind"),
        ("token_type", {"typ": "logout+jwt"}, {}, "another kind"),
    ],
)
def test_what_the_token_shows_makes_the_cause(
    reason: str, header: dict[str, Any], claims: dict[str, Any], cause: str, issuer: FakeIssuer
) -> None:
    token = issuer.forge({**issuer.header(), **header}, issuer.claims(**claims))
    assert cause in why_refused(reason, token, issuer.provider(), issuer.clock()).cause


@pytest.mark.parametrize("reason", ["token_rule", "token_unheard_of"])
def test_a_reason_of_a_providers_own_has_an_answer(reason: str, issuer: FakeIssuer) -> None:
    profile = TokenProfile(check=lambda claims: False)
    provider = OIDCProvider(issuer.url, audience=AUDIENCE, profile=profile)
    assert why_refused(reason, issuer.token(), provider, issuer.clock()).says


def test_what_is_named_wrongly_is_exit_code_2(issuer: FakeIssuer, tmp_path: Path) -> None:
    token = issuer.token()
    for words in (
        (),
        ("--issuer", issuer.url),
        ("--issuer", issuer.url, "--provider", "auth0"),
        ("--issuer", "http://issuer.example", "--audience", AUDIENCE),
        ("--provider", "no-such-provider", "--audience", AUDIENCE),
        ("--provider", "auth0", "--audience", AUDIENCE),
        ("--provider", "auth0", "--setting", "domain"),
    ):
        said = verify(token, tmp_path, *words)
        assert (said.code, said.out) == (2, ""), words
        assert token not in said.err
    assert authkit("oidc", "verify", token, cwd=tmp_path, stdin=token).code == 2  # other users see arguments
    assert "AUTHKIT_AUTH0_DOMAIN" in verify(token, tmp_path, "--provider", "auth0", "--audience", AUDIENCE).err


def test_a_provider_by_its_name_has_its_own_rules(issuer: FakeIssuer, tmp_path: Path) -> None:
    said = verify(issuer.token(), tmp_path, "--provider", "google", "--setting",
                  "AUTHKIT_GOOGLE_CLIENT_ID=1-a.apps.googleusercontent.com", "--setting", "HTTPS_PROXY=x")  # fmt: skip
    assert said.code == 2  # only settings of ours


@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}, {"garbage": True}], ids=lambda fault: next(iter(fault)))
def test_an_issuer_that_does_not_answer_is_exit_code_5(fault: dict[str, Any], issuer: FakeIssuer, tmp_path: Path) -> None:
    issuer.fault("keys", **fault)
    said = verify(issuer.token(), tmp_path, "--issuer", issuer.url, "--audience", AUDIENCE, "--json")
    assert (said.code, said.json["error"]) == (5, "unavailable")


@pytest.mark.skipif(not has_node(), reason="oidc-provider needs node and npm")
def test_a_certified_provider_is_discovered_listed_and_verified(tmp_path: Path) -> None:
    with oidc_provider() as op:
        said = authkit("oidc", "discover", op.issuer, "--json", cwd=tmp_path)
        assert (said.code, said.json["says"], said.json["worst"]) == (0, op.issuer, None)
        assert {"ES256", "RS256"} <= set(said.json["algorithms"])
        keys = authkit("oidc", "keys", op.issuer, "--json", cwd=tmp_path).json["keys"]
        assert {"RS256", "ES256", "EdDSA"} <= {alg for key in keys for alg in key["algorithms"]}
        token = op.access_token("m2m-es256", scope="read")
        said = verify(token, tmp_path, "--issuer", op.issuer, "--audience", op.audience, "--json")
        assert (said.code, said.json["subject"], said.json["scopes"]) == (0, "m2m-es256", ["read"])
        opaque = verify(op.access_token("m2m-opaque"), tmp_path, "--issuer", op.issuer, "--audience", op.audience, "--json")
        assert (opaque.code, opaque.json["check"]) == (1, "form")
        assert "opaque" in opaque.json["likely"]
