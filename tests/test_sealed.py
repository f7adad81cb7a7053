"""What is sealed opens for its purpose and its subject, under the versions of its secret, and for nobody else."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import ConfigurationError, Unavailable
from authkit._run import run
from authkit._sealed import Seal, Unsealable
from authkit.secrets import Secret, Secrets, SecretVersions
from authkit.testing import Clock
from tests.vault import Vault

ONE = "the first secret to seal with, long enough"
TWO = "the second secret to seal with, long enough"
DATA = b"what is in there"


def keys_of(current=ONE, previous=None, pending=None):
    return run(Seal(Secret.of(SecretVersions(current, previous, pending))).load())


def test_what_is_sealed_opens():
    text = keys_of().seal("factors", "alice", DATA)
    assert keys_of().open("factors", "alice", text) == DATA
    assert text.isascii()
    assert DATA.decode() not in text


def test_the_same_data_is_another_text_each_time():
    keys = keys_of()
    assert len({keys.seal("factors", "alice", DATA) for _ in range(50)}) == 50


def test_a_row_copied_to_another_user_does_not_open():
    text = keys_of().seal("factors", "alice", DATA)
    with pytest.raises(Unsealable):
        keys_of().open("factors", "bob", text)


@pytest.mark.parametrize(
    ("purpose", "subject"), [("enrol", "alice"), ("factor", "salice"), ("factors", "alic"), ("", "factorsalice")]
)
def test_nor_for_another_purpose(purpose, subject):
    text = keys_of().seal("factors", "alice", DATA)
    with pytest.raises(Unsealable):
        keys_of().open(purpose, subject, text)


def test_every_changed_character_is_seen():
    keys = keys_of()
    text = keys.seal("factors", "alice", DATA)
    for at in range(len(text)):
        for char in "A-":
            if text[at] != char:
                with pytest.raises(Unsealable):
                    keys.open("factors", "alice", text[:at] + char + text[at + 1 :])
    for cut in range(len(text)):
        with pytest.raises(Unsealable):
            keys.open("factors", "alice", text[:cut])


@given(st.text(max_size=200))
def test_no_text_of_a_table_raises_anything_else(text):
    with pytest.raises(Unsealable):
        keys_of().open("factors", "alice", text)
    assert not keys_of().matches("code", "alice", "123456", text)


def test_after_a_rotation_the_previous_value_still_opens_and_the_current_one_seals():
    old = keys_of(ONE).seal("factors", "alice", DATA)
    rotated = keys_of(TWO, previous=ONE)
    assert rotated.open("factors", "alice", old) == DATA
    assert not rotated.is_current(old)
    new = rotated.seal("factors", "alice", DATA)
    assert rotated.is_current(new)
    assert keys_of(TWO).open("factors", "alice", new) == DATA
    with pytest.raises(Unsealable):
        keys_of(TWO).open("factors", "alice", old)


def test_who_has_not_seen_the_rotation_opens_what_the_pending_value_sealed():
    text = keys_of(TWO, previous=ONE).seal("factors", "alice", DATA)
    assert keys_of(ONE, pending=TWO).open("factors", "alice", text) == DATA


def test_a_secret_that_was_rotated_meanwhile_is_read_again():
    vault, clock = Vault(SecretVersions(ONE)), Clock()
    seal = Seal(Secrets(vault, ttl=300, clock=clock)["SEAL"])
    before = run(seal.load())
    vault.rotate(TWO)
    clock.advance(60)
    again = run(seal.look_again(before))
    assert again.open("factors", "alice", keys_of(TWO).seal("factors", "alice", DATA)) == DATA
    assert run(seal.look_again(again)) is None


def test_a_mac_knows_its_code_again_for_its_subject_and_purpose():
    keys = keys_of()
    mac = keys.mac("code", "alice", "123456")
    assert "123456" not in mac
    assert keys.matches("code", "alice", "123456", mac)
    assert keys_of(TWO, previous=ONE).matches("code", "alice", "123456", mac)
    assert not keys.matches("code", "alice", "123457", mac)
    assert not keys.matches("code", "bob", "123456", mac)
    assert not keys.matches("other", "alice", "123456", mac)
    assert not keys_of(TWO).matches("code", "alice", "123456", mac)


@pytest.mark.parametrize("secret", ["brief", "x" * 31, "your-256-bit-secret", b"\1" * 31])
def test_a_secret_that_is_no_key_is_refused_when_it_is_a_literal(secret):
    with pytest.raises(ConfigurationError, match="seal") as caught:
        Seal(Secret.of(secret))
    assert str(secret) not in str(caught.value)


def test_a_previous_value_that_is_no_key_is_left_out():
    keys = keys_of(ONE, previous="short")
    assert keys.open("factors", "alice", keys_of().seal("factors", "alice", DATA)) == DATA


def test_that_it_does_not_open_is_a_failure_and_no_refusal():
    assert issubclass(Unsealable, Unavailable)


def test_neither_key_nor_data_is_in_what_is_shown():
    """LOG-01."""
    secret = Secret.of(ONE)
    seal = Seal(secret)
    keys = run(seal.load())
    text = keys.seal("factors", "alice", DATA)
    with pytest.raises(Unsealable) as caught:
        keys.open("factors", "bob", text)
    assert caught.value.__context__ is None
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    for value in (seal, keys, keys._current):
        shown += repr(value) + str(value) + format(value)
    assert ONE not in shown
    assert keys._current.derive(b"cipher\0").hex() not in shown
    assert DATA.decode() not in shown
