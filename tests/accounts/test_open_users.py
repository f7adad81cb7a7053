"""`open_users`: from a URL to a table of users, without I/O."""

from __future__ import annotations

import pytest

from authkit import ConfigurationError
from authkit.accounts import DynamoUsers, MemoryUsers, SqliteUsers, User, open_users


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory:", MemoryUsers),
        ("sqlite:///users.db", SqliteUsers),
        ("dynamodb://users", DynamoUsers),
        ("dynamodb://users?region=eu-west-1&endpoint=http://127.0.0.1:8000", DynamoUsers),
    ],
)
def test_a_url_names_a_table(url, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert type(open_users(url)) is kind
    assert list(tmp_path.iterdir()) == []


def test_a_path_is_of_the_directory_of_that_moment_and_may_be_whole(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    users = open_users("sqlite:///our%20users.db")
    monkeypatch.chdir(tmp_path / "b")
    assert users.add(User("alice"))
    assert (tmp_path / "a" / "our users.db").exists()
    assert open_users(f"sqlite:///{tmp_path}/a/our users.db").find("alice") == User("alice")


@pytest.mark.parametrize(
    "url",
    ["", "users.db", "sqlite:users.db", "sqlite://users.db", "sqlite:///", "sqlite:///:memory:", "sqlite:///a%00", "sqlite:///a?b=c",
     "memory://x", "redis://127.0.0.1", "postgresql://u:hunter2@h/db", "dynamodb:users", "dynamodb://a", "dynamodb://u:hunter2@users",
     "dynamodb://users?shards=2", "dynamodb://users?region=eu-west-1&region=eu-west-2", "dynamodb://users?region", None, 5],
)  # fmt: skip
def test_what_names_none_is_a_configuration_error_that_does_not_repeat_it(url):
    with pytest.raises(ConfigurationError) as raised:
        open_users(url)
    assert "hunter2" not in str(raised.value)
