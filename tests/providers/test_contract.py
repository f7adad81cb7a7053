"""What holds of every provider in the table, whoever adds one: by name, from settings, on its page, on the public API alone.

A page, docs/providers/<name>.md, has the settings in lines of their own (AUTHKIT_AUTH0_DOMAIN=example.eu.auth0.com); they work.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import authkit_providers
import pytest

import authkit
from authkit import ConfigurationError, chain, require_auth
from authkit.guards._configured import verifiers
from authkit.oidc import OIDCProvider, named, named_class
from authkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES = Path(__file__).resolve().parents[2] / "docs" / "providers"
DECLARED = {
    point.name: point.value for point in entry_points(group="authkit.providers") if point.value.startswith("authkit_providers.")
}
NAMES = sorted(DECLARED)
SECRET = "of these tests alone, and nobody's secret: 4c1d9e"
SETTING = re.compile(r"^(AUTHKIT_\w+)=(.*)$", re.MULTILINE)

each = pytest.mark.parametrize("name", NAMES)


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text()


def settings_of(name: str) -> dict[str, str]:
    """Those that the page shows; of one that it shows twice, the first. "..." stands for a secret, which no page has."""
    found: dict[str, str] = {}
    for setting, value in SETTING.findall(page(name)):
        found.setdefault(setting, SECRET if value == "..." else value)
    return found


def class_of(name: str) -> Any:
    return getattr(authkit_providers, DECLARED[name].partition(":")[2])


def child(program: str, *arguments: str) -> Any:
    """What `program` prints, as JSON, in a fresh interpreter."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_table_and_the_entry_points_name_the_same_classes() -> None:
    kinds = [getattr(authkit_providers, name) for name in authkit_providers.__all__]
    assert {f"{kind.__module__}:{kind.__qualname__}" for kind in kinds} == set(DECLARED.values())
    assert {f"authkit_providers.{name}" for name in NAMES} == {value.partition(":")[0] for value in DECLARED.values()}
    assert set(authkit_providers.__all__) <= set(dir(authkit_providers))
    assert len(NAMES) == 16


def test_a_name_that_is_not_in_the_table_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchProvider"):
        _ = authkit_providers.NoSuchProvider  # type: ignore[attr-defined]


LOADED = """
import sys, json, authkit_providers
def ours(): return [name for name in sys.modules if name.startswith(("authkit_providers.", "authkit.oidc."))]
first = ours()
getattr(authkit_providers, "Auth0")
print(json.dumps([first, [name for name in ours() if name.startswith("authkit_providers.")], "httpx" in sys.modules]))
"""


def test_a_provider_is_loaded_when_it_is_named_and_no_other_with_it() -> None:
    assert child(LOADED) == [[], ["authkit_providers.auth0"], False]


@each
def test_it_is_written_with_the_public_api_of_oidc_alone(name: str) -> None:
    """OIDC's public names, what it has for providers, and the standard library."""
    found = set()
    for node in ast.walk(ast.parse(Path(inspect.getfile(class_of(name))).read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not any(alias.name.startswith("_") for alias in node.names)
            if node.level == 0:  # and what is beside it
                found.add(node.module or "")
    others = {module for module in found if module.partition(".")[0] not in sys.stdlib_module_names}
    assert others <= {"authkit.oidc", "authkit.oidc.for_providers"}


@each
def test_it_says_who_it_verifies_and_what_it_raises(name: str) -> None:
    text = class_of(name).__doc__
    assert "ConfigurationError" in text
    assert len(text.splitlines()[0]) > 20


@each
def test_it_is_found_by_name_and_built_from_the_settings_of_its_page(name: str, tmp_path: Path) -> None:
    settings = settings_of(name)
    assert settings["AUTHKIT_PROVIDER"] == name
    [made] = verifiers(Settings(settings, str(tmp_path)))
    assert type(made) is class_of(name) is named_class(name)
    assert chain(require_auth(made)).decide(authkit.Request.build()).status == 401  # type: ignore[union-attr]


@each
def test_a_setting_that_is_missing_is_named(name: str) -> None:
    build: Callable[[Callable[[str], str | None]], Any] = class_of(name).from_settings
    with pytest.raises(ConfigurationError, match="AUTHKIT_"):
        build({}.get)
    settings, told = settings_of(name), {}
    for left_out in settings:
        try:
            build({setting: value for setting, value in settings.items() if setting != left_out}.get)
        except ConfigurationError as error:
            told[left_out] = str(error)
    assert told
    assert {setting for setting, message in told.items() if setting not in message} == set()


@each
def test_a_setting_of_rubbish_is_refused_without_being_told(name: str) -> None:
    rubbish = "\x00 what <nobody> meant\n"
    settings = dict.fromkeys(settings_of(name), rubbish)
    with pytest.raises(ConfigurationError) as caught:
        class_of(name).from_settings(settings.get)
    assert "nobody" not in str(caught.value)


@each
def test_its_page_names_every_setting_and_every_parameter(name: str) -> None:
    text, kind = page(name), class_of(name)
    asked: set[str] = set()

    def get(setting: str) -> str | None:
        asked.add(setting)
        return settings_of(name).get(setting)

    kind.from_settings(get)
    assert {setting for setting in asked if setting not in text} == set()
    general = inspect.signature(OIDCProvider.__init__).parameters
    settings = [
        parameter.name
        for parameter in inspect.signature(kind.__init__).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in general
    ]
    assert {setting for setting in settings if re.search(rf"`{setting}[`=]|\b{setting}=", text) is None} == set()
    assert f"import {kind.__name__}\n" in text or re.search(
        rf"^from authkit_providers import .*\b{kind.__name__}\b", text, re.M
    )


@each
def test_neither_its_repr_nor_what_it_holds_shows_a_secret(name: str) -> None:
    made = class_of(name).from_settings(settings_of(name).get)
    assert SECRET not in repr(made) + repr(vars(made))
    assert repr(made).startswith("<")
    assert class_of(name).__name__ in repr(made) or not issubclass(class_of(name), OIDCProvider)


BUILT = """
import sys, json
from authkit.oidc import named_class
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event.startswith("socket.") else None)
for name, settings in json.loads(sys.argv[1]).items():
    named_class(name).from_settings(settings.get)
print(json.dumps(seen))
"""


def test_building_one_asks_nobody_for_anything() -> None:
    assert child(BUILT, json.dumps({name: settings_of(name) for name in NAMES})) == []


def test_a_page_lists_them_all() -> None:
    text = (PAGES / "README.md").read_text()
    assert {name for name in NAMES if f"({name}.md)" not in text} == set()
    assert {path.stem for path in PAGES.glob("*.md")} == {"README", *NAMES}


def test_a_name_is_found_however_it_is_written() -> None:
    settings: dict[str, Any] = {"domain": "example.eu.auth0.com", "audience": "https://api.example.com"}
    assert type(named("Auth0", **settings)) is type(named("auth0", **settings)) is authkit_providers.Auth0
    assert named_class("github-actions") is authkit_providers.GitHubActions
