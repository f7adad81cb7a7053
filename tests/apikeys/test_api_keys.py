"""`ApiKeys`: who a key is for, why one is refused, how long an answer counts, and what each change does."""

from __future__ import annotations

import asyncio
import logging
import random
import threading

import pytest

from authkit import ConfigurationError, InvalidToken, Unavailable
from authkit.apikeys import ApiKey, ApiKeys, MemoryKeys, NewKey, SqliteKeys, UnknownKey
from authkit.testing import Clock

from .keys_contract import reason

NOW = 1_800_000_000.0
HOUR = 3600.0


class Counted:
    """A real table in a file, and how often it was asked."""

    def __init__(self, path):
        self.table = SqliteKeys(path, timeout=30)
        self.asked = []
        self.down = set()

    def __getattr__(self, name):
        def ask(*arguments):
            self.asked.append(name)
            if name in self.down:
                raise Unavailable("the table is down")
            return getattr(self.table, name)(*arguments)

        return ask


@pytest.fixture
def clock():
    return Clock(NOW)


@pytest.fixture
def table(tmp_path):
    counted = Counted(tmp_path / "keys.db")
    yield counted
    counted.table.close()


@pytest.fixture
def keys(table, clock):
    return ApiKeys(table, clock=clock, monotonic=clock)


@pytest.fixture
def memory(clock):
    return ApiKeys(MemoryKeys(), clock=clock, monotonic=clock)


def test_a_key_says_who_it_is_for(memory):
    made = memory.new("alice", name="laptop", scopes=["orders:read"], roles=["clerk"])
    principal = memory.verify(made.reveal())
    assert (principal.subject, principal.scopes, principal.roles) == ("alice", {"orders:read"}, {"clerk"})
    assert (principal.method, principal.issuer) == ("api_key", None)
    assert principal.claims == {"key_id": made.id, "name": "laptop"}


async def test_every_method_has_a_twin_that_does_the_same(keys):
    made = await keys.anew("alice", name="laptop", scopes=["a"], ttl=60)
    assert (await keys.averify(made.reveal())).scopes == {"a"}
    second = await keys.arotate(made.id, grace=10)
    assert {key.id for key in await keys.alist("alice")} == {made.id, second.id}
    assert (await keys.arevoke(second.id)).disabled
    assert await keys.arevoke_subject("alice") == 1
    assert await keys.adelete(made.id) is True
    assert await keys.alist() == [keys._table.find(second.id)]
    with pytest.raises(InvalidToken, match="api_key_disabled"):
        await keys.averify(second.reveal())


def test_a_subject_has_several_keys_and_each_is_its_own(memory):
    made = [memory.new("alice", name=str(n), scopes=[str(n)]) for n in range(3)]
    memory.revoke(made[1].id)
    assert [memory.verify(made[n].reveal()).scopes for n in (0, 2)] == [{"0"}, {"2"}]
    assert sorted(key.name for key in memory.list("alice")) == ["0", "1", "2"]
    assert memory.list("bob") == []


def test_why_a_key_is_refused(memory, clock):
    """The reasons are public API."""
    made = memory.new("alice", ttl=60)
    key = made.reveal()
    assert reason(memory.verify, key[:-1] + ("0" if key[-1] != "0" else "1")) == "api_key_malformed"
    assert reason(memory.verify, ApiKeys(MemoryKeys()).new("alice").reveal()) == "api_key_unknown"
    clock.now += 59.9
    assert memory.verify(key)
    clock.now += 0.1
    assert reason(memory.verify, key) == "api_key_expired"
    memory.revoke(made.id)
    assert reason(memory.verify, key) == "api_key_disabled"
    memory.delete(made.id)
    assert reason(memory.verify, key) == "api_key_unknown"


def test_the_id_of_a_key_with_another_secret_is_unknown():
    """Whoever saw an id, in a log say, has nothing."""
    table, generator = MemoryKeys(), random.Random(1)
    keys = ApiKeys(table, random=generator.randbytes)
    made = keys.new("alice")
    again = random.Random(1)
    drawn = iter([again.randbytes(32)])  # the same id, then another secret
    _, forged = keys._form.make(lambda count: next(drawn, b"\7" * count))
    assert forged()[3:15] == made.id
    assert reason(keys.verify, forged()) == "api_key_unknown"


def test_who_is_known_for_certain_is_named_for_the_log(memory):
    made = memory.new("alice")
    memory.revoke(made.id)
    with pytest.raises(InvalidToken) as raised:
        memory.verify(made.reveal())
    assert raised.value.subject == "alice"
    with pytest.raises(InvalidToken) as raised:
        memory.verify(ApiKeys(MemoryKeys()).new("alice").reveal())
    assert raised.value.subject is None


def test_a_typo_is_refused_without_io(keys, table):
    key = keys.new("alice").reveal()
    table.asked.clear()
    for wrong in ("", key[:-1], key[::-1], "ak_" + "A" * 48, "\u00e9" * 51):
        assert reason(keys.verify, wrong) == "api_key_malformed"
    assert table.asked == []


def test_a_key_is_shown_once_and_nowhere_else(keys, table, caplog):
    """LOG-01."""
    caplog.set_level(logging.DEBUG)
    made = keys.new("alice", name="laptop")
    key, secret = made.reveal(), made.reveal()[15:45]
    keys.verify(key)
    shown = [
        repr(made),
        str(made),
        f"{made}",
        repr(made.record),
        repr(keys),
        repr(keys.list()),
        repr(keys.verify(key)),
        caplog.text,
    ]
    for wrong in (key[:-1], key + "0"):
        with pytest.raises(InvalidToken) as raised:
            keys.verify(wrong)
        shown.append(repr(raised.value))
    assert not [text for text in shown if secret in text or made.record.digest in text]
    with pytest.raises(TypeError, match="pickled"):
        __import__("pickle").dumps(made)
    assert isinstance(made, NewKey)
    assert "reveal" in dir(made)
    assert not hasattr(keys.list()[0], "reveal")


class TestAnswers:
    def test_an_answer_of_a_table_that_blocks_counts_for_half_a_second(self, keys, table, clock):
        key = keys.new("alice").reveal()
        keys.verify(key)
        table.asked.clear()
        for _ in range(10):
            keys.verify(key)
            clock.now += 0.049
        assert table.asked == []
        clock.now += 0.02
        keys.verify(key)
        assert table.asked == ["find"]

    def test_a_key_revoked_in_another_process_is_refused_within_a_second(self, keys, table, clock, tmp_path):
        made = keys.new("alice")
        assert keys.verify(made.reveal())
        elsewhere = SqliteKeys(tmp_path / "keys.db", timeout=30)
        ApiKeys(elsewhere, clock=clock).revoke(made.id)
        elsewhere.close()
        clock.now += 0.5
        assert reason(keys.verify, made.reveal()) == "api_key_disabled"

    @pytest.mark.parametrize("how", ["revoke", "delete", "revoke_subject", "rotate"])
    def test_what_is_changed_here_counts_at_once_for_everybody_in_this_process(self, keys, table, clock, how):
        made = keys.new("alice")
        other = ApiKeys(table, clock=clock, monotonic=clock)
        assert other.verify(made.reveal())
        if how == "rotate":
            keys.rotate(made.id, grace=0)
        else:
            getattr(keys, how)("alice" if how == "revoke_subject" else made.id)
        expected = {"delete": "api_key_unknown", "rotate": "api_key_expired"}.get(how, "api_key_disabled")
        assert reason(other.verify, made.reveal()) == expected

    def test_an_answer_that_was_under_way_when_the_key_was_revoked_is_not_kept(self, clock, tmp_path):
        asked, go_on = threading.Event(), threading.Event()

        class Slow(SqliteKeys):
            slow = False

            def find(self, id):
                found = super().find(id)
                if Slow.slow:
                    Slow.slow = False
                    asked.set()
                    go_on.wait(10)
                return found

        keys = ApiKeys(Slow(tmp_path / "keys.db", timeout=30), clock=clock, monotonic=clock)
        made, seen = keys.new("alice"), []
        Slow.slow = True
        thread = threading.Thread(target=lambda: seen.append(keys.verify(made.reveal()).subject))
        thread.start()
        assert asked.wait(10)
        keys.revoke(made.id)
        go_on.set()
        thread.join()
        assert seen == ["alice"]  # it was good when it was asked
        assert reason(keys.verify, made.reveal()) == "api_key_disabled"

    def test_the_end_of_a_key_is_looked_at_each_time(self, keys, clock):
        key = keys.new("alice", ttl=0.3).reveal()
        assert keys.verify(key)
        clock.now += 0.3
        assert reason(keys.verify, key) == "api_key_expired"

    def test_what_is_kept_is_no_key(self, keys, table):
        made = [keys.new(f"user{n}") for n in range(20)]
        for each in made:
            keys.verify(each.reveal())
        kept = keys._answers._kept
        assert len(kept) == 20
        assert not [each for each in made if each.reveal() in str(kept)]

    def test_a_table_in_memory_is_asked_each_time(self, memory):
        table, made = memory._table, memory.new("alice", scopes=["a"])
        assert memory.verify(made.reveal()) is memory.verify(made.reveal())
        old = table.find(made.id)
        assert table.update(old, old.changed(scopes=["b"]))  # by somebody else
        assert memory.verify(made.reveal()).scopes == {"b"}
        table.remove(made.id)
        assert reason(memory.verify, made.reveal()) == "api_key_unknown"

    def test_bad_keys_are_not_kept(self, keys):
        stranger = ApiKeys(MemoryKeys())
        for _ in range(20):
            assert reason(keys.verify, stranger.new("mallory").reveal()) == "api_key_unknown"
        assert keys._answers._kept == {}

    def test_a_table_that_is_down_is_unavailable_and_never_a_refusal(self, keys, table, clock):
        made = keys.new("alice")
        table.down = {"find"}
        with pytest.raises(Unavailable):
            keys.verify(made.reveal())
        for call in (lambda: keys.revoke(made.id), lambda: keys.rotate(made.id)):
            with pytest.raises(Unavailable):
                call()
        table.down = set()
        assert keys.verify(made.reveal())

    async def test_a_table_that_blocks_is_asked_off_the_loop(self, tmp_path):
        threads = set()

        class Here(SqliteKeys):
            def find(self, id):
                threads.add(threading.current_thread())
                return super().find(id)

        keys = ApiKeys(Here(tmp_path / "keys.db", timeout=30))
        made = await keys.anew("alice")
        await asyncio.gather(*(keys.averify(made.reveal()) for _ in range(5)))
        assert threads
        assert threading.current_thread() not in threads


class TestUse:
    def test_a_use_is_noted_at_most_once_an_hour(self, keys, table, clock):
        made = keys.new("alice")
        assert made.record.last_used is None
        for _ in range(24):
            keys.verify(made.reveal())
            clock.now += HOUR / 8
        assert table.asked.count("update") == 3
        assert keys.list()[0].last_used == NOW + 2 * HOUR

    def test_a_use_is_noted_by_nobody_who_was_told_not_to(self, table, clock):
        keys = ApiKeys(table, track_use=False, clock=clock)
        keys.verify(keys.new("alice").reveal())
        assert keys.list()[0].last_used is None
        assert "update" not in table.asked

    def test_who_may_read_but_not_write_lets_in_and_tries_once_a_minute(self, keys, table, clock):
        made = keys.new("alice")
        table.down = {"update"}
        for _ in range(100):
            assert keys.verify(made.reveal())
            clock.now += 1.0
        assert table.asked.count("update") == 2

    def test_a_refused_key_is_not_used(self, keys, table, clock):
        made = keys.new("alice")
        keys.revoke(made.id)
        table.asked.clear()
        assert reason(keys.verify, made.reveal()) == "api_key_disabled"
        assert table.asked == ["find"]


class TestRotation:
    def test_both_keys_are_good_until_the_grace_is_over(self, keys, clock):
        old = keys.new("alice", name="laptop", scopes=["a"], roles=["r"])
        new = keys.rotate(old.id, grace=60)
        assert keys.verify(old.reveal()).scopes == keys.verify(new.reveal()).scopes == {"a"}
        assert (new.record.name, new.record.roles, new.record.expires) == ("laptop", {"r"}, None)
        clock.now += 60
        assert reason(keys.verify, old.reveal()) == "api_key_expired"
        assert keys.verify(new.reveal())

    def test_the_new_one_is_made_for_as_long_as_the_old_one_was(self, keys, clock):
        old = keys.new("alice", ttl=1000)
        clock.now += 900
        assert keys.rotate(old.id).record.expires == clock.now + 1000
        assert keys.list()[0].expires in (NOW + 1000, clock.now + 1000)
        assert reason_after(keys, old, clock, 100) == "api_key_expired"  # the grace makes no key longer

    def test_one_that_was_rotated_already_gives_a_successor_as_its_first_was(self, keys, clock):
        """Somebody lost the answer and asks again: the end that the grace has set is not how long the key was made for."""
        for ttl, later in ((None, None), (1000, 1000)):
            old = keys.new("alice", ttl=ttl)
            for _ in range(2):
                expires = keys.rotate(old.id, grace=60).record.expires
                assert expires == (None if later is None else clock.now + later)

    def test_a_successor_begins_as_the_key_before_it(self, table, clock):
        service, elsewhere = ApiKeys(table, prefix="acme", clock=clock), ApiKeys(table, clock=clock)
        assert service.verify(elsewhere.rotate(service.new("alice").id).reveal()).subject == "alice"

    def test_what_is_over_is_not_rotated(self, keys, clock):
        revoked, expired = keys.new("alice"), keys.new("alice", ttl=1)
        keys.revoke(revoked.id)
        clock.now += 1
        for made in (revoked, expired):
            with pytest.raises(ValueError, match="not rotated"):
                keys.rotate(made.id)
        assert len(keys.list()) == 2

    def test_a_key_that_is_revoked_while_it_is_rotated_leaves_no_successor(self, table, clock):
        keys = ApiKeys(table, clock=clock, monotonic=clock)
        made = keys.new("alice")
        add = table.table.add

        def added(key):
            done = add(key)
            ApiKeys(table.table, clock=clock).revoke(made.id)
            return done

        table.table.add = added
        with pytest.raises(ValueError, match="revoked"):
            keys.rotate(made.id)
        assert [key.id for key in keys.list()] == [made.id]

    def test_where_the_old_one_cannot_be_ended_there_is_no_new_one(self, keys, table):
        made = keys.new("alice")
        table.down = {"update"}
        with pytest.raises(Unavailable):
            keys.rotate(made.id)
        table.down = set()
        assert [key.id for key in keys.list()] == [made.id]
        assert keys.verify(made.reveal())


def reason_after(keys, made, clock, seconds):
    clock.now += seconds
    return reason(keys.verify, made.reveal())


def test_revoking_is_for_good_and_twice_is_once(keys):
    made = keys.new("alice")
    assert keys.revoke(made.id) == keys.revoke(made.id)
    assert keys.list()[0].disabled


def test_all_keys_of_a_subject_are_revoked_and_of_nobody_else(keys):
    mine, other = [keys.new("alice") for _ in range(3)], keys.new("bob")
    keys.revoke(mine[0].id)
    assert keys.revoke_subject("alice") == 2
    assert {reason(keys.verify, made.reveal()) for made in mine} == {"api_key_disabled"}
    assert keys.verify(other.reveal())
    assert keys.revoke_subject("carol") == 0


def test_a_table_of_many_is_listed_whole_and_revoked_whole(memory):
    made = {memory.new("alice").id for _ in range(1201)}
    other = memory.new("bob")
    assert [key.id for key in memory.list("alice")] == sorted(made)
    assert len(memory.list()) == 1202
    assert memory.revoke_subject("alice") == 1201
    assert {key.disabled for key in memory.list("alice")} == {True}
    assert not memory.list("bob")[0].disabled
    assert other.id == memory.list("bob")[0].id


def test_a_key_that_there_is_not_is_unknown(keys):
    for call in (keys.revoke, keys.rotate):
        for id in ("AAAAAAAAAAAA", "", "nonsense"):
            with pytest.raises(UnknownKey):
                call(id)
    assert keys.delete("AAAAAAAAAAAA") is False


@pytest.mark.parametrize(
    "wrong",
    [{"subject": ""}, {"subject": None}, {"subject": "\ud800"}, {"name": None}, {"scopes": [5]}, {"roles": ["\0"]}, {"ttl": 0},
     {"ttl": -1}, {"ttl": float("nan")}, {"ttl": float("inf")}, {"ttl": "60"}, {"ttl": True}],
    ids=str,
)  # fmt: skip
def test_what_no_table_can_keep_is_a_value_error(memory, wrong):
    with pytest.raises(ValueError):  # the message names the field, whichever it is
        memory.new(**{"subject": "alice", **wrong})
    assert memory.list() == []


@pytest.mark.parametrize("grace", [-1, float("nan"), None, True, "60"])
def test_a_grace_is_a_number_of_seconds(memory, grace):
    made = memory.new("alice")
    with pytest.raises(ValueError, match="grace"):
        memory.rotate(made.id, grace=grace)
    assert len(memory.list()) == 1


def test_an_id_that_is_taken_is_drawn_again_and_a_generator_that_is_stuck_is_unavailable():
    drawn = iter([b"\1" * 32, b"\2" * 32, b"\1" * 32, b"\3" * 32, b"\4" * 32, b"\5" * 32])
    keys = ApiKeys(MemoryKeys(), random=lambda count: next(drawn))
    first, second = keys.new("alice"), keys.new("bob")
    assert first.id != second.id
    stuck = ApiKeys(MemoryKeys(), random=bytes)
    stuck.new("alice")
    with pytest.raises(Unavailable, match="random"):
        stuck.new("bob")


@pytest.mark.parametrize("table", [None, MemoryKeys, {}, "sqlite:///keys.db"])
def test_what_is_no_table_is_a_configuration_error(table):
    with pytest.raises(ConfigurationError, match="table of keys"):
        ApiKeys(table)


def test_a_subclass_that_checks_more_is_asked(clock):
    class Office(ApiKeys):
        def verify(self, key):
            principal = super().verify(key)
            if principal.subject == "mallory":
                raise InvalidToken("not_here")
            return principal

    keys = Office(MemoryKeys(), clock=clock)
    with pytest.raises(InvalidToken, match="not_here"):
        asyncio.run(keys.averify(keys.new("mallory").reveal()))


def test_a_table_of_one_s_own_needs_find_alone_to_verify():
    kept: dict[str, ApiKey] = {}

    class Mine:
        def find(self, id):
            return kept.get(id)

    made = ApiKeys(MemoryKeys()).new("alice")
    kept[made.id] = made.record
    assert ApiKeys(Mine(), track_use=False).verify(made.reveal()).subject == "alice"
