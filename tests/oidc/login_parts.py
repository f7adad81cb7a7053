"""A provider that people log in at, as far as it concerns us; and a browser that keeps cookies.

with login_at() as op:                        # an `Issuer` with /authorize, /token, /userinfo and /end
    login = op.login(store=...)
    browser = Browser(login)
    browser.log_in(op)                         # start, the provider's answer, callback
    browser.get("/page")                       # a page behind require_auth(login.session)
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from authkit import Request, Response, current_principal, require_auth
from authkit.oidc import OIDCProvider
from tests.oidc.issuer import Issuer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authkit.oidc import Login

CLIENT, SECRET = "web", "a secret of the client, long enough"
KEY = "a key for sessions: 0123456789abcdefghijk"
SITE = "https://site.example"
BACK = f"{SITE}/callback"


class Clock:
    """Seconds that pass when they are told to; both clocks of one machine."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class LoginIssuer(Issuer):
    """`id_claims`, `said`: changes to the ID token, and to the answer of the token endpoint; `id_token`: to the signed one.
    `refused`: what the token endpoint answers instead. `token_forms`: what came there."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock=clock)
        self.says = {
            "authorization_endpoint": f"{self.base}/authorize?tenant=1",
            "token_endpoint": f"{self.base}/token",
            "userinfo_endpoint": f"{self.base}/userinfo",
            "end_session_endpoint": f"{self.base}/end",
            "authorization_response_iss_parameter_supported": True,
        }
        self.codes: dict[str, dict[str, str]] = {}
        self.subject = "alice"
        self.id_claims: dict[str, Any] = {}
        self.id_token: Callable[[str], str] = lambda token: token
        self.said: dict[str, Any] = {}
        self.refused: tuple[int, dict[str, Any]] | None = None
        self.token_forms: list[dict[str, str]] = []
        self.told: dict[str, Any] = {"sub": "alice", "name": "Alice"}
        self.pages = {"/token": self._token, "/userinfo": lambda *_: (200, self.told)}
        self.refreshed = 0

    def authorize(self, url: str, **changes: str | None) -> str:
        """Where a browser is sent back to that came to `url` and said yes; `changes` to what the answer says."""
        asked = dict(parse_qsl(urlsplit(url).query))
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.url, **changes}
        return f"{asked['redirect_uri']}?{urlencode({name: text for name, text in answer.items() if text is not None})}"

    def _token(self, method: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        form = dict(parse_qsl(body.decode()))
        self.token_forms.append(form)
        if self.refused is not None:
            return self.refused
        shown = headers.get("authorization", "")
        if shown != "Basic " + base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+').replace(',', '%2C')}".encode()).decode():
            return 401, {"error": "invalid_client"}
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != f"refresh-{self.refreshed}":
                return 400, {"error": "invalid_grant"}
            self.refreshed += 1
            return 200, self._tokens({}, self.id_claims)
        asked = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if asked is None or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant", "error_description": "<script>"}
        return 200, self._tokens(asked, {"nonce": asked.get("nonce"), "auth_time": int(self.clock()), **self.id_claims})

    def _tokens(self, asked: dict[str, str], claims: dict[str, Any]) -> dict[str, Any]:
        access = f"access-{self.refreshed}"
        said = {"sub": self.subject, "aud": CLIENT, "client_id": ..., "name": "Alice", "at_hash": at_hash(access), **claims}
        signed = self.id_token(self.forge({**self.header(), "typ": "JWT"}, self.claims(**said)))
        answer: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": signed}
        answer["refresh_token"] = f"refresh-{self.refreshed}"
        return {name: value for name, value in {**answer, **self.said}.items() if value is not ...}

    def login(self, **settings: Any) -> Login:
        provider = OIDCProvider(self.url, audience="https://api.example", clock=self.clock)
        usual = {"client_id": CLIENT, "client_secret": SECRET, "redirect_uri": BACK, "session_key": KEY, "clock": self.clock}
        usual["background"] = False
        return provider.login(**{**usual, "monotonic": self.clock, **settings})


def at_hash(token: str, name: str = "sha256") -> str:
    digest = hashlib.new(name, token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


@contextlib.contextmanager
def login_at(clock: Callable[[], float] | None = None) -> Iterator[LoginIssuer]:
    with LoginIssuer(clock or Clock()) as op:
        yield op


class Browser:
    """Follows nothing by itself, and keeps cookies as browsers do."""

    def __init__(self, login: Login, *logins: Login) -> None:
        self.logins = (login, *logins)
        self.cookies: dict[str, str] = {}
        self.lines: list[str] = []
        self.page = require_auth(*(one.session for one in self.logins))(_page)

    def send(self, handler: Any, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        sent = {"accept": "text/html,*/*;q=0.8", "host": "site.example", **{n.replace("_", "-"): v for n, v in headers.items()}}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer: Response = handler(Request.build(method, path, {name: text for name, text in sent.items() if text}, body))
        self.lines = answer.headers.get_all("set-cookie")
        for line in self.lines:
            name, _, rest = line.partition("=")
            value, _, rules = rest.partition("; ")
            if "Max-Age=0" in rules:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, path: str = "/page", **headers: str) -> Response:
        return self.send(self.page, "GET", path, **headers)

    def post(self, path: str = "/page", **headers: str) -> Response:
        return self.send(self.page, "POST", path, **headers)

    def start(self, path: str = "/login", login: Login | None = None, **headers: str) -> str:
        """Begin: where the browser is sent."""
        answer = self.send((login or self.logins[0]).app, "GET", path, **headers)
        assert answer.status == 303, answer.body
        return answer.headers["location"]

    def come_back(self, url: str, login: Login | None = None) -> Response:
        parts = urlsplit(url)
        return self.send((login or self.logins[0]).app, "GET", f"{parts.path}?{parts.query}")

    def log_in(self, op: LoginIssuer, return_to: str = "/page", login: Login | None = None) -> Response:
        url = self.start("/login?" + urlencode({"return_to": return_to}), login)
        return self.come_back(op.authorize(url), login)

    def whoami(self, **headers: str) -> str | int:
        """The subject whose session it is, or the status of a refusal."""
        answer = self.get(**headers)
        return str(json.loads(answer.body)["subject"]) if answer.status == 200 else answer.status

    @property
    def session(self) -> str:
        return self.cookies[self.logins[0].cookie_name]


def _page(request: Request) -> Response:
    principal = current_principal()
    assert principal is not None
    said = {"subject": principal.subject, "issuer": principal.issuer, "claims": principal.claims, "method": principal.method}
    return Response.json({**said, "scopes": sorted(principal.scopes), "roles": sorted(principal.roles)})
