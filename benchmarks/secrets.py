"""Reading a secret that is at hand, and fifty threads that want one that is not; a source of 20 ms stands in for AWS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from authkit.secrets import Secrets, SecretSource

from ._table import Row, Table, Target
from ._timing import added, calls, nothing

VALUE = "benchmark-3f8a1c5e9d7b2046"
BUDGET = 0.3  # µs for a cached read; not scaled by the floor, so a slow machine is no excuse
THREADS = 50


class Slow(SecretSource):
    """A source that takes as long as a call to AWS may."""

    def __init__(self) -> None:
        self.calls = 0

    def fetch(self, name: str) -> str:
        self.calls += 1
        time.sleep(0.02)
        return VALUE


class Client:
    """As much of a Secrets Manager client as the peers ask for."""

    def __init__(self) -> None:
        self.calls = 0

    def get_secret_value(self, **_: Any) -> dict[str, Any]:
        self.calls += 1
        time.sleep(0.02)
        return {"ARN": "arn", "Name": "A", "SecretString": VALUE, "VersionId": "v", "VersionStages": ["AWSCURRENT"]}

    def describe_secret(self, **_: Any) -> dict[str, Any]:
        self.calls += 1
        return {"ARN": "arn", "Name": "A", "VersionIdsToStages": {"v": ["AWSCURRENT"]}}


def by_hand() -> tuple[Callable[[], Any], Client]:
    """A value and when it expires, as people write it."""
    client, kept = Client(), {}

    def get(name: str = "A") -> Any:
        found = kept.get(name)
        if found is None or time.time() >= found[1]:
            found = kept[name] = (client.get_secret_value(SecretId=name)["SecretString"], time.time() + 300)
        return found[0]

    return get, client


def powertools() -> tuple[Callable[[], Any], Client]:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

    client = Client()
    provider = SecretsProvider(boto3_client=client)  # type: ignore[arg-type]
    return lambda: provider.get("A", max_age=300), client


def aws_caching() -> tuple[Callable[[], Any], Client]:
    from aws_secretsmanager_caching import SecretCache

    client = Client()
    cache = SecretCache(client=client)
    return lambda: cache.get_secret_string("A"), client


PEERS = {"dictionary with a time, by hand": by_hand}
if find_spec("aws_lambda_powertools"):
    PEERS["Powertools for AWS Lambda, parameters"] = powertools
if find_spec("aws_secretsmanager_caching"):
    PEERS["aws-secretsmanager-caching"] = aws_caching


def tables(seconds: float) -> list[Table]:
    return [_cached(seconds), _cold()]


def _cached(seconds: float) -> Table:
    table, wall, ticks = {"A": VALUE}, time.time, time.monotonic

    def floor() -> Any:
        return table["A"], wall(), ticks()

    secret = Secrets(Slow())["A"]
    versions = secret.versions()
    ours: dict[str, Callable[[], Any]] = {
        "secret.reveal()": secret.reveal,
        "secret.versions()": secret.versions,
        "secret.note_use()": lambda: secret.note_use("current"),
        "secret.matches()": lambda: secret.matches(VALUE),
    }
    peers = {name: make()[0] for name, make in PEERS.items()}
    for name, call in {"ours": secret.reveal, **peers}.items():
        if call() != VALUE or secret.versions() is not versions:
            raise AssertionError(name)
    subjects = {**ours, **peers, "dictionary and two clocks": floor}
    base = calls(nothing)
    found = added({name: (calls(call), base) for name, call in subjects.items()}, seconds=seconds, count=2000)
    roles: dict[str, Any] = {**dict.fromkeys(peers, "peer"), "dictionary and two clocks": "floor"}
    rows = [Row(name, found.us(name), roles.get(name, "ours")) for name in found]
    targets = [
        *(Target(f"{name}, µs", found.us(name), BUDGET) for name in ("secret.reveal()", "secret.versions()")),
        Target("secret.reveal() / dictionary and two clocks", found.ratio("secret.reveal()", "dictionary and two clocks"), 2.0),
    ]
    return Table("Secrets: a value at hand", rows, targets)


def _cold() -> Table:
    source = Slow()
    secret = Secrets(source)["A"]
    _all_at_once(secret.reveal)
    rows = [Row("authkit", source.calls)]
    for name, make in PEERS.items():
        get, client = make()
        _all_at_once(get)
        rows.append(Row(name, client.calls, "peer"))
    target = Target("authkit, calls", source.calls, 1)
    return Table(f"Secrets: {THREADS} threads want one that is not at hand", rows, [target], "calls")


def _all_at_once(read: Callable[[], Any]) -> None:
    ready = threading.Barrier(THREADS)

    def reads() -> None:
        ready.wait()
        read()

    threads = [threading.Thread(target=reads) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
