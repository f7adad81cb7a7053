"""`named`: a provider by its name, whoever declares it; and the literals and settings that providers are told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from authkit import ConfigurationError
from authkit.oidc import OIDCProvider, named, named_class
from authkit.oidc.for_providers import checked_base, checked_host, checked_text, checked_texts, keys_at, setting, settings_list
from authkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ACME = """
from authkit.oidc import OIDCProvider
from authkit.oidc.for_providers import setting

class Acme(OIDCProvider):
    def __init__(self, realm, **settings):
        super().__init__(f"https://{realm}.acme.example", audience="acme", **settings)

    @classmethod
    def from_settings(cls, get):
        return cls(setting(get, "AUTHKIT_ACME_REALM"))

NOTHING = None
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a distribution that declares providers: a folder on the path, as any installation is."""

    def install(distribution: str, module: str, **points: str) -> None:
        site = tmp_path / distribution
        info = site / f"{distribution}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {value}\n" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[authkit.providers]\n{lines}")
        (site / f"{module}.py").write_text(ACME)
        monkeypatch.syspath_prepend(str(site))

    yield install
    for module in ("acme_provider", "other_provider"):
        sys.modules.pop(module, None)


def test_a_third_partys_provider_is_found_by_the_name_that_it_declares(installed: Callable[..., None]) -> None:
    installed("acme", "acme_provider", acme="acme_provider:Acme")
    made = named("acme", realm="main")
    assert isinstance(made, OIDCProvider)
    assert (made.issuer, type(made).__module__) == ("https://main.acme.example", "acme_provider")
    assert named_class("ACME").__name__ == "Acme"


def test_a_third_partys_provider_is_built_from_settings_too(installed: Callable[..., None], tmp_path: Path) -> None:
    from authkit.guards._configured import verifiers

    installed("acme", "acme_provider", acme="acme_provider:Acme")
    [made] = verifiers(Settings({"AUTHKIT_PROVIDER": "acme", "AUTHKIT_ACME_REALM": "second"}, str(tmp_path)))
    assert made.issuer == "https://second.acme.example"
    with pytest.raises(ConfigurationError, match="AUTHKIT_ACME_REALM is not set"):
        verifiers(Settings({"AUTHKIT_PROVIDER": "acme"}, str(tmp_path)))


def test_an_unknown_name_is_refused_with_those_that_are_known(installed: Callable[..., None]) -> None:
    installed("acme", "acme_provider", acme="acme_provider:Acme")
    with pytest.raises(ConfigurationError, match=r"acme, .*auth0, .*supabase") as caught:
        named("who-is-this")
    assert "who" not in str(caught.value)


@pytest.mark.parametrize("name", ["", " ", "auth0.", "../auth0", "authkit_providers.auth0:Auth0", "os"])
def test_a_name_is_no_path_to_a_module(name: str) -> None:
    with pytest.raises(ConfigurationError, match="known are"):
        named_class(name)


@pytest.mark.parametrize("name", [None, 7, b"auth0", ["auth0"]])
def test_a_name_is_text(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="text"):
        named_class(name)


def test_a_name_that_two_distributions_declare_is_nobodys(installed: Callable[..., None]) -> None:
    """Whichever came first on the path would decide who may log in."""
    installed("acme", "acme_provider", acme="acme_provider:Acme")
    installed("evil", "other_provider", acme="other_provider:Acme", auth_0="other_provider:Acme", auth0="other_provider:Acme")
    for name in ("acme", "auth0"):
        with pytest.raises(ConfigurationError, match="several distributions declare"):
            named(name)
    with pytest.raises(ConfigurationError, match=r"acme \(acme_provider:Acme\)|evil \(other_provider:Acme\)"):
        named("acme")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("acme_provider:Nobody", "cannot be loaded: AttributeError"),
        ("no_such_module:Acme", "cannot be loaded: ModuleNotFoundError .*No module named"),
        ("acme_provider:NOTHING", "is no class"),
    ],
)
def test_what_cannot_be_loaded_is_told_by_where_it_should_be(installed: Callable[..., None], value: str, message: str) -> None:
    installed("acme", "acme_provider", acme=value)
    with pytest.raises(ConfigurationError, match=message) as caught:
        named("acme")
    assert value in str(caught.value)


class TestLiterals:
    @pytest.mark.parametrize("host", ["login.example.com", "a.b.c.example", "xn--bcher-kva.example", "Example.EU.auth0.com"])
    def test_a_host_is_a_bare_name_in_lower_case(self, host: str) -> None:
        assert checked_host("domain", host) == host.lower()

    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "https://login.example.com",
            "login.example.com/",
            "login.example.com:443",
            "login.example.com\n",
            "a..example",
            "-a.example",
            "10.0.0.1",
            "user@login.example.com",
            "login.example.com?",
            "",
            None,
            7,
            "a" * 64 + ".example",
        ],
    )
    def test_what_is_more_or_less_is_refused(self, host: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"^domain is a host's name alone"):
            checked_host("domain", host)

    def test_a_base_url_has_no_slash_at_its_end_and_no_query(self) -> None:
        assert checked_base("url", "https://id.example.com/realms/main/") == "https://id.example.com/realms/main"
        assert checked_base("url", "http://127.0.0.1:8080") == "http://127.0.0.1:8080"
        for url in (
            "https://id.example.com/?a=b",
            "http://id.example.com",
            "id.example.com",
            "https://a:b@id.example.com",
            None,
        ):
            with pytest.raises(ConfigurationError, match=r"^url is"):
                checked_base("url", url)

    @pytest.mark.parametrize("value", ["", "ab ", "ab\n", "ä", None, 7, ["ab"]])
    def test_a_text_matches_to_its_end(self, value: Any) -> None:
        assert checked_text("name", "ab", r"\w+", "a word") == "ab"
        with pytest.raises(ConfigurationError, match=r"^name is a word$"):
            checked_text("name", value, r"\w+", "a word")

    @pytest.mark.parametrize("values", [[], (), None, 7, [""], ["ab", None], {"a": "b"}])
    def test_several_are_at_least_one(self, values: Any) -> None:
        assert checked_texts("names", "ab", r"\w+", "a word") == ("ab",)
        assert checked_texts("names", ["ab", "cd"], r"\w+", "a word") == ("ab", "cd")
        with pytest.raises(ConfigurationError, match=r"^names is a word"):
            checked_texts("names", values, r"\w+", "a word")


class TestSettings:
    def test_one_that_is_not_set_is_named(self) -> None:
        assert setting({"AUTHKIT_A": " b "}.get, "AUTHKIT_A") == "b"
        for missing in ({}, {"AUTHKIT_A": ""}, {"AUTHKIT_A": " "}):
            with pytest.raises(ConfigurationError, match="AUTHKIT_A is not set"):
                setting(missing.get, "AUTHKIT_A")

    def test_several_are_parted_by_commas(self) -> None:
        assert settings_list({"AUTHKIT_A": "a, b,,c "}.get, "AUTHKIT_A") == ("a", "b", "c")
        assert settings_list({}.get, "AUTHKIT_A") == ()

    def test_keys_are_where_the_provider_has_them_unless_somebody_says_otherwise(self) -> None:
        assert keys_at("https://a.example/jwks", {"ttl": 60}) == {"ttl": 60, "jwks_uri": "https://a.example/jwks"}
        for told in ({"jwks_uri": "https://b.example"}, {"discovery": "https://b.example"}, {"keys": "k"}):
            assert keys_at("https://a.example/jwks", told) == told
        assert keys_at("https://a.example/jwks", {"keys": None})["jwks_uri"] == "https://a.example/jwks"
