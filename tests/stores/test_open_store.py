"""`open_store`: every store by its URL, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import traceback

import pytest

from authkit import ConfigurationError
from authkit.stores import DynamoStore, MemoryStore, RedisStore, SqliteStore, open_store
from tests.servers.dynamo import between

from .contract import admitted, rates

PASSWORD = "hunter2-77"


def test_a_store_in_memory_is_a_new_one_each_time():
    store = open_store("memory:")
    assert isinstance(store, MemoryStore)
    assert store is not open_store("memory:")


def test_a_file_is_named_by_three_slashes_and_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub dir").mkdir()
    for url, path in (
        ("sqlite:///store.db", "store.db"),
        (f"sqlite:///{tmp_path}/whole.db", "whole.db"),
        ("sqlite:///sub%20dir/%C3%A9.db", "sub dir/é.db"),
    ):
        store = open_store(url)
        assert isinstance(store, SqliteStore)
        assert not (tmp_path / path).exists()
        assert store.add("a", 60)
        assert (tmp_path / path).exists()


def test_a_table_is_named_with_its_region_or_endpoint_and_shards(moto):
    with between(moto) as aws:
        store = open_store(f"dynamodb://from-a-url?endpoint={aws.endpoint}&region=eu-west-1&shards=2&timeout=30")
        assert isinstance(store, DynamoStore)
        store.create_table()
        assert admitted(store.limiter("a", rates("2/minute")), times=9) <= 2
        assert store.add("a", 60)
    assert isinstance(open_store("dynamodb://table"), DynamoStore)
    assert isinstance(open_store("dynamodb://arn:aws:dynamodb:eu-west-1:123456789012:table/authkit"), DynamoStore)


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{PASSWORD}@127.0.0.1:6379/1", f"rediss://user:{PASSWORD}@redis.example", "redis+cluster://a.example,b.example",
        f"redis+sentinel://:{PASSWORD}@a.example,b.example/primary", "unix:///run/redis.sock", "redis://127.0.0.1?timeout=2.5", "redis://127.0.0.1?timeout=2&db=1",
    ],
)  # fmt: skip
def test_redis_is_named_as_its_store_is(url):
    store = open_store(url)
    assert isinstance(store, RedisStore)
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "", "memory", "memory://x", "memory:x", "MEMORY:", "sqlite", "sqlite:", "sqlite://store.db", "sqlite:store.db",
        "sqlite:///", "sqlite:///:memory:", "sqlite:///a.db?timeout=9", "sqlite:///a.db#b", "sqlite:///a%00b", "dynamodb:",
        "dynamodb:table", "dynamodb://", "dynamodb://a", "dynamodb://a b c", "dynamodb://table/", "dynamodb://table?regio=eu-west-1",
        "dynamodb://table?region=eu-west-1&region=eu-west-2", "dynamodb://table?region=", "dynamodb://table?region",
        "dynamodb://table?region=Ireland", "dynamodb://table?endpoint=http://example.com", "dynamodb://table?shards=x",
        "dynamodb://table?shards=0", "dynamodb://table?timeout=x", "dynamodb://table?timeout=0",
        "dynamodb://table?timeout=-1", "dynamodb://table?shards=٣", "dynamodb://table#a", "redis://", "redis+cluster://",
        "redis://h?no=1", "redis://h?timeout=", "redis://h?timeout=61", "redis://h?timeout=1e1", "redis://h?timeout=1&timeout=1",
        "redis://h?db=1&timeout=nan", "mysql://x", "http://x", None, 3, b"memory:",
    ],
)  # fmt: skip
def test_what_names_no_store_is_a_configuration_error(url):
    with pytest.raises(ConfigurationError):
        open_store(url)


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://root:{PASSWORD}@db.example/x", f"redis+nothing://:{PASSWORD}@h", f"redis://:{PASSWORD}@h?no=1",
        f"redis://:{PASSWORD}@h:port", f"rediss+sentinel://:{PASSWORD}@a,b", f"dynamodb://u:{PASSWORD}@table",
        f"dynamodb://table?endpoint=https://u:{PASSWORD}@aws.example", f"dynamodb://table?{PASSWORD}=1", f"sqlite://{PASSWORD}",
        f"memory:{PASSWORD}", f"{PASSWORD}",
    ],
)  # fmt: skip
def test_no_error_and_no_traceback_repeats_what_the_url_says(url):
    try:
        open_store(url)
    except ConfigurationError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        while told.stack[0].name.startswith("test_"):
            del told.stack[0]  # this function knows the URL
        text = "".join(told.format())
        assert "ConfigurationError" in text
        assert PASSWORD not in text
    else:
        pytest.fail("this opens no store")


def test_a_store_loads_only_what_it_is_made_of():
    """Neither database nor client is imported by the package, and no store's by another."""
    code = """
import sys
from authkit.stores import open_store
heavy = ("sqlite3", "redis", "boto3", "botocore", "logging", "json", "asyncio")
assert not [name for name in heavy if name in sys.modules], [name for name in heavy if name in sys.modules]
open_store("memory:")
assert "sqlite3" not in sys.modules
open_store("sqlite:///never.db")
assert "sqlite3" in sys.modules and "botocore" not in sys.modules and "redis" not in sys.modules
open_store("dynamodb://table?region=eu-west-1")
assert "botocore" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
