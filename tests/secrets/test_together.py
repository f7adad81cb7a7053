"""Several secrets in one question: what one call brings is not asked for again, and prefetch asks ahead of time."""

from __future__ import annotations

import threading
import time

import pytest

from authkit.errors import SecretNotFound
from authkit.secrets import SecretVersions

from .counted import Clocks, Document, Source, secrets_of, settled


def test_one_call_brings_every_name_that_was_handed_out() -> None:
    source, clocks = Document(A="a", B="b", C="c", D="d"), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    a, b, c = secrets["A"], secrets["B"], secrets["C"]
    assert (b.reveal(), a.reveal(), c.reveal()) == ("b", "a", "c")
    assert source.calls == [(["B", "A", "C"], True)]
    for _ in range(4):
        clocks.pass_(250)
        assert (a.reveal(), b.reveal(), c.reveal()) == ("a", "b", "c")
        settled()
    assert len(source.calls) == 5, "one round in each TTL"


def test_other_versions_are_asked_for_once_somebody_wants_them() -> None:
    versions = SecretVersions("a", "z", None, 2_000_000.0)
    source, clocks = Document(A=versions, B="b"), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    secret = secrets["A"]
    assert secret.reveal() == "a"
    assert secret.versions() is versions
    assert secret.versions() is versions
    assert secret.reveal() == "a"
    secrets.refresh()
    assert secret.reveal() == "a"
    assert secret.versions() is versions
    assert [current_only for _, current_only in source.calls] == [True, False, False]


def test_a_source_of_one_method_answers_in_full() -> None:
    versions = SecretVersions("a", "z", None, 2_000_000.0)
    source, clocks = Source(A=versions), Clocks()
    secret = secrets_of(source, clocks=clocks)["A"]
    assert secret.reveal() == "a"
    assert secret.versions() is versions
    assert source.asked == ["A"]


def test_who_wants_another_name_of_a_call_under_way_waits_for_that_call() -> None:
    source, clocks = Document(A="a", B="b"), Clocks()
    source.gate = threading.Event()
    secrets = secrets_of(source, clocks=clocks)
    found: list[str] = []
    handles = [secrets["A"], secrets["B"]]
    readers = [threading.Thread(target=lambda one=one: found.append(one.reveal())) for one in handles]  # type: ignore[misc]
    readers[0].start()
    while not source.asked:
        time.sleep(0.001)
    readers[1].start()
    readers[1].join(0.05)
    source.gate.set()
    for reader in readers:
        reader.join(10)
    assert sorted(found) == ["a", "b"]
    assert len(source.calls) == 1


def test_who_wants_another_name_of_a_call_that_does_not_bring_it_asks_for_it() -> None:
    source, clocks = Document(B="b"), Clocks()
    source.gate = threading.Event()
    secrets = secrets_of(source, clocks=clocks)
    found: list[object] = []
    a, b = secrets["A"], secrets["B"]

    def missing() -> None:
        with pytest.raises(SecretNotFound):
            a.reveal()
        found.append("missing")

    readers = [threading.Thread(target=missing), threading.Thread(target=lambda: found.append(b.reveal()))]
    readers[0].start()
    while not source.asked:
        time.sleep(0.001)
    readers[1].start()
    source.gate.set()
    for reader in readers:
        reader.join(10)
    assert sorted(map(str, found)) == ["b", "missing"]


# Ahead of time


def test_prefetch_has_every_name_that_was_handed_out_at_hand_with_all_versions() -> None:
    source, clocks = Source(A="a", B=SecretVersions("b", "y", None, 2_000_000.0)), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    a, b = secrets["A"], secrets["B"]
    secrets.prefetch()
    assert source.asked == ["A", "B"]
    assert (a.reveal(), b.matches("y")) == ("a", True)
    secrets.prefetch()
    assert source.asked == ["A", "B"]


async def test_aprefetch_is_prefetch_and_takes_one_call_where_one_call_is_enough() -> None:
    source, clocks = Document(A="a", B=SecretVersions("b", "y", None, 2_000_000.0), C="c"), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    handles = [secrets[name] for name in "ABC"]
    await secrets.aprefetch()
    assert source.calls == [(["A", "B", "C"], False)]
    assert [handle.versions().current for handle in handles] == ["a", "b", "c"]
    plain = Source(A="a", B="b")
    secrets = secrets_of(plain, clocks=clocks)
    assert secrets["A"] != secrets["B"]
    await secrets.aprefetch()
    assert sorted(plain.asked) == ["A", "B"]


def test_prefetch_tries_all_and_raises_what_failed_first() -> None:
    source, clocks = Source(C="c"), Clocks()
    secrets = secrets_of(source, clocks=clocks)
    handles = [secrets[name] for name in ("A", "B", "C")]
    with pytest.raises(SecretNotFound, match="the secret A"):
        secrets.prefetch()
    assert source.asked == ["A", "B", "C"]
    assert handles[2].reveal() == "c"
