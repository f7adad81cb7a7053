"""`ApiKeys.of`: keys that are secrets of the configuration, in each version of their rotation."""

from __future__ import annotations

import pytest

from authkit import ConfigurationError, InvalidToken, Unavailable
from authkit.apikeys import ApiKeys, StaticKeys
from authkit.errors import SecretUnavailable
from authkit.secrets import Secret, Secrets, SecretSource, SecretVersions
from authkit.testing import Clock

from .keys_contract import reason

A, B, C = "service-a-key-0123456789", "service-b-key-0123456789", "another-key-0123456789"
VALUES = (A, B, C)


class Place(SecretSource):
    """A place whose secrets a test changes."""

    def __init__(self, **values):
        self.values, self.fetched, self.down = values, 0, False

    def fetch(self, name):
        self.fetched += 1
        if self.down:
            raise SecretUnavailable("the place is down")
        return self.values[name]


def test_whoever_sends_a_configured_key_is_its_subject():
    keys = ApiKeys.of(
        {"service-a": Secret.of(A), "service-b": Secret.of(B)}, scopes=["orders:read"], roles={"service-b": ["admin"]}
    )
    a, b = keys.verify(A), keys.verify(B)
    assert isinstance(keys, StaticKeys)
    assert (a.subject, a.scopes, a.roles, a.method) == ("service-a", {"orders:read"}, frozenset(), "api_key")
    assert (b.subject, b.roles, b.claims) == ("service-b", {"admin"}, {"key_id": "service-b", "name": "service-b"})


def test_every_version_that_is_in_force_is_accepted():
    clock = Clock(1000.0)
    secret = Secret.of(SecretVersions(A, previous=B, pending=C, previous_until=2000.0), clock=clock)
    keys = ApiKeys.of({"service-a": secret})
    assert [keys.verify(value).subject for value in VALUES] == ["service-a"] * 3
    assert {version: used.count for version, used in secret.usage().items()} == {"current": 1, "previous": 1, "pending": 1}
    clock.now = 2000.0
    assert reason(keys.verify, B) == "api_key_unknown"
    assert keys.verify(C)


def test_a_subject_may_have_several_secrets():
    keys = ApiKeys.of({"service-a": [Secret.of(A), Secret.of(B)]})
    assert keys.verify(A) == keys.verify(B)


async def test_the_twins_do_the_same():
    keys = ApiKeys.of({"service-a": Secret.of(A)})
    assert (await keys.averify(A)).subject == "service-a"
    with pytest.raises(InvalidToken, match="api_key_unknown"):
        await keys.averify(B)


@pytest.mark.parametrize(
    "key",
    [None, b"x" * 20, "", A[:15], "\u00e9" * 20, "a key with a space in it", "x" * 1025, A + "\n", f"{A},{A}", "\ud800" * 20],
    ids=lambda key: ascii(key)[:16],
)  # fmt: skip
def test_what_no_header_can_carry_is_malformed_before_any_secret_is_read(key):
    """WHK-03: bytes above 0x7F reach no comparison."""
    place = Place(KEY=A)
    assert reason(ApiKeys.of({"service-a": Secrets(place)["KEY"]}).verify, key) == "api_key_malformed"
    assert place.fetched == 0


@pytest.mark.parametrize("key", [A[:-1], A + "0", A.upper(), "x" * 1024])
def test_another_key_is_unknown(key):
    assert reason(ApiKeys.of({"service-a": Secret.of(A)}).verify, key) == "api_key_unknown"


def test_a_key_that_was_rotated_a_moment_ago_is_looked_for_once_more():
    place, clock = Place(KEY=A), Clock()
    keys = ApiKeys.of({"service-a": Secrets(place, clock=clock, monotonic=clock)["KEY"]})
    assert keys.verify(A)
    place.values["KEY"] = B
    clock.now += 60
    assert keys.verify(B)
    fetched = place.fetched
    for _ in range(50):
        assert reason(keys.verify, C) == "api_key_unknown"
    assert place.fetched - fetched <= 1  # a flood of bad keys is no flood of fetches


def test_a_place_that_is_down_is_unavailable_and_never_a_refusal():
    place = Place(KEY=A)
    place.down = True
    with pytest.raises(Unavailable):
        ApiKeys.of({"service-a": Secrets(place)["KEY"]}).verify(A)


@pytest.mark.parametrize(
    "value", ["short", "x" * 1025, "a key with a space in it", "with,a,comma,in,the,middle", "\u00e9" * 20, b"\xff" * 20]
)
def test_a_value_that_no_request_can_carry_is_a_configuration_error(value):
    keys = ApiKeys.of({"service-a": Secret.of(value)})
    with pytest.raises(ConfigurationError, match=r"\(current\) is no API key") as raised:
        keys.verify(A)
    assert str(value) not in str(raised.value)


def test_two_subjects_with_one_value_are_a_configuration_error():
    keys = ApiKeys.of({"service-a": Secret.of(A), "service-b": Secret.of(SecretVersions(B, previous=A))})
    assert keys.verify(B).subject == "service-b"
    with pytest.raises(ConfigurationError, match="two subjects") as raised:
        keys.verify(A)
    assert A not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({}, {}), (None, {}), ({"a": A}, {}), ({"a": []}, {}), ({"": Secret.of(A)}, {}), ({5: Secret.of(A)}, {}),
        ({"a": [Secret.of(A), B]}, {}), (A, {}), ({"a": Secret.of(A)}, {"scopes": "orders:read"}),
        ({"a": Secret.of(A)}, {"roles": {"b": ["admin"]}}), ({"a": Secret.of(A)}, {"roles": {"a": "admin"}}),
        ({"a": Secret.of(A)}, {"scopes": [5]}),
    ],
    ids=range(12),
)  # fmt: skip
def test_a_wrong_argument_is_a_configuration_error_that_shows_no_value(given, options):
    with pytest.raises(ConfigurationError) as raised:
        ApiKeys.of(given, **options)
    assert not [value for value in VALUES if value in str(raised.value)]


def test_nothing_shows_a_value():
    keys = ApiKeys.of({"service-a": Secret.of(A)})
    assert repr(keys) == "<StaticKeys of service-a>"
    with pytest.raises(InvalidToken) as raised:
        keys.verify(B)
    assert B not in repr(raised.value)
