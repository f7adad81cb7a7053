"""ID tokens at the end of a login: each row alone is fatal (OpenID Connect Core sections 3.1.3.7 and 3.1.3.8)."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from authkit.tokens import Key
from tests.oidc.issuer import ec_key, signed
from tests.oidc.login_parts import CLIENT, SECRET, Browser, Clock, at_hash, login_at


def changed_claims(**claims):
    return lambda op: op.id_claims.update(claims)


def resigned(make):
    def change(op):
        op.id_token = lambda token: make(op, json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")))

    return change


NOW = int(Clock()())
FAULTS = {
    "no_id_token": lambda op: op.said.update(id_token=...),
    "an_id_token_that_is_none": lambda op: op.said.update(id_token="a.b.c"),
    "an_id_token_that_is_no_text": lambda op: op.said.update(id_token={"sub": "alice"}),
    "another_issuer": changed_claims(iss="https://evil.example"),
    "no_issuer": changed_claims(iss=...),
    "another_audience": changed_claims(aud="other"),
    "no_audience": changed_claims(aud=...),
    "several_audiences_without_azp": changed_claims(aud=[CLIENT, "other"]),
    "another_azp": changed_claims(aud=[CLIENT, "other"], azp="other"),
    "another_azp_of_one_audience": changed_claims(azp="other"),
    "expired": changed_claims(exp=NOW - 31, iat=NOW - 60),
    "no_exp": changed_claims(exp=...),
    "exp_as_text": changed_claims(exp=str(NOW + 300)),
    "issued_in_the_future": changed_claims(iat=NOW + 31),
    "no_iat": changed_claims(iat=...),
    "issued_long_ago": changed_claims(iat=NOW - 700),
    "not_yet_valid": changed_claims(nbf=NOW + 60),
    "no_subject": changed_claims(sub=...),
    "an_empty_subject": changed_claims(sub=""),
    "a_subject_that_is_a_number": changed_claims(sub=7),
    "a_subject_without_end": changed_claims(sub="a" * 256),
    "no_nonce": changed_claims(nonce=...),
    "another_nonce": changed_claims(nonce="A" * 43),
    "an_empty_nonce": changed_claims(nonce=""),
    "nonce_as_an_array": changed_claims(nonce=["x"]),
    "another_at_hash": changed_claims(at_hash=at_hash("another token")),
    "at_hash_by_another_hash": changed_claims(at_hash=at_hash("access-0", "sha512")),
    "at_hash_that_is_no_text": changed_claims(at_hash=None),
    "another_c_hash": changed_claims(c_hash=at_hash("another code")),
    "another_s_hash": changed_claims(s_hash=at_hash("another state")),
    "a_logout_token": changed_claims(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
    "an_access_token_by_its_use": changed_claims(token_use="access"),
    "auth_time_as_text": changed_claims(auth_time="now"),
    "auth_time_in_the_future": changed_claims(auth_time=NOW + 3600),
    "alg_none": resigned(lambda op, claims: signed_none(claims)),
    "an_hmac_with_the_public_key": resigned(
        lambda op, claims: signed(Key(op.keys[0]["x"].encode()), claims, {"alg": "HS256", "kid": op.key.kid})
    ),
    "an_hmac_with_the_client_secret": resigned(lambda op, claims: signed(Key(SECRET.encode() * 2), claims, {"alg": "HS256"})),
    "signed_by_a_stranger": resigned(lambda op, claims: signed(ec_key(op.key.kid), claims, head(op))),
    "of_a_key_that_nobody_has": resigned(lambda op, claims: signed(ec_key("none"), claims, {"alg": "ES256", "kid": "none"})),
    "an_access_token_by_its_type": resigned(lambda op, claims: signed(op.key, claims, {**op.header(), "typ": "at+jwt"})),
    "a_logout_token_by_its_type": resigned(lambda op, claims: signed(op.key, claims, {**op.header(), "typ": "logout+jwt"})),
    "critical_headers": resigned(lambda op, claims: signed(op.key, claims, {**head(op), "crit": ["x"]})),
    "no_access_token": lambda op: op.said.update(access_token=...),
}


def head(op):
    return {"alg": op.key.alg, "kid": op.key.kid}


def signed_none(claims):
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_each_fault_of_an_id_token_alone_is_fatal(fault):
    with login_at() as op:
        browser = Browser(op.login())
        url = op.authorize(browser.start())
        fault(op)
        answer = browser.come_back(url)
        assert answer.status == (503 if "access_token" in op.said else 401)  # that is no answer of a token endpoint
        assert browser.whoami() == 303
        assert browser.cookies == {}


def test_a_nonce_of_another_attempt_of_the_same_browser_is_refused():
    with login_at() as op:
        browser = Browser(op.login())
        first, second = browser.start(), browser.start()
        op.id_claims["nonce"] = dict(parse_qsl(urlsplit(first).query))["nonce"]
        assert browser.come_back(op.authorize(second)).status == 401


@pytest.mark.parametrize("claims", [{}, {"c": True}])
def test_hashes_that_are_right_are_accepted_and_an_array_of_audiences_with_azp_too(claims):
    with login_at() as op:
        op.id_claims = {"aud": [CLIENT, "other"], "azp": CLIENT, "c_hash": at_hash("code-0")}
        browser = Browser(op.login())
        assert browser.log_in(op).status == 303
