"""`@require_auth` without arguments, where the settings name an OpenID Provider."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from authkit import ConfigurationError, InvalidToken, Principal, Request, Response, require_auth
from authkit.guards._configured import key_material, provider, verifiers
from authkit.oidc import OIDCProvider
from authkit.settings import Settings
from tests.oidc.issuer import AUDIENCE, Issuer, issuer
from tests.providers.world import locals_of

if TYPE_CHECKING:
    from collections.abc import Iterator

OIDC = {"AUTHKIT_OIDC_ISSUER": "https://issuer.example", "AUTHKIT_AUDIENCE": AUDIENCE}


def settings(tmp_path: Path, **values: str) -> Settings:
    return Settings(values, str(tmp_path))


@pytest.fixture
def op() -> Iterator[Issuer]:
    with issuer() as server:
        yield server


def test_an_issuer_and_an_audience_are_a_verifier(tmp_path: Path, op: Issuer) -> None:
    (found,) = verifiers(settings(tmp_path, AUTHKIT_OIDC_ISSUER=op.url, AUTHKIT_AUDIENCE=AUDIENCE))
    assert isinstance(found, OIDCProvider)
    assert op.asked() == 0
    assert found.verify(op.token()).subject == "alice"
    with pytest.raises(InvalidToken, match="token_type"):
        found.verify(op.token({"typ": "JWT", "alg": "ES256", "kid": "one"}))


def test_access_tokens_of_another_type_are_said_so(tmp_path: Path, op: Issuer) -> None:
    told = settings(tmp_path, AUTHKIT_OIDC_ISSUER=op.url, AUTHKIT_AUDIENCE=AUDIENCE, AUTHKIT_OIDC_TOKEN_TYPE="JWT")
    assert provider(told).verify(op.token({"typ": "JWT", "alg": "ES256", "kid": "one"})).subject == "alice"
    with pytest.raises(InvalidToken, match="token_type"):
        provider(told).verify(op.token())


def test_the_same_settings_are_the_same_verifier_whose_keys_are_fetched_once(tmp_path: Path, op: Issuer) -> None:
    told = {"AUTHKIT_OIDC_ISSUER": op.url, "AUTHKIT_AUDIENCE": AUDIENCE}
    one, two = (provider(settings(tmp_path, **told)) for _ in range(2))
    assert one is two
    assert one is not provider(settings(tmp_path, **{**told, "AUTHKIT_AUDIENCE": "other"}))
    assert one is not provider(settings(tmp_path, **told, AUTHKIT_OIDC_TOKEN_TYPE="JWT"))


def test_a_guard_reads_them_when_it_is_sealed(tmp_path: Path, op: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AUTHKIT_JWT_SECRET", "AUTHKIT_JWT_KEY_FILE", "AUTHKIT_ISSUER", "AUTHKIT_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUTHKIT_OIDC_ISSUER", op.url)
    monkeypatch.setenv("AUTHKIT_AUDIENCE", AUDIENCE)

    @require_auth
    def handler(request: Request) -> Response:
        return Response(200)

    for token, status in ((op.token(), 200), (op.token(aud="other"), 401)):
        assert handler(Request.build("GET", "/", {"authorization": f"Bearer {token}"})).status == status


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"AUTHKIT_JWT_SECRET": "s" * 40}, ["AUTHKIT_JWT_SECRET", "AUTHKIT_OIDC_ISSUER"]),
        ({"AUTHKIT_JWT_KEY_FILE": "/nowhere"}, ["AUTHKIT_JWT_KEY_FILE", "AUTHKIT_OIDC_ISSUER"]),
        ({"AUTHKIT_ISSUER": "https://own.example"}, ["AUTHKIT_ISSUER", "AUTHKIT_OIDC_ISSUER"]),
        ({"AUTHKIT_PROVIDER": "auth0"}, ["AUTHKIT_PROVIDER", "AUTHKIT_OIDC_ISSUER"]),
        ({"AUTHKIT_AUDIENCE": ""}, ["AUTHKIT_OIDC_ISSUER", "AUTHKIT_AUDIENCE"]),
        ({"AUTHKIT_OIDC_ISSUER": "http://issuer-4711.example"}, ["AUTHKIT_OIDC_ISSUER"]),
        ({"AUTHKIT_OIDC_ISSUER": "issuer-4711.example"}, ["AUTHKIT_OIDC_ISSUER"]),
        ({"AUTHKIT_OIDC_ISSUER": "", "AUTHKIT_PROVIDER": "nobody-4711"}, ["AUTHKIT_PROVIDER"]),
    ],
)
def test_what_contradicts_itself_or_is_missing_is_named_and_no_value_shown(
    tmp_path: Path, more: dict[str, str], named: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        verifiers(settings(tmp_path, **{**OIDC, **more}))
    assert all(name in str(caught.value) for name in named)
    assert not [value for value in ("s" * 40, "nowhere", "own.example", "4711") if value in str(caught.value)]


def test_nothing_at_all_names_every_way(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        verifiers(settings(tmp_path))
    assert all(name in str(caught.value) for name in ("AUTHKIT_JWT_SECRET", "AUTHKIT_OIDC_ISSUER", "AUTHKIT_PROVIDER"))


def test_whoever_signs_is_told_that_there_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="AUTHKIT_JWT_SECRET"):
        key_material(settings(tmp_path, **OIDC))


class Verifier:
    """What somebody else's distribution may declare."""

    issuer = "https://third.example"

    def __init__(self, audience: str) -> None:
        self.audience = audience

    @classmethod
    def from_settings(cls, get: Any) -> Verifier:
        tenant = get("AUTHKIT_THIRD_TENANT")
        if tenant is None:
            raise ConfigurationError("AUTHKIT_THIRD_TENANT is not set")
        return cls(str(get("AUTHKIT_AUDIENCE")))

    def verify(self, token: str) -> Principal:
        raise InvalidToken("token_key")


class Code:
    """One that is built in code."""


@pytest.fixture
def third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution of somebody else's, installed."""
    folder = tmp_path / "site"
    (folder / "third-1.dist-info").mkdir(parents=True)
    (folder / "third-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: third\nVersion: 1\n")
    (folder / "third-1.dist-info" / "entry_points.txt").write_text(
        f"[authkit.providers]\nthird = {__name__}:Verifier\ncode = {__name__}:Code\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    return tmp_path


def test_a_provider_of_somebody_elses_is_found_by_its_name(third: Path) -> None:
    told = {"AUTHKIT_PROVIDER": "third", "AUTHKIT_AUDIENCE": "a"}
    with pytest.raises(ConfigurationError, match="AUTHKIT_PROVIDER: AUTHKIT_THIRD_TENANT is not set"):
        verifiers(settings(third, **told))
    (found,) = verifiers(settings(third, **told, AUTHKIT_THIRD_TENANT="acme"))
    assert (type(found).__name__, found.audience) == ("Verifier", "a")
    assert verifiers(settings(third, **told, AUTHKIT_THIRD_TENANT="acme")) == (found,)
    assert verifiers(settings(third, **told, AUTHKIT_THIRD_TENANT="other")) != (found,)


def test_a_provider_that_takes_no_settings_says_so(third: Path) -> None:
    with pytest.raises(ConfigurationError, match="AUTHKIT_PROVIDER: this provider is not built from settings"):
        verifiers(settings(third, AUTHKIT_PROVIDER="code"))


@pytest.mark.parametrize(
    "told",
    [
        {"AUTHKIT_PROVIDER": "supabase", "AUTHKIT_SUPABASE_URL": "nowhere", "AUTHKIT_SUPABASE_JWT_SECRET": "SECRET"},
        {"AUTHKIT_PROVIDER": "netlify_identity", "AUTHKIT_NETLIFY_SITE": "nowhere", "AUTHKIT_NETLIFY_JWT_SECRET": "SECRET"},
        {"AUTHKIT_PROVIDER": "github", "AUTHKIT_GITHUB_CLIENT_ID": "a b", "AUTHKIT_GITHUB_CLIENT_SECRET": "SECRET"},
    ],
)
def test_a_secret_among_settings_that_are_wrong_shows_in_no_traceback(told: dict[str, str], tmp_path: Path) -> None:
    secret = "canary of these tests, nobody's secret: 51d0"
    values = {name: secret if value == "SECRET" else value for name, value in told.items()}
    with pytest.raises(ConfigurationError) as caught:
        verifiers(Settings(values, str(tmp_path)))
    assert secret not in locals_of(caught.value)
