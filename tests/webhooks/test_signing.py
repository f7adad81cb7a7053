"""sign: the headers that a sender would send."""

from __future__ import annotations

import time
from typing import Any

import pytest

from authkit import webhooks
from authkit.errors import ConfigurationError
from authkit.secrets import Environment, Secret, Secrets, SecretVersions

STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_names_are_those_that_the_sender_uses() -> None:
    assert list(webhooks.sign("github", "s-1", b"")) == ["X-Hub-Signature-256"]
    assert list(webhooks.sign("github", "s-1", b"", id="72d3162e")) == ["X-Hub-Signature-256", "X-GitHub-Delivery"]
    assert list(webhooks.sign("stripe", "s-1", b"")) == ["Stripe-Signature"]
    assert list(webhooks.sign("standard-webhooks", STANDARD, b"")) == ["webhook-signature", "webhook-timestamp", "webhook-id"]


def test_the_time_is_now_and_the_id_is_a_new_one_unless_given() -> None:
    before = int(time.time())
    one, other = (webhooks.sign("standard-webhooks", STANDARD, b"") for _ in range(2))
    assert before <= int(one["webhook-timestamp"]) <= time.time()
    assert one["webhook-id"] != other["webhook-id"]
    given = webhooks.sign("standard-webhooks", STANDARD, b"", timestamp=5.9, id="m")
    assert (given["webhook-timestamp"], given["webhook-id"]) == ("5", "m")


def test_it_signs_with_the_current_value() -> None:
    assert webhooks.sign("github", Secret.of(SecretVersions("now-1", "old-1", "next-1")), b"x") == webhooks.sign(
        "github", "now-1", b"x"
    )
    assert webhooks.sign("github", Secrets(Environment({"A": "now-1"}))["A"], b"x") == webhooks.sign("github", b"now-1", b"x")


def test_during_a_rotation_it_signs_with_each_secret_where_there_is_room() -> None:
    headers = webhooks.sign("stripe", ["a-1", "b-2"], b"x", timestamp=5)
    assert headers["Stripe-Signature"].count("v1=") == 2
    for secret in ("a-1", "b-2"):
        assert webhooks.verify("stripe", secret, headers, b"x", now=5)
    assert webhooks.sign("github", ["a-1", "b-2"], b"x") == webhooks.sign("github", "a-1", b"x")


@pytest.mark.parametrize("id", ["", "a.b", "é", "a b\n", "x" * 257])
def test_an_id_that_nobody_could_read_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="cannot carry"):
        webhooks.sign("standard-webhooks", STANDARD, b"", id=id)


@pytest.mark.parametrize("timestamp", [-1, 10**16])
def test_a_time_that_nobody_could_read_is_refused(timestamp: int) -> None:
    with pytest.raises(ValueError, match="cannot carry"):
        webhooks.sign("stripe", "s-1", b"", timestamp=timestamp)


@pytest.mark.parametrize("secret", ["whsec_", "no base64", None])
def test_a_secret_that_is_no_key_is_refused(secret: Any) -> None:
    with pytest.raises(ConfigurationError):
        webhooks.sign("standard-webhooks", secret, b"")
