"""The demo's page, in a real browser: every guard is tried with real clicks, and what the reader is told is what happened."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LOOKS = Path(__file__).with_name("page_looks.js").read_text()
ALICE, GRACE = "correct horse battery staple", "amazing grace, 1906"
DESKTOP, PHONE = (1280, 900), (375, 812)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """The demo, as `make demo` starts it, without the tour."""
    command = [sys.executable, "-m", "examples.demo", "--no-tour", "--port", "0"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUTHKIT_")}
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1], env=clean, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = next((line.strip() for line in process.stdout if line.startswith("  http://")), "")
    assert url
    yield url
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield launched
        launched.close()


class Reader:
    """Somebody in front of the page, who presses buttons and reads."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("request", lambda request: self.asked.add(request.url))

    def _heard(self, kind: str, text: str) -> None:
        """Chromium reports each refusal that a reader asks for; all else is a defect, a breach of the policy above all."""
        refusal = re.fullmatch(r"Failed to load resource: the server responded with a status of 4\d\d \([A-Za-z ]+\)", text)
        if kind in ("error", "warning") and not refusal:
            self.complaints.append(text)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def result(self, name: str) -> Locator:
        """What stands below the button."""
        return self.page.locator(".try", has=self.button(name)).locator(".result")

    def press(self, name: str) -> str:
        """The decision as it is told, with its reason: "Refused 403 by allow_ips: address_refused"."""
        self.button(name).click()
        self.page.wait_for_function("() => !document.querySelector('[aria-busy=true]')")
        decision, *facts = self.result(name).locator(".decision").inner_text().split("\n")
        reason = re.search(r"\breason (\w+)", " ".join(facts))
        return decision.removesuffix(".") if reason is None else f"{decision.removesuffix('.')}: {reason[1]}"

    def log_in(self, name: str, password: str) -> str:
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(password)
        return self.press("Log in")

    def look(self, size: tuple[int, int], scheme: Scheme) -> None:
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.emulate_media(color_scheme=scheme)

    def who(self) -> str:
        return self.page.locator("#who").inner_text()


@pytest.fixture(scope="module")
def _reader(browser: Browser, service: str) -> Reader:
    return Reader(browser.new_page(), service)


@pytest.fixture
def reader(_reader: Reader) -> Iterator[Reader]:
    """One page for all tests; loaded anew it remembers nothing."""
    _reader.look(DESKTOP, "light")
    _reader.page.goto(_reader.url)
    yield _reader
    assert _reader.complaints == []
    assert {address for address in _reader.asked if not address.startswith(_reader.url)} == set()


def test_it_says_what_no_token_and_a_good_one_do(reader: Reader) -> None:
    assert reader.press("/public") == "Allowed 200"
    assert reader.press("/private without a token") == "Refused 401 by require_auth: no_credential"
    facts = r"GET /private · reason no_credential · \d+ µs in guards · [\d.]+ ms round trip"
    assert re.fullmatch(facts, reader.result("/public").locator(".facts").inner_text().replace("\xa0", " "))
    assert reader.press("/private with your token") == "Log in first: there is no token to send yet"
    assert reader.log_in("alice", ALICE) == "Allowed 200 by login"
    assert reader.who() == "Logged in as alice (reports:read)"
    assert reader.press("/private with your token") == "Allowed 200 by require_auth"
    assert reader.result("/public").locator(".why").inner_text() == "Hello, alice."


def test_a_wrong_password_logs_nobody_in(reader: Reader) -> None:
    assert reader.press("Wrong password") == "Refused 401 by login: password_wrong"
    assert reader.who() == "Nobody is logged in"


def test_a_name_can_be_registered_and_has_neither_scope_nor_role(reader: Reader) -> None:
    reader.page.get_by_label("User name").fill("zoë")
    reader.page.get_by_label("Password").fill("a long enough password")
    assert reader.press("Register") == "Allowed 201 by registration"
    assert reader.press("Register") == "Refused 409 by registration: username_taken"
    assert reader.press("Log in") == "Allowed 200 by login"
    assert reader.who() == "Logged in as zoë"
    assert reader.press("/reports, a scope") == "Refused 403 by require_scopes: scope_missing"
    assert reader.press("/admin, a role") == "Refused 403 by require_roles: role_missing"


def test_scope_and_role_are_of_who_has_them(reader: Reader) -> None:
    reader.log_in("alice", ALICE)
    assert reader.press("/reports, a scope") == "Allowed 200 by require_auth, require_scopes"
    assert reader.press("/admin, a role") == "Refused 403 by require_roles: role_missing"
    reader.log_in("grace", GRACE)
    assert reader.press("/reports, a scope") == "Refused 403 by require_scopes: scope_missing"
    assert reader.press("/admin, a role") == "Allowed 200 by require_auth, require_roles"


def test_a_second_factor_is_set_up_and_from_then_on_wanted(reader: Reader) -> None:
    assert reader.press("Send the code") == "Log in with the password first"
    reader.page.get_by_label("User name").fill("mia")
    reader.page.get_by_label("Password").fill("a long enough password")
    reader.press("Register")
    assert reader.press("/vault with your token") == "Refused 401 by require_auth: step_up_needed"
    assert reader.press("Set up the app") == "Allowed 200 by totp_confirm"
    assert reader.press("Log in again") == "Refused 401 by login: mfa_required"
    assert reader.press("Send the code") == "Allowed 200 by mfa"
    assert reader.press("/vault with your token") == "Allowed 200 by require_auth"


def test_a_hostile_token_is_refused_and_the_reason_told_to_the_reader_alone(reader: Reader) -> None:
    reader.log_in("alice", ALICE)
    bodies = set()
    for name, reason in (
        ("Forged: yours, made admin", "token_signature"),
        ('Unsigned: "alg": "none"', "token_key"),
        ("Expired", "token_expired"),
    ):
        assert reader.press(name) == f"Refused 401 by require_auth: {reason}"
        bodies.add(reader.result(name).locator(".side").nth(1).locator("pre").last.text_content())
    assert len(bodies) == 1


def test_an_address_is_the_socket_s_whatever_a_header_says(reader: Reader) -> None:
    assert reader.press("/office") == "Allowed 200 by deny_ips, allow_ips"
    assert reader.press("/branch") == "Refused 403 by allow_ips: address_refused"
    assert reader.press("/branch, “from 203.0.113.7”") == "Refused 403 by allow_ips: address_refused"
    reader.result("/branch").get_by_text("Request and response").click()
    assert reader.page.get_by_role("row", name="x-forwarded-for 203.0.113.7").is_visible()


def test_the_fourth_in_a_minute_is_one_too_many(reader: Reader) -> None:
    assert [reader.press("/limited")[:11] for _ in range(3)] == ["Allowed 200"] * 3
    assert reader.press("/limited") == "Refused 429 by rate_limit: rate_limited"
    reader.result("/limited").get_by_text("Request and response").click()
    assert reader.page.get_by_role("row", name=re.compile(r"^retry-after \d+$")).is_visible()


def test_a_webhook_is_handled_only_as_it_was_signed(reader: Reader) -> None:
    assert reader.press("Signed") == "Allowed 200 by verify_webhook"
    assert reader.press("One byte changed") == "Refused 401 by verify_webhook: signature_mismatch"
    assert reader.press("Not signed") == "Refused 401 by verify_webhook: signature_missing"


def test_a_refresh_token_that_is_used_again_ends_the_session(reader: Reader) -> None:
    assert reader.press("Refresh") == "Log in first: there is no refresh token yet"
    reader.log_in("alice", ALICE)
    assert reader.press("Use the old one again") == "Refresh first: no refresh token has been used yet"
    assert reader.press("Refresh") == "Allowed 200 by refresh"
    assert reader.press("/private with the last token") == "Allowed 200 by require_auth"
    reader.page.wait_for_timeout(1200)  # the overlap
    assert reader.press("Use the old one again") == "Refused 401 by refresh: refresh_reused"
    assert reader.press("Refresh") == "Refused 401 by refresh: refresh_unknown"
    assert reader.press("/private with the last token") == "Refused 401 by require_auth: token_revoked"


def test_after_the_logout_the_token_is_worth_nothing(reader: Reader) -> None:
    reader.log_in("alice", ALICE)
    assert reader.press("Log out") == "Allowed 204 by logout"
    assert reader.who() == "Nobody is logged in"
    assert reader.press("/private with the last token") == "Refused 401 by require_auth: token_revoked"


def test_a_service_that_does_not_answer_is_no_decision(reader: Reader) -> None:
    reader.page.route("**/public", lambda route: route.abort())
    assert reader.press("/public") == "The service did not answer. Is it still running?"
    reader.page.unroute("**/public")
    reader.complaints.clear()  # the browser says so as well
    assert reader.press("/public") == "Allowed 200"


def test_no_token_is_shown_in_full_unless_the_reader_unfolds_it(reader: Reader) -> None:
    reader.log_in("alice", ALICE)
    reader.press("/private with your token")
    access = reader.page.locator("#access").text_content() or ""
    assert access.count(".") == 2
    for unfolded in reader.page.locator(".result summary").all():
        if unfolded.is_visible():
            unfolded.click()
    shown = reader.page.locator("body").inner_text()
    assert access not in shown
    assert access.split(".")[2] not in shown
    assert ALICE not in reader.page.locator(".sides").first.inner_text()
    reader.page.get_by_text("Your tokens, in full").click()
    assert access in reader.page.locator("body").inner_text()


def test_what_the_audit_says_of_a_request_is_told_to_nobody_who_does_not_know_its_name(service: str) -> None:
    for name in ("0" * 32, "", "%2e%2e", "x" * 32):
        assert httpx.get(f"{service}demo/decisions/{name}", trust_env=False).status_code == 404


def test_the_page_allows_itself_nothing_from_elsewhere_and_nothing_inline(service: str) -> None:
    found = httpx.get(service, trust_env=False)
    policy = found.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "//" not in policy
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", found.text)
    assert found.headers["x-content-type-options"] == "nosniff"


def test_the_keyboard_alone_is_enough(reader: Reader) -> None:
    order = reader.page.evaluate(f"({LOOKS}).focusable()")
    reached: list[str] = []
    outlined: list[bool] = []
    for _ in order:
        reader.page.keyboard.press("Tab")
        name, outline = reader.page.evaluate(f"({LOOKS}).focused()")
        reached.append(name)
        outlined.append(outline)
    assert reached == order
    assert all(outlined)
    reader.page.get_by_label("Password").focus()
    reader.page.keyboard.type(ALICE)
    reader.page.keyboard.press("Enter")
    reader.page.get_by_text("Logged in as").wait_for()
    reader.button("/private with your token").focus()
    reader.page.keyboard.press("Space")
    reader.result("/public").get_by_text("Allowed 200").wait_for()
    assert reader.page.evaluate("document.activeElement.dataset.try") == "private"  # focus stays where it was


def test_it_can_be_read_at_any_width_in_light_and_dark(reader: Reader, tmp_path: Path) -> None:
    """Labels, headings, contrast (WCAG 2.2 AA), sizes of what is pressed, and no sideways scrolling."""
    reader.log_in("alice", ALICE)
    for name in ("/private with your token", "/admin, a role", "Expired", "/branch", "Signed", "Refresh"):
        reader.press(name)
    reader.result("/admin, a role").get_by_text("Request and response").click()
    reader.page.get_by_text("Your tokens, in full").click()
    for width, height in (DESKTOP, PHONE):
        for scheme in SCHEMES:
            reader.look((width, height), scheme)
            reader.page.evaluate("scrollTo(0, 0)")
            reader.page.screenshot(path=tmp_path / f"{width}-{scheme}.png", full_page=True)
            assert reader.page.evaluate(f"({LOOKS}).complaints()") == [], (width, scheme)


def test_the_watch_over_the_page_sees_a_breach_of_the_policy_and_what_is_hard_to_use(reader: Reader) -> None:
    reader.page.evaluate(
        "document.head.append(Object.assign(document.createElement('style'), {textContent: 'p { color: red }'}))"
    )
    assert ["Content Security Policy" in complaint for complaint in reader.complaints] == [True]
    reader.complaints.clear()
    assert reader.page.evaluate(f"({LOOKS}).complaints()") == []
    reader.page.evaluate("document.querySelector('h1').style.color = 'silver'")
    reader.page.evaluate("document.querySelector('label').remove()")
    assert reader.page.evaluate(f"({LOOKS}).complaints()") == ["no label: username", "hard to read, 1.74: h1 Try every guard"]
