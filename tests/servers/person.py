"""Somebody in front of the real provider's pages, without a browser: follows where it is sent, and fills in the forms."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import httpx

if TYPE_CHECKING:
    from types import TracebackType

STEPS = 30


class Person:
    """`login`: the subject that they have at the provider. Cookies are kept, as a browser keeps them."""

    def __init__(self, login: str = "alice") -> None:
        self.login = login
        self.client = httpx.Client(timeout=30, trust_env=False)

    def go(self, url: str, until: str, *, cancels: bool = False) -> str:
        """From `url` on to the first address that begins with `until`, which is not asked for. `cancels`: says no there."""
        for _ in range(STEPS):
            if url.startswith(until):
                return url
            answer = self.client.get(url)
            if answer.status_code == 200:
                answer = self._filled(answer, cancels)
            assert answer.is_redirect, (answer.status_code, answer.text[:500])
            url = urljoin(url, answer.headers["location"])
        raise AssertionError(f"{url} leads nowhere in {STEPS} steps")

    def _filled(self, page: httpx.Response, cancels: bool) -> httpx.Response:
        if cancels:
            found = re.search(r'href="([^"]*/abort)"', page.text)
            assert found is not None, page.text
            return self.client.get(urljoin(str(page.url), html.unescape(found[1])))
        form = re.search(r'<form[^>]*action="([^"]+)"', page.text)
        assert form is not None, page.text
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        if 'name="login"' in page.text:
            fields |= {"login": self.login, "password": "x"}
        return self.client.post(urljoin(str(page.url), html.unescape(form[1])), data=fields)

    def __enter__(self) -> Person:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.client.close()
