"""Somebody with a real browser, at sites that people log in to and at a real provider's own pages."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.servers.oidc_provider import OidcProviderServer
    from tests.servers.sites import Site

PATIENCE = 30_000  # milliseconds
LOOPBACK = re.compile(r"^https?://(127\.0\.0\.1|localhost):|^data:")


class Visitor:
    """Somebody with one browser and as many tabs as they like. `complaints`: what the browser said of our pages."""

    def __init__(self, browser: Browser, op: OidcProviderServer, place: Path, **settings: Any) -> None:
        self.context: BrowserContext = browser.new_context(**settings)
        self.context.set_default_timeout(PATIENCE)
        self.context.route(lambda url: not LOOPBACK.match(url), lambda route: route.fulfill(body="", content_type="text/css"))
        self.context.on("console", lambda said: self._heard(said.type, said.text, said.page))
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.issuer = op.issuer
        self.place = place
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page = self.tab()
        self.since = time.monotonic()

    def _heard(self, kind: str, text: str, page: Page | None) -> None:
        """That a script was answered 401 is part of the story; all else is a defect, a breach of the policy above all."""
        told = re.fullmatch(
            r"Failed to load resource: the server responded with a status of (400|401|503) \([A-Za-z ]+\)", text
        )
        if kind in ("error", "warning") and not told and page is not None and not page.url.startswith(self.issuer):
            self.complaints.append(text)

    def tab(self) -> Page:
        return self.context.new_page()

    def log_in(self, name: str = "alice", page: Page | None = None) -> None:
        """At the provider's own pages, from the form to the last consent."""
        page = page or self.page
        self.name_at_provider(name, page)
        self.consent(page)
        self.since = time.monotonic()

    def name_at_provider(self, name: str, page: Page) -> None:
        page.wait_for_selector("input[name=login]")
        page.fill("input[name=login]", name)
        page.fill("input[name=password]", "anything")
        page.click("button[type=submit]")

    def consent(self, page: Page) -> None:
        page.wait_for_url(lambda url: not url.startswith(self.issuer) or "/interaction/" in url)
        if page.url.startswith(self.issuer):
            page.get_by_role("button", name="Continue").click()
            page.wait_for_url(lambda url: not url.startswith(self.issuer))

    def who(self, page: Page | None = None) -> str | None:
        """Whose name the page shows; None: nobody's."""
        found = (page or self.page).locator("#who")
        return found.inner_text() if found.count() and found.is_visible() else None

    def cookies(self, site: Site) -> list[Any]:
        """Those of the site; the provider's, on this machine, have names that begin with one underscore."""
        return [cookie for cookie in self.context.cookies(site.url) if not re.match("_[a-z]", cookie.get("name", ""))]

    def picture(self, name: str, page: Page | None = None) -> None:
        (page or self.page).screenshot(path=self.place / f"{name}.png", full_page=True)

    def asked_to_log_in(self) -> int:
        """How often the browser was at the provider's authorization endpoint."""
        return sum(url.startswith(self.issuer + "/auth?") for url in self.asked)


@contextmanager
def visiting(browser: Browser, op: OidcProviderServer, place: Path, **settings: Any) -> Iterator[Visitor]:
    found = Visitor(browser, op, place, **settings)
    try:
        yield found
        assert found.complaints == []
    finally:
        found.context.close()


def certificate(place: Path) -> tuple[Path, Path]:
    """The paths of a key, and of a certificate of its own making for localhost."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    own = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (place / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *own))
    (place / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return place / "key.pem", place / "cert.pem"
