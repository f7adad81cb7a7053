"""What is damaged, lost or set wrongly lets nobody in without the factor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import ConfigurationError
from authkit.accounts import Accounts, SecondFactor, totp
from authkit.secrets import Secret, SecretVersions

from .parts import FORM, JSON, PASSWORD, Service, cheap, tokens_of
from .second import NO_LIMIT, SECRET, Second, put


@pytest.fixture
def one():
    return Second()


@pytest.fixture
def enrolled(one):
    one.recovery_codes = one.enrol()
    return one


@pytest.mark.parametrize("factors", ["", "x", "s1.", "s1.AAAA.BBBB", "s2.AAAA.BBBB", "{}", "null", "é" * 50])
def test_a_row_that_cannot_be_opened_is_503_and_no_login(enrolled, factors):
    token = enrolled.ask()
    put(enrolled, factors)
    for answer in (enrolled.login(), enrolled.answer(enrolled.code(), token)):
        assert (answer.status, b"access_token" in answer.body) == (503, False)


def test_a_row_that_was_copied_to_another_user_is_503(enrolled):
    enrolled.accounts.register("bob", PASSWORD)
    put(enrolled, enrolled.row().factors, "bob")
    assert enrolled.login("bob").status == 503


def test_a_secret_that_was_lost_is_503_and_gives_no_try_back(enrolled):
    other = SecondFactor("another secret to seal factors with, 32 bytes", issuer="Example")
    enrolled.accounts = Accounts(
        enrolled.users, enrolled.tokens, cheap(), store=enrolled.store, clock=enrolled.clock, second_factor=other
    )
    assert enrolled.login().status == 503


def test_where_the_setting_was_forgotten_a_factor_still_counts(enrolled):
    enrolled.accounts = Accounts(enrolled.users, enrolled.tokens, cheap(), store=enrolled.store, clock=enrolled.clock)
    assert enrolled.login().status == 503


def test_after_a_rotation_old_rows_open_and_are_sealed_anew_by_a_login(enrolled):
    def under(*versions):
        factor = SecondFactor(Secret.of(SecretVersions(*versions)), issuer="Example")
        enrolled.accounts = Accounts(
            enrolled.users, enrolled.tokens, cheap(), store=enrolled.store, clock=enrolled.clock, second_factor=factor
        )

    new = "the next secret to seal factors with, 32 bytes"
    under(new, SECRET)
    enrolled.strong()
    under(new)
    enrolled.strong()
    under(SECRET)
    assert enrolled.login().status == 503


def test_the_key_and_the_codes_are_not_in_the_row(enrolled):
    """ASVS 6.5.2."""
    row = enrolled.row()
    assert enrolled.key.hex() not in row.factors.encode().hex()
    for hidden in (totp.as_text(enrolled.key), *enrolled.recovery_codes):
        assert hidden not in row.factors
    assert row.factors not in repr(row)


def test_a_table_that_changes_nobody_is_refused_at_construction():
    class Own:
        def find(self, username):
            return None

        def add(self, user):
            return True

    with pytest.raises(ConfigurationError, match="update"):
        Accounts(Own(), tokens_of(), cheap(), second_factor=SecondFactor(SECRET, issuer="Example"))


NO_SETTINGS = (
    ("seal", ""), ("seal", None), ("seal", "short"), ("seal", 5), ("issuer", "A:B"), ("issuer", ""), ("digits", 5),
    ("algorithm", "MD5"), ("required", 1), ("send_code", "mail"), ("send_link", 5), ("window", 2), ("window", True),
    ("max_age", 0), ("max_age", "300"), ("limits", "often"), ("limits", ()), ("sends", "5"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value"), NO_SETTINGS)
def test_a_setting_that_is_none_is_refused_by_name(name, value):
    settings = {"seal": SECRET, "issuer": "Example", name: value}
    with pytest.raises(ConfigurationError, match="limit" if name in ("limits", "sends") else name):
        SecondFactor(settings.pop("seal"), **settings)


def test_accounts_takes_nothing_else_for_one():
    with pytest.raises(ConfigurationError, match="second_factor"):
        Service(second_factor=True)


def test_other_algorithms_and_lengths_log_in_too():
    one = Second(factor={"algorithm": "SHA256", "digits": 8})
    token = one.pair()["access_token"]
    one.begin(token)
    assert len(one.key) == 32
    code = lambda: totp.code_at(one.key, totp.step_at(one.clock()), digits=8, algorithm="SHA256")  # noqa: E731
    assert one.post("/mfa/totp/confirm", {"code": code()}, token).status == 200
    one.clock.advance(30)
    assert one.answer(code()).status == 200


PATHS = ["/mfa", "/mfa/totp", "/mfa/totp/confirm", "/mfa/totp/remove", "/mfa/recovery"]


def test_no_text_gets_in_or_raises_anything_of_its_own():
    """Whatever stands for a token and a code, in any body."""
    one = Second(factor=NO_LIMIT)
    one.enrol()
    token = one.ask()

    @given(st.text(max_size=50), st.text(max_size=50), st.booleans())
    def check(code, other, real):
        body = {"mfa_token": token if real else other, "code": code}
        assert one.post("/mfa", body).status in (400, 401) or code.replace(" ", "") in (one.code(off) for off in (-1, 0, 1))
        assert one.post("/mfa/totp/confirm", body).status in (400, 401)
        assert one.post("/mfa/totp", {"mfa_token": other}).status in (400, 401)

    @given(
        st.binary(max_size=200),
        st.sampled_from(["/mfa", "/mfa/totp", "/mfa/totp/confirm", "/mfa/totp/remove", "/mfa/recovery"]),
    )
    def check_bytes(body, path):
        for kind in (JSON, FORM):
            assert one.send(path, body, kind).status in (400, 401)

    check()
    check_bytes()
