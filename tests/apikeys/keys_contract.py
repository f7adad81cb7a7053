"""What every table of API keys must do. Each implementation inherits a class and gives `keys`."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections import Counter

import pytest

from authkit import InvalidToken
from authkit.apikeys import ApiKey, ApiKeys
from tests.accounts.users_contract import in_threads

FULL = ApiKey(
    "AAAAAAAAAAAA",
    name="l\u00e0ptop",
    subject="17",
    digest="0f" * 32,
    scopes=["orders:read", 'a"b'],
    roles=["clerk"],
    created=1_700_000_000.123457,
    expires=1_800_000_000.5,
    last_used=1_700_003_600.0,
    disabled=True,
    prefix="acme_test",
    ttl=7_776_000.5,
)
PLAIN = ApiKey("BBBBBBBBBBBB", name="", subject="17", digest="a0" * 32, created=5.0)
OTHERWISE = {
    "name": "phone", "subject": "18", "digest": "00" * 32, "scopes": [], "roles": ["admin"], "created": 6.0, "expires": None,
    "last_used": None, "disabled": False, "prefix": "acme", "ttl": None,
}  # fmt: skip
NO_IDS = [None, "", "short", "AAAAAAAAAAAAA", "AAAAAAAAAAA_", "\u00e9" * 12, "\ud800" * 12, "AAAAAAAAAAA'", "x" * 100_000, 5]
NO_KEYS = {
    "id": "short", "name": None, "subject": "", "digest": "0F" * 32, "scopes": ["\ud800"], "roles": ["a\0"], "created": None,
    "expires": float("nan"), "last_used": "now", "disabled": 1, "prefix": "A-B", "ttl": 0,
}  # fmt: skip


def reason(call, *arguments):
    """Why a key is refused."""
    with pytest.raises(InvalidToken) as raised:
        call(*arguments)
    return raised.value.reason


class KeyTableContract:
    @pytest.fixture
    def keys(self):
        raise NotImplementedError

    def test_a_key_is_found_as_it_was_added(self, keys):
        assert keys.add(FULL) is True
        assert keys.add(PLAIN) is True
        assert keys.find(FULL.id) == FULL
        assert keys.find(PLAIN.id) == PLAIN
        assert keys.find("CCCCCCCCCCCC") is None

    def test_an_id_is_taken_once(self, keys):
        assert keys.add(FULL)
        assert keys.add(PLAIN.changed(id=FULL.id)) is False
        assert keys.find(FULL.id) == FULL

    def test_ids_differ_in_case(self, keys):
        assert keys.add(FULL)
        assert keys.find(FULL.id.lower()) is None
        assert keys.add(FULL.changed(id=FULL.id.lower())) is True

    @pytest.mark.parametrize("field", OTHERWISE)
    def test_an_update_puts_the_new_in_the_place_of_exactly_the_old(self, keys, field):
        other = FULL.changed(**{field: OTHERWISE[field]})
        keys.add(FULL)
        assert keys.update(other, PLAIN.changed(id=FULL.id)) is False
        assert keys.find(FULL.id) == FULL
        assert keys.update(FULL, other) is True
        assert keys.find(FULL.id) == other

    def test_an_update_adds_nothing_and_keeps_the_id(self, keys):
        assert keys.update(PLAIN, PLAIN.changed(disabled=True)) is False
        assert keys.find(PLAIN.id) is None
        keys.add(FULL)
        with pytest.raises(ValueError, match="id"):
            keys.update(FULL, FULL.changed(id=PLAIN.id))

    def test_what_is_removed_is_gone(self, keys):
        keys.add(FULL)
        keys.add(PLAIN)
        assert keys.remove(FULL.id) is True
        assert keys.find(FULL.id) is None
        assert keys.remove(FULL.id) is False
        assert keys.find(PLAIN.id) == PLAIN

    def test_keys_are_listed_by_id_a_page_at_a_time_of_one_subject_or_of_all(self, keys):
        ids = [letter * 12 for letter in "09AZaz"]
        for n, id in enumerate(reversed(ids)):
            keys.add(PLAIN.changed(id=id, subject="even" if n % 2 else "odd"))
        assert [key.id for key in keys.list()] == ids
        assert [key.id for key in keys.list("odd")] == ids[1::2]
        assert [key.id for key in keys.list("even", limit=2)] == ids[0:3:2]
        assert [key.id for key in keys.list("even", ids[2])] == [ids[4]]
        assert [key.id for key in keys.list(after=ids[3], limit=1)] == [ids[4]]
        assert keys.list(limit=0) == keys.list("nobody") == keys.list("\ud800") == keys.list(after=ids[-1]) == []

    @pytest.mark.parametrize("id", NO_IDS, ids=lambda id: ascii(id)[:12])
    def test_what_is_no_id_is_no_key(self, keys, id):
        keys.add(FULL)
        assert keys.find(id) is None
        assert keys.remove(id) is False
        assert keys.find(FULL.id) == FULL

    @pytest.mark.parametrize("field", NO_KEYS)
    def test_what_cannot_be_kept_is_a_value_error_that_names_the_field(self, keys, field):
        unfit = FULL.changed(**{field: NO_KEYS[field]})
        with pytest.raises(ValueError, match=f"the {field} of an API key"):
            keys.add(unfit)
        keys.add(FULL)
        if field != "id":
            with pytest.raises(ValueError, match=field):
                keys.update(FULL, unfit)
        assert keys.find(FULL.id) == FULL

    def test_of_all_who_change_one_key_at_once_exactly_one_does(self, keys):
        assert in_threads(lambda n: keys.add(PLAIN.changed(name=str(n)))) == {True: 1, False: 7}
        old = keys.find(PLAIN.id)
        assert in_threads(lambda n: keys.update(old, old.changed(last_used=float(n)))) == {True: 1, False: 7}

    def test_no_table_and_no_key_shows_a_digest_or_is_pickled(self, keys):
        """LOG-01, SEC-02."""
        keys.add(FULL)
        for shown in (repr(keys), repr(keys.find(FULL.id)), f"{FULL}", repr([FULL]), str(FULL.principal())):
            assert FULL.digest not in shown
        for thing in (keys, FULL):
            with pytest.raises(TypeError):
                pickle.dumps(thing)
        assert copy.deepcopy(FULL) == copy.copy(FULL) == FULL

    def test_a_key_lives_from_new_to_revoked(self, keys):
        api = ApiKeys(keys)
        made = api.new("alice", name="laptop", scopes=["orders:read"], roles=["clerk"])
        principal = api.verify(made.reveal())
        assert (principal.subject, principal.method, principal.claims) == (
            "alice", "api_key", {"key_id": made.id, "name": "laptop"},
        )  # fmt: skip
        api.revoke(made.id)
        assert reason(api.verify, made.reveal()) == "api_key_disabled"
        assert api.delete(made.id)
        assert reason(api.verify, made.reveal()) == "api_key_unknown"

    def test_a_revocation_is_not_lost_to_those_who_note_a_use(self, keys):
        """Each use is due to be noted; whoever revokes tries again."""
        api = ApiKeys(keys)
        made = api.new("alice")

        def at_once(n):
            if n == 0:
                api.revoke(made.id)
                return "revoked"
            try:
                return ApiKeys(keys, clock=lambda: 1e9 + 1e4 * n).verify(made.reveal()).subject
            except InvalidToken as error:
                return error.reason

        assert set(in_threads(at_once, 6)) <= {"revoked", "alice", "api_key_disabled"}
        assert keys.find(made.id).disabled
        assert reason(api.verify, made.reveal()) == "api_key_disabled"


# Opens the table, then does what a line says, at the same time as all others.
_SERVANT = """
import json, os, sys
from authkit.apikeys import *
keys = eval(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    action, id = json.loads(line)
    plain = ApiKey(id, name="", subject="s", digest="00" * 32, created=1.0)
    if action == "add":
        done = keys.add(plain.changed(name=str(os.getpid())))
    else:
        done = keys.update(plain, plain.changed(name=str(os.getpid())))
    print(json.dumps(done), flush=True)
"""


class SharedKeysContract(KeyTableContract):
    """For a table of several processes. `recipe`: a Python expression that opens the same one elsewhere."""

    rounds = 10

    @pytest.fixture
    def recipe(self):
        raise NotImplementedError

    @pytest.fixture
    def elsewhere(self, recipe):
        command = [sys.executable, "-c", _SERVANT, recipe]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        yield processes
        for process in processes:
            process.stdin.close()
        for process in processes:
            process.wait(10)
            process.stdout.close()

    def test_of_all_processes_one_adds_and_one_updates(self, keys, elsewhere):
        def ask(*what):
            for process in elsewhere:
                process.stdin.write(json.dumps(what) + "\n")
                process.stdin.flush()
            return Counter(json.loads(process.stdout.readline()) for process in elsewhere)

        for round_ in range(self.rounds):
            assert ask("add", f"A{round_:011}") == {True: 1, False: 2}
            keys.add(ApiKey(f"U{round_:011}", name="", subject="s", digest="00" * 32, created=1.0))
            assert ask("update", f"U{round_:011}") == {True: 1, False: 2}
            assert keys.find(f"U{round_:011}").name in {str(process.pid) for process in elsewhere}
