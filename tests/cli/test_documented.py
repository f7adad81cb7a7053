"""`docs/cli.md` says what the command does: its JSON, its exit codes, its findings."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

import authkit.cli
from authkit import Tokens
from authkit.accounts import PasswordHasher, SqliteUsers, User
from authkit.apikeys import ApiKey, SqliteKeys
from authkit.cli._exits import EXITS
from authkit.secrets.rotation.generate import generate
from authkit.stores import open_store
from authkit.testing import FakeIssuer
from authkit.tokens.why import REASONS
from authkit.webhooks import sign
from authkit.webhooks.why import REASONS as WEBHOOK_REASONS
from tests.cli.command import authkit as run

PROGRAM = """
from authkit import rate_limit
from authkit.stores import open_store
from authkit.tokens.why import REASONS
from authkit.webhooks import sign
from authkit.webhooks.why import REASONS as WEBHOOK_REASONS
limit = rate_limit("5/minute", name="address", store=open_store("sqlite:///limits.db"))
"""
PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def table(title: str) -> list[list[str]]:
    """The rows of the table under that heading."""
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| ")][1:]


def members(command: str) -> tuple[set[str], set[str]]:
    """What the page promises of that command's JSON: the members of the document, and those of each entry of its list."""
    [cell] = [cell for names, cell in table("JSON") if f"`{command}`" in names]
    whole, _, each = re.sub(r"\([^)]*\)", "", cell).partition(": each")
    return set(re.findall(r"`(\w+)`", whole)), set(re.findall(r"`(\w+)`", each))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    value, until = generate()(), int(time.time()) + 999
    text = (
        f"API_KEY={value}\nAPI_KEY__PREVIOUS={value}x\nAPI_KEY__PREVIOUS_UNTIL={until}\nRING='{generate('ec')()}'\nWEAK_KEY=1\n"
    )
    (tmp_path / ".env").write_text(text)
    (tmp_path / ".env").chmod(0o600)
    store = open_store(f"sqlite:///{tmp_path}/limits.db")
    store.epoch()
    store.close()
    users = SqliteUsers(tmp_path / "users.db")
    users.add(User("alice"))
    users.close()
    keys = SqliteKeys(tmp_path / "keys.db")
    keys.add(ApiKey("AAAAAAAAAAAA", name="", subject="robot", digest="00" * 32, created=1.0))
    keys.close()
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "token").write_text(Tokens(value, issuer="i", audience="a").issue("alice"))
    (tmp_path / "body").write_text("{}")
    (tmp_path / "sent").write_text(json.dumps({"headers": sign("github", value, b"{}"), "body": "{ }"}))
    (tmp_path / "password").write_text("correct horse")
    (tmp_path / "hash").write_text(PasswordHasher(memory=64, passes=1, lanes=1).hash("correct horse"))
    return tmp_path


@pytest.mark.parametrize(
    ("documented", "words"),
    [
        ("secrets list", "secrets list"),
        ("secrets status", "secrets status"),
        ("secrets history", "secrets history API_KEY"),
        ("secrets verify", "secrets verify WEAK_KEY"),
        ("secrets rotate --dry-run", "secrets rotate RING --dry-run"),
        ("rollback", "secrets rollback API_KEY"),
        ("discard", "secrets discard API_KEY"),
        ("retire", "secrets retire API_KEY --force"),
        ("rotate", "secrets rotate RING"),
        ("keys rotate", "keys rotate RING --publish-only"),
        ("keys list", "keys list"),
        ("keys jwks", "keys jwks RING"),
        ("token issue", "token issue alice --key RING --issuer i --audience a"),
        ("token inspect", "token inspect --value-from token"),
        ("token verify", "token verify --value-from token --key RING --issuer i --audience a"),
        ("oidc discover", "oidc discover ISSUER/"),
        ("oidc keys", "oidc keys ISSUER"),
        ("oidc verify", "oidc verify --value-from token --issuer ISSUER --audience a"),
        ("oidc token", "oidc token ISSUER --client-id c --value-from password"),
        ("password hash", "password hash --value-from password"),
        ("password check", "password check --hash-from hash --value-from password"),
        ("users list", "users list --users sqlite:///users.db"),
        ("users enable", "users enable alice --users sqlite:///users.db"),
        (
            "users disable",
            "users disable alice --users sqlite:///users.db --store sqlite:///limits.db --issuer https://a.example",
        ),
        (
            "users revoke",
            "users revoke alice --users sqlite:///users.db --store sqlite:///limits.db --issuer https://a.example",
        ),
        ("apikeys new", "apikeys new robot --keys sqlite:///keys.db"),
        ("apikeys rotate", "apikeys rotate AAAAAAAAAAAA --keys sqlite:///keys.db"),
        ("apikeys list", "apikeys list --keys sqlite:///keys.db"),
        ("apikeys revoke", "apikeys revoke AAAAAAAAAAAA --keys sqlite:///keys.db"),
        ("limits show", "limits show --app program"),
        ("limits show", "limits show ip:::1 --app program"),
        ("limits reset", "limits reset ip:::1 --app program"),
        ("store show", "store show sqlite:///limits.db"),
        ("store adopt", "store adopt sqlite:///limits.db --force"),
        ("webhook sign", "webhook sign github body --secret API_KEY"),
        ("webhook verify", "webhook verify github sent --secret API_KEY"),
        ("webhook send", "webhook send github http://127.0.0.1:9/ body --secret API_KEY"),
        ("webhook schemes", "webhook schemes"),
        ("explain", "explain sent --secret API_KEY"),
        ("doctor", "doctor"),
    ],
)
def test_the_json_is_what_the_page_promises(documented: str, words: str, place: Path) -> None:
    with FakeIssuer() as issuer:
        issuer.pages["/token"] = {"access_token": "t", "token_type": "Bearer", "expires_in": 60}
        document: dict[str, Any] = run(*words.replace("ISSUER", issuer.url).split(), "--json", cwd=place).json
    whole, each = members(documented)
    assert set(document) == whole - {"value"}
    entries = next((value for value in document.values() if each and isinstance(value, list) and value), [])
    if documented == "limits show":  # its entries have entries
        [limit] = entries
        assert set(limit) | set(limit["rates"][0]) == each - ({"left", "next", "held"} if "ip:" not in words else set())
        return
    assert not each or (
        isinstance(entries, list) and {frozenset(entry) for entry in entries if isinstance(entry, dict)} <= {frozenset(each)}
    )


def test_a_value_and_a_key_are_in_the_json_only_when_asked_for(place: Path) -> None:
    whole, _ = members("secrets get")
    assert set(run("secrets", "get", "API_KEY", "--json", cwd=place).json) <= whole
    whole, _ = members("keys new")
    assert set(run("keys", "new", "--kind", "ec", "--out", "k", "--json", cwd=place).json) == whole - {"key"}
    assert set(run("keys", "new", "--kind", "ec", "--stdout", "--json", cwd=place).json) == whole


def test_the_exit_codes_on_the_page_are_those_there_are() -> None:
    assert {name.strip("`"): (int(code), when) for code, name, when in table("Exit codes")} == EXITS


def test_every_reason_of_a_refused_token_stands_on_the_page() -> None:
    documented = {reason for _, reasons, _ in table("Tokens") for reason in re.findall(r"`(\w+)`", reasons)}
    assert documented == set(REASONS)


def test_every_reason_of_a_refused_webhook_stands_on_the_page() -> None:
    documented = {reason for _, reasons, _ in table("Webhooks") for reason in re.findall(r"`(\w+)`", reasons)}
    assert documented == set(WEBHOOK_REASONS)


def test_every_finding_that_there_is_stands_on_the_page_and_no_other() -> None:
    documented = {code for codes, *_ in table("Findings of `doctor`") for code in re.findall(r"`(\w+)`", codes)}
    source = "\n".join(path.read_text() for path in Path(authkit.cli.__file__).parent.glob("_*.py"))
    written = re.findall(r'Finding\(\s*(?:"\w+"|severity|_grave\(\)),\s*"(\w+)"', source)
    written += re.findall(r'yield \("\w+", "(\w+)"\)', source)
    assert set(written) == documented
