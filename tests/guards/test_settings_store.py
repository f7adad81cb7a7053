"""`AUTHKIT_STORE`: with it, `@require_auth` from the settings refuses what was revoked."""

from __future__ import annotations

import pytest

from authkit import Allow, ConfigurationError, Deny, Response, Tokens, require_auth
from authkit.guards._configured import tokens as configured
from authkit.settings import Settings
from authkit.stores import MemoryStore, SqliteStore, open_store
from tests.parts import bearer

STATED = {"AUTHKIT_JWT_SECRET": "a secret that is long enough: 7f3a9c51e8", "AUTHKIT_ISSUER": "i", "AUTHKIT_AUDIENCE": "a"}


@pytest.fixture
def stated(monkeypatch, tmp_path):
    """The settings in the environment; called with the store's URL."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTHKIT_JWT_KEY_FILE", raising=False)

    def state(url):
        for name, value in {**STATED, "AUTHKIT_STORE": url}.items():
            monkeypatch.setenv(name, value)

    return state


def test_without_the_setting_there_is_no_store(tmp_path):
    for environ in (STATED, {**STATED, "AUTHKIT_STORE": ""}):
        tokens = configured(Settings(environ, str(tmp_path)))
        assert tokens.store is None
        assert tokens.verify(tokens.issue("alice")).subject == "alice"


def test_what_another_process_revoked_is_refused(stated, tmp_path):
    stated(f"sqlite:///{tmp_path}/auth.db")
    guard = require_auth()
    service = Tokens(STATED["AUTHKIT_JWT_SECRET"], issuer="i", audience="a", store=open_store(f"sqlite:///{tmp_path}/auth.db"))
    pair, other = service.issue_pair("alice"), service.issue_pair("alice")
    service.revoke(other.access_token)
    assert isinstance(guard.decide(bearer(pair.access_token)), Allow)
    refused = guard.decide(bearer(other.access_token))
    assert isinstance(refused, Deny)
    assert refused.reason == "token_revoked"


def test_one_url_is_one_store_in_the_whole_process(tmp_path):
    first, second = (configured(Settings({**STATED, "AUTHKIT_STORE": "memory:"}, str(tmp_path))) for _ in range(2))
    assert isinstance(first.store, MemoryStore)
    assert first.store is second.store
    text = first.issue("alice")
    first.revoke(text)
    assert second.recall(text) is None
    file = configured(Settings({**STATED, "AUTHKIT_STORE": f"sqlite:///{tmp_path}/a.db"}, str(tmp_path)))
    assert isinstance(file.store, SqliteStore)


@pytest.mark.parametrize("url", ["nonsense", "sqlite://x", "memory:here", "http://u:hunter2hunter2@host", "dynamodb://x?y=1"])
def test_what_names_no_store_is_a_configuration_error_that_shows_no_value(stated, url, tmp_path):
    with pytest.raises(ConfigurationError, match="AUTHKIT_STORE") as refused:
        configured(Settings({**STATED, "AUTHKIT_STORE": url}, str(tmp_path)))
    assert "hunter2" not in str(refused.value)
    stated(url)
    assert require_auth(lambda request: Response(200))(bearer("x")).status == 500
