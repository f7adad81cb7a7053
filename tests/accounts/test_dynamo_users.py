"""`DynamoUsers`: the contract on two implementations of DynamoDB, and what is its own."""

from __future__ import annotations

import base64
import itertools
import json
import logging

import pytest

from authkit import ConfigurationError, Unavailable
from authkit.accounts import DynamoUsers, User
from authkit.accounts.dynamo_users import _packed
from authkit.stores import DynamoStore
from tests.servers.dynamo import between, dynalite, has_node

from .users_contract import FULL, OTHERWISE, OwnTableContract, SharedUsersContract, UserTableContract

_numbers = itertools.count()


def made(endpoint, **options):
    """Users in a table of their own."""
    name = f"users-{next(_numbers)}"
    DynamoUsers(name, endpoint=endpoint, timeout=30).create_table()  # however short the timeout that is tried
    return DynamoUsers(name, endpoint=endpoint, **{"timeout": 30, **options})


@pytest.fixture(scope="module")
def dynalite_server():
    with dynalite() as endpoint:
        yield endpoint


@pytest.fixture
def aws(moto):
    with between(moto) as server:
        yield server


@pytest.mark.skipif(not has_node(), reason="dynalite needs node and npm")
class TestOnDynalite(SharedUsersContract):
    rounds = 3

    @pytest.fixture
    def users(self, dynalite_server, aws_env):
        return made(dynalite_server)

    @pytest.fixture
    def recipe(self, users, dynalite_server):
        return f"DynamoUsers({users._table._name!r}, endpoint={dynalite_server!r}, timeout=30)"


class TestOnMoto:
    """What one caller sees. Two at a time are not for moto: it lets both in."""

    @pytest.fixture
    def users(self, aws):
        return made(aws.endpoint)

    test_found = UserTableContract.test_a_user_is_found_as_it_was_added
    test_taken = UserTableContract.test_a_name_is_taken_once_and_for_all
    test_names = UserTableContract.test_a_name_of_any_script_and_of_any_length_that_may_be
    test_update = UserTableContract.test_an_update_puts_the_new_in_the_place_of_the_old
    test_nobody = UserTableContract.test_an_update_adds_nobody
    test_subject = UserTableContract.test_a_subject_is_one_users_and_nobody_elses_name
    test_renamed = UserTableContract.test_a_renamed_user_keeps_a_subject_that_nobody_registers
    test_updated = OwnTableContract.test_nobody_is_given_the_subject_or_the_name_of_another_as_subject
    test_removed = UserTableContract.test_who_is_removed_is_gone_and_the_name_is_free
    test_listed = UserTableContract.test_users_are_listed_by_name_a_page_at_a_time

    @pytest.mark.parametrize("field", OTHERWISE)
    def test_another_by_now(self, users, field):
        UserTableContract.test_an_update_of_a_user_that_is_another_by_now_changes_nothing(self, users, field)


def test_a_store_may_have_the_same_table(aws):
    users = made(aws.endpoint)
    store = DynamoStore(users._table._name, endpoint=aws.endpoint, timeout=30)
    store.add("alice", 60, b"v")
    store.epoch()
    users.add(FULL)
    assert users.list() == [FULL]
    assert store.get("alice") == b"v"


def test_a_table_of_several_pages_is_listed_whole(aws):
    """DynamoDB answers a scan with at most 1 MB at a time."""
    users = made(aws.endpoint)
    names = [f"user{n}" for n in range(6)]
    for name in names:
        users.add(User(name, factors="x" * 300_000))
    assert [user.username for user in users.list()] == names
    assert aws.calls["Scan"] >= 2


def test_each_call_is_one_request_and_reads_are_consistent(aws):
    """Adding looks twice whether the name is somebody's subject: before it writes, and after."""
    users, plain = made(aws.endpoint), FULL.changed(subject="alice")
    aws.calls.clear()
    users.add(plain)
    assert aws.calls == {"PutItem": 1, "GetItem": 2}
    users.find("alice")
    assert aws.calls == {"PutItem": 1, "GetItem": 3}
    users.update(plain, plain.changed(disabled=False))
    users.remove("alice")
    assert aws.calls == {"PutItem": 2, "GetItem": 4, "DeleteItem": 1}


@pytest.mark.parametrize("before", ["user.alice", "user.5e0c7a54"])
def test_of_a_name_and_a_subject_that_are_added_at_once_one_is(aws, before):
    """`before`: the write that the other one comes in front of. Both may be refused; never are both there."""
    name = "5e0c7a54"
    users, other = made(aws.endpoint), {"user.alice": User(name), "user.5e0c7a54": User("alice", subject=name)}[before]
    put, between = users._table.put, []

    def slow(place, item, *rest):
        if place == before and not between:
            between.append(DynamoUsers(users._table._name, endpoint=aws.endpoint, timeout=30).add(other))
        return put(place, item, *rest)

    users._table.put = slow
    assert users.add(User("alice", subject=name) if before == "user.alice" else User(name)) is False
    assert between == [True]
    assert users.list() == [other]


def _row(**changed):
    fields = {"subject": "s", "password_hash": None, "roles": "[]", "scopes": "[]", "disabled": False}
    return json.dumps({**fields, "password_changed": None, "factors": None, **changed}).encode()


def test_no_log_shows_a_hash_at_any_level(aws, caplog):
    """LOG-01: at DEBUG botocore writes requests and answers as they are, but not ours."""
    caplog.set_level(logging.DEBUG)
    users = made(aws.endpoint)
    users.add(FULL)
    users.find("alice")
    users.update(FULL, FULL.changed(password_hash="$argon2id$other"))
    users.list()
    assert users.remove("alice")
    sent = base64.b64encode(json.dumps(_packed(FULL)).encode()).decode()
    assert len(caplog.records) > 10
    assert not [text for text in ("argon2id", "sealed", sent[:60], sent[60:]) if text in caplog.text]


class TestFaults:
    @pytest.mark.parametrize("method", ["find", "add", "update", "remove", "list"])
    @pytest.mark.parametrize("code", ["AccessDeniedException", "InternalServerError"])
    def test_what_cannot_be_asked_is_unavailable(self, aws, method, code):
        users = made(aws.endpoint, timeout=0.3)
        users.add(FULL)
        for action in ("GetItem", "PutItem", "DeleteItem", "Scan"):
            aws.fail(action, code)
        arguments = {
            "find": ("alice",),
            "add": (User("bob"),),
            "update": (FULL, User("alice")),
            "remove": ("alice",),
            "list": (),
        }
        with pytest.raises(Unavailable) as raised:
            getattr(users, method)(*arguments[method])
        assert "argon2" not in str(raised.value)
        aws.mend()
        assert made(aws.endpoint).find("alice") is None

    def test_a_right_that_is_not_there_is_named(self, aws):
        users = made(aws.endpoint)
        aws.fail("Scan", "AccessDeniedException")
        with pytest.raises(Unavailable, match="lacks dynamodb:Scan"):
            users.list()

    def test_what_was_done_though_the_answer_was_lost_is_told_as_done(self, aws):
        users = made(aws.endpoint)
        aws.drop("PutItem", times=1, after=True)
        assert users.add(FULL) is True
        aws.drop("PutItem", times=1, after=True)
        assert users.update(FULL, User("alice", password_hash="new")) is True
        assert users.find("alice") == User("alice", password_hash="new")
        aws.drop("DeleteItem", times=1, after=True)
        assert users.remove("alice") is True
        assert users.find("alice") is None

    def test_somebody_elses_change_is_not_taken_for_ours(self, aws):
        users, other = made(aws.endpoint), None
        users.add(FULL)
        other = DynamoUsers(users._table._name, endpoint=aws.endpoint, timeout=30)
        aws.fail("PutItem", "InternalServerError", times=1)
        assert users.add(User("alice")) is False
        assert other.find("alice") == FULL

    @pytest.mark.parametrize(
        "value",
        [
            None, "{}", b"", b"{", b"[]", b"{}", b"\xff", b"[" * 100_000,
            _row(subject=None), _row(subject=""), _row(password_hash=5), _row(roles=[]), _row(roles="admin"), _row(scopes=None),
            _row(disabled=None), _row(disabled="no"), _row(password_changed="now"), _row(password_changed=float("nan")),
        ],
        ids=range(18),
    )  # fmt: skip
    def test_an_item_that_nobody_can_have_meant_is_unavailable(self, aws, value):
        """PWD-07: nobody comes in by it, no exception of another kind comes out, and it can be removed."""
        users = made(aws.endpoint)
        item = {"pk": {"S": "user.alice"}, "o": {"B": b"1"}}
        if value is not None:
            item["v"] = {"S" if isinstance(value, str) else "B": value}
        users._table.client().put_item(TableName=users._table._name, Item=item)
        for call in (lambda: users.find("alice"), lambda: users.update(FULL, FULL), users.list):
            with pytest.raises(Unavailable, match="cannot be read"):
                call()
        assert users.add(FULL) is False
        assert users.remove("alice") is True


@pytest.mark.parametrize("wrong", [{"table": ""}, {"region": "Ireland"}, {"endpoint": "http://example.com"}, {"timeout": 0}])
def test_a_wrong_argument_is_a_configuration_error(wrong):
    with pytest.raises(ConfigurationError):
        DynamoUsers(**{"table": "table", **wrong})


def test_no_client_is_made_until_it_is_used():
    users = DynamoUsers("arn:aws:dynamodb:eu-west-1:123456789012:table/users")
    assert users._table._made is None
    assert repr(users) == "<DynamoUsers>"
