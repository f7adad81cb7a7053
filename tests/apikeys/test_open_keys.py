"""`open_keys`: from a URL to a table of API keys, without I/O."""

from __future__ import annotations

import pytest

from authkit import ConfigurationError
from authkit.apikeys import DynamoKeys, MemoryKeys, SqliteKeys, open_keys


@pytest.mark.parametrize(
    ("url", "kind"),
    [("memory:", MemoryKeys), ("sqlite:///keys.db", SqliteKeys), ("dynamodb://keys?region=eu-west-1", DynamoKeys)],
)
def test_a_url_names_a_table_without_io(url, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert type(open_keys(url)) is kind
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", "keys.db", "sqlite:keys.db", "redis://u:hunter2@h", "dynamodb://keys?shards=2", None])
def test_what_names_none_is_a_configuration_error_that_does_not_repeat_it(url):
    with pytest.raises(ConfigurationError, match="API keys") as raised:
        open_keys(url)
    assert "hunter2" not in str(raised.value)
