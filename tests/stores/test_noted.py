"""Noted keys in memory, beside a plain dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from authkit.stores import MemoryStore

from .parts import Clock

KEYS = st.sampled_from("abcd")
VALUES = st.sampled_from([b"", b"1", b"2"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("get"), KEYS),
        st.tuples(st.just("add"), KEYS, st.integers(1, 20), VALUES),
        st.tuples(st.just("swap"), KEYS, VALUES | st.none(), VALUES | st.none(), st.integers(1, 20)),
        st.tuples(st.just("sleep"), st.integers(0, 10)),
    ),
    max_size=80,
)


@given(STEPS)
def test_notes_are_what_a_dictionary_with_times_would_hold(steps):
    clock = Clock(1000.0)
    store, plain = MemoryStore(clock=clock), {}
    for what, *rest in steps:
        plain = {key: (until, value) for key, (until, value) in plain.items() if until > clock.now}
        if what == "sleep":
            clock.sleep(rest[0])
        elif what == "get":
            assert store.get(rest[0]) == plain.get(rest[0], (0, None))[1]
        elif what == "add":
            key, ttl, value = rest
            assert store.add(key, ttl, value) == (key not in plain)
            plain.setdefault(key, (clock.now + ttl, value))
        else:
            key, old, new, ttl = rest
            fits = plain.get(key, (0, None))[1] == old
            assert store.swap(key, old, new, ttl) == fits
            if fits:
                plain.pop(key, None)
                if new is not None:
                    plain[key] = (clock.now + ttl, new)
    assert len(store._noted) >= len([until for until, _ in plain.values() if until > clock.now])
