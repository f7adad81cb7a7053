"""Codes of authenticator apps: the published vectors, each step once, and nothing but ASCII digits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import ConfigurationError
from authkit.accounts import totp

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "one-time-codes" / "codes.json").read_text())["cases"]
KEY = b"12345678901234567890"  # of RFC 6238
NOW = 1_111_111_109.0
CODE = "081804"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_published_code_comes_out(case):
    step = case["counter"] if "counter" in case else totp.step_at(case["time"])
    key = case["key"].encode()
    assert totp.code_at(key, step, digits=case["digits"], algorithm=case["algorithm"]) == case["code"]
    if "time" in case:
        options = {"digits": case["digits"], "algorithm": case["algorithm"]}
        assert totp.matching(key, case["code"], case["time"], **options) == step


@pytest.mark.parametrize(("off", "admitted"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_code_is_good_one_step_to_either_side(off, admitted):
    assert (totp.matching(KEY, CODE, NOW + off) is not None) is admitted


def test_without_a_window_it_is_good_in_its_own_step_alone():
    assert [totp.matching(KEY, CODE, NOW + off, window=0) is not None for off in (-30, 0, 30)] == [False, True, False]


def test_a_step_is_good_once_and_none_before_it_is_good_after_it():
    step = totp.step_at(NOW)
    assert totp.matching(KEY, CODE, NOW, last=step - 1) == step
    assert totp.matching(KEY, CODE, NOW, last=step) is None
    assert totp.matching(KEY, totp.code_at(KEY, step - 1), NOW, last=step) is None
    assert totp.matching(KEY, totp.code_at(KEY, step + 1), NOW, last=step) == step + 1


@pytest.mark.parametrize("typed", ["081 804", " 081804 ", "0 8 1 8 0 4"])
def test_spaces_as_apps_show_them_do_not_matter(typed):
    assert totp.matching(KEY, typed, NOW) == totp.step_at(NOW)


NO_CODES = (
    "", " ", "81804", "0081804", "+81804", "-81804", "08_804", "081804\n", "081804\0", "０８１８０４", "٠٨١٨٠٤", "081\u00a0804",
    "\ud800" * 6, "0818 04" + " " * 20, "081804.0", "0x81804", "08180²",
)  # fmt: skip


@pytest.mark.parametrize("typed", NO_CODES)
def test_what_is_not_that_many_ascii_digits_is_no_code(typed):
    assert totp.typed(typed) is None
    assert totp.matching(KEY, typed, NOW) is None


@given(st.text(max_size=20), st.floats(min_value=0, max_value=1e11))
def test_no_text_raises_or_admits_unless_it_is_the_code(typed, now):
    step = totp.matching(KEY, typed, now)
    assert step is None or totp.code_at(KEY, step) == typed.replace(" ", "")


def test_before_the_first_step_there_is_no_code():
    assert totp.matching(KEY, totp.code_at(KEY, 0), 5) == 0
    assert totp.matching(KEY, CODE, -1e9) is None


@pytest.mark.parametrize(("algorithm", "size"), [("SHA1", 20), ("SHA256", 32), ("SHA512", 64)])
def test_a_key_is_as_long_as_the_hash(algorithm, size):
    asked = []
    key = totp.new_key(lambda count: asked.append(count) or bytes(count), algorithm)
    assert (asked, len(key)) == ([size], size)


def test_the_uri_is_the_one_of_the_published_format():
    """The examples of google/google-authenticator, wiki/Key-Uri-Format."""
    from base64 import b32decode

    assert totp.as_text(b"Hello!\xde\xad\xbe\xef") == "JBSWY3DPEHPK3PXP"
    assert totp.uri(b"Hello!\xde\xad\xbe\xef", issuer="Example", account="alice@google.com") == (
        "otpauth://totp/Example:alice@google.com?secret=JBSWY3DPEHPK3PXP&issuer=Example"
    )
    key = b32decode("HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ")
    assert totp.uri(key, issuer="ACME Co", account="john.doe@email.com") == (
        "otpauth://totp/ACME%20Co:john.doe@email.com?secret=HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ&issuer=ACME%20Co"
    )


@given(st.text(min_size=1, max_size=40).filter(lambda name: name.isprintable()))
def test_no_name_adds_a_parameter_to_the_uri(account):
    from urllib.parse import parse_qsl, unquote, urlsplit

    parts = urlsplit(totp.uri(KEY, issuer="A&secret=B", account=account, digits=8, algorithm="SHA256"))
    assert unquote(parts.path) == f"/A&secret=B:{account}"
    assert dict(parse_qsl(parts.query, strict_parsing=True)) == {
        "secret": totp.as_text(KEY), "issuer": "A&secret=B", "algorithm": "SHA256", "digits": "8"
    }  # fmt: skip
    assert parts.fragment == ""


UNFIT = [
    *(("issuer", value) for value in ("", " ", "A:B", "A\n", "x" * 65, None)),
    *(("digits", value) for value in (5, 9, True, "6")),
    *(("algorithm", value) for value in ("MD5", "sha1", None, ["SHA1"])),
]


@pytest.mark.parametrize(("name", "value"), UNFIT)
def test_settings_that_no_app_has_are_refused(name, value):
    with pytest.raises(ConfigurationError, match=name):
        totp.settled(**{"issuer": "Example", "digits": 6, "algorithm": "SHA1", name: value})
