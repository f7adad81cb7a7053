"""What all endpoints of a login have in common: a browser gets a page, and its address leads nowhere else."""

from __future__ import annotations

from urllib.parse import quote

from .._recorded import Recorded
from ..errors import RequestError
from ..http import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .._state import State
    from ..decision import Deny
    from ..endpoint import Answer
    from ..http import Request

_BACK = "oidc login: back to"  # what `on_the_way` keeps
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body><main><h1>{title}</h1><p>{text}</p><p><a href="{start}">Log in again</a></p></main></body></html>
"""
_TEXTS = {
    400: ("The login did not succeed", "It took too long, was begun in another browser, or was tried twice."),
    401: ("You are not logged in", "The login was not completed."),
    403: ("This was not asked for here", "The request came from another site, and nothing was done."),
    503: ("Please try again in a moment", "The login cannot be completed just now."),
}


class Served(Recorded):
    """An endpoint of a login.

    `start`: the path to which a page of a refusal links, with the way that the person was on (`on_the_way`).
    """

    def __init__(self, fn: Callable[[Request], Answer], *, name: str, start: str, methods: tuple[str, ...] = ("GET",)) -> None:
        super().__init__(fn, name=name, methods=methods)
        self._start = start

    def _finish(self, request: Request, response: Response, refused: Deny | None, state: State) -> None:
        response.headers.setdefault("referrer-policy", "no-referrer")  # a code in our address is for nobody else
        if refused is not None and refused.respond is None and wants_page(request):
            self._show(response, (state.kept or {}).get(_BACK, "/"))

    def _show(self, response: Response, back: str) -> None:
        """Make a page of a refusal. Nothing in it is from the request, but for the link's path on this site."""
        texts = _TEXTS.get(response.status)
        if texts is not None:
            from html import escape

            start = escape(start_from(self._start, back))
            response.body = _PAGE.format(title=texts[0], text=texts[1], start=start).encode()
            response.headers["content-type"] = "text/html; charset=utf-8"
            response.headers["content-security-policy"] = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
            response.headers["x-content-type-options"] = "nosniff"


def on_the_way(request: Request, back: str) -> None:
    """Note where the person of this request was going, a path on this site: a refusal's page leads there by another login."""
    state = request.state
    if state is not None:
        state.kept = {**(state.kept or {}), _BACK: back}


def start_from(start: str, back: str) -> str:
    """Where a login begins that comes back to `back`, a path on this site."""
    return start if back == "/" else f"{start}?return_to={quote(back, safe='/')}"


def wants_page(request: Request) -> bool:
    """Whether a person in a browser waits for the answer: it accepts HTML, and navigates where the browser says so."""
    try:
        headers = request.headers
    except RequestError:
        return False
    if headers.get("sec-fetch-mode", "navigate") != "navigate" or headers.get("x-requested-with") is not None:
        return False
    return any(part.partition(";")[0].strip().lower() == "text/html" for part in headers.get("accept", "")[:2048].split(","))


def redirect(location: str, cookies: list[str]) -> Response:
    """303 (RFC 9110 section 15.4.4): the browser goes there with GET, whatever it came with."""
    response = Response(303, {"location": location, "cache-control": "no-store"})
    for line in cookies:
        response.headers.add("set-cookie", line)
    return response
