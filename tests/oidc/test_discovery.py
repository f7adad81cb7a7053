"""Where an issuer's keys are: what it says itself, if it is that very issuer (OID-17, CLM-07, JWK-06, JWK-08)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from authkit import ConfigurationError, InvalidToken, Unavailable
from authkit._fetch import Unfetched
from authkit.oidc import Discovery, OIDCProvider

from .issuer import AUDIENCE, DISCOVERY, Issuer, issuer

if TYPE_CHECKING:
    from collections.abc import Callable

    from authkit.testing import Clock


@pytest.mark.parametrize("path", ["", "/", "/tenant", "/tenant/", "/realms/a%20b", "/a/b/"])
def test_an_issuer_with_a_path_or_a_slash_is_found_and_is_exactly_that(
    path: str, clock: Clock, provider_of: Callable[..., OIDCProvider]
) -> None:
    with issuer(path, clock) as op:
        provider = provider_of(op)
        assert provider.verify(op.token()).issuer == op.url
        assert op.asked(DISCOVERY) == 1
        other = op.url.removesuffix("/") if op.url.endswith("/") else op.url + "/"
        with pytest.raises(InvalidToken, match="token_issuer"):
            provider.verify(op.token(iss=other))


@pytest.mark.parametrize(
    "said",
    ["{url}/", "{url}:80", "{url}?", "{url} ", "https://other.example", "", None, 7, ["{url}"], "{URL}", "{url}\u0430"],
)
def test_metadata_of_another_issuer_is_not_believed(op: Issuer, provider: OIDCProvider, said: Any) -> None:
    def of(value: Any) -> Any:
        if isinstance(value, list):
            return [of(one) for one in value]
        return value.format(url=op.url, URL=op.url.upper()) if isinstance(value, str) else value

    op.says["issuer"] = of(said)
    with pytest.raises(Unavailable, match="of another issuer"):
        provider.verify(op.token())
    assert op.asked() == 0


@pytest.mark.parametrize(
    "uri",
    [
        "http://issuer.example/jwks",
        "file:///etc/passwd",
        "data:,{}",
        "/jwks",
        "https://a:b@issuer.example/",
        None,
        7,
        ["x"],
        "",
    ],
)
def test_keys_that_may_not_be_asked_for_are_not(op: Issuer, provider: OIDCProvider, uri: Any) -> None:
    op.says["jwks_uri"] = uri
    with pytest.raises(Unavailable, match="no jwks_uri that may be asked"):
        provider.verify(op.token())


@pytest.mark.parametrize("name", ["https://issuer.example", "HTTPS://issuer.example"])
def test_an_https_issuer_leads_to_no_http_even_on_this_machine(name: str) -> None:
    said = {"issuer": name, "jwks_uri": "http://127.0.0.1/jwks"}

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.scheme == "https"
        return httpx.Response(200, json=said)

    with pytest.raises(Unfetched, match="may be asked"):
        Discovery(name, transport=httpx.MockTransport(answer)).jwks_uri()


def test_keys_elsewhere_are_fetched_there(op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
    with issuer("/keys", clock) as other:
        other.keys = op.keys
        op.says["jwks_uri"] = other.url + "/jwks"
        assert provider.verify(op.token()).subject == "alice"
        assert (op.asked(), other.asked()) == (0, 1)


def test_keys_that_move_are_found_again(op: Issuer, provider: OIDCProvider, clock: Clock) -> None:
    """The first fetch that fails has the metadata read anew with the next one."""
    provider.verify(op.token())
    with issuer("/keys", clock) as other:
        other.keys = op.keys
        op.says["jwks_uri"] = other.url + "/jwks"
        op.fault(status=404)
        with pytest.raises(Unavailable):
            provider.keys.refresh()
        provider.keys.refresh()
        assert (op.asked(DISCOVERY), other.asked()) == (2, 1)


def test_with_a_jwks_uri_nothing_is_discovered(op: Issuer, provider_of: Callable[..., OIDCProvider]) -> None:
    provider = provider_of(op, jwks_uri=op.url + "/jwks")
    assert provider.verify(op.token()).subject == "alice"
    assert (op.asked(), op.asked(DISCOVERY)) == (1, 0)


def test_an_issuer_that_is_no_url_wants_to_be_told_where_its_keys_are(op: Issuer, clock: Clock) -> None:
    with pytest.raises(ConfigurationError, match="issuer is an https URL"):
        OIDCProvider("urn:example:issuer", audience=AUDIENCE)
    provider = OIDCProvider("urn:example:issuer", audience=AUDIENCE, jwks_uri=op.url + "/jwks", clock=clock)
    assert provider.verify(op.token(iss="urn:example:issuer")).issuer == "urn:example:issuer"


def test_metadata_elsewhere_is_still_of_that_issuer(op: Issuer, provider_of: Callable[..., OIDCProvider], clock: Clock) -> None:
    with issuer("/proxy", clock) as other:
        other.says = {"issuer": op.url, "jwks_uri": op.url + "/jwks"}
        assert provider_of(op, discovery=other.url + DISCOVERY).verify(op.token()).subject == "alice"


def test_two_issuers_that_name_their_keys_alike_do_not_vouch_for_each_other(
    op: Issuer, provider: OIDCProvider, provider_of: Callable[..., OIDCProvider], clock: Clock
) -> None:
    """JWK-06, in both orders of warming up."""
    with issuer(clock=clock) as other:
        second = provider_of(other)
        for one, its, foreign in ((provider, op, other), (second, other, op)):
            assert one.verify(its.token()).issuer == its.url
            for token in (foreign.token(), its.token(key=foreign.key), foreign.token(iss=its.url)):
                with pytest.raises(InvalidToken):
                    one.verify(token)


@pytest.mark.parametrize(
    "settings",
    [
        {"issuer": ""},
        {"issuer": None},
        {"issuer": "http://issuer.example"},
        {"issuer": "https://issuer.example?x=1"},
        {"issuer": "https://issuer.example#x"},
        {"issuer": "ftp://issuer.example"},
        {"issuer": "https://"},
        {"audience": ""},
        {"audience": ()},
        {"audience": ["a", ""]},
        {"audience": ["a", 7]},
        {"audience": None},
        {"leeway": -1},
        {"leeway": 301},
        {"leeway": True},
        {"leeway": "30"},
        {"cache_size": -1},
        {"cache_size": 1.5},
        {"jwks_uri": "http://issuer.example/jwks"},
        {"token_type": ""},
        {"jwks_uri": "https://issuer.example/jwks", "discovery": "https://issuer.example/d"},
        {"profile": "access"},
        {"token_type": 7},
        {"discovery": "file:///etc/passwd"},
    ],
)
def test_a_wrong_setting_is_refused_at_once_and_not_shown(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        OIDCProvider(**{"issuer": "https://issuer.example", "audience": AUDIENCE, **settings})
    assert "example" not in str(caught.value)
