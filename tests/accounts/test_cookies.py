"""Tokens in cookies: what a browser keeps, what no script reads, and what no other site can have sent."""

from __future__ import annotations

import pytest

from authkit import ConfigurationError, Request, Response, Tokens, Unavailable, require_auth
from authkit.accounts import Cookies, CookieTooLarge, User
from authkit.accounts.cookies import MOST_BYTES
from authkit.stores import MemoryStore

from .parts import FORM, KEY, ORIGIN, PASSWORD, SAME_SITE, Service, cookies_of, told, whole

LOGIN = {"username": "alice", "password": PASSWORD}


@pytest.fixture
def service():
    return Service(cookies=Cookies())


def kept(answer):
    """The `Cookie` header that a browser sends after this answer."""
    return "; ".join(f"{name}={value}" for name, (value, _) in cookies_of(answer).items())


def login(service, headers=SAME_SITE):
    return service.send("/login", LOGIN, headers)


def test_tokens_go_out_in_cookies_alone(service):
    answer = login(service)
    assert told(answer) == {"user": "alice", "expires_in": 900}
    cookies = cookies_of(answer)
    assert cookies.keys() == {"__Host-access", "__Host-refresh"}
    common = {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
    assert cookies["__Host-access"][1] == common | {"Max-Age=900"}
    assert cookies["__Host-refresh"][1] == common | {"Max-Age=2592000"}
    assert service.tokens.verify(cookies["__Host-access"][0]).subject == "alice"
    assert cookies["__Host-refresh"][0].encode() not in answer.body
    assert answer.headers["cache-control"] == "no-store"


def test_the_access_cookie_opens_a_guarded_handler(service):
    @require_auth(service.tokens, cookie=Cookies().access_name)
    def private(request: Request) -> Response:
        return Response(200, body=request.principal.subject)

    assert private(Request.build(headers={"cookie": kept(login(service))})).body == b"alice"


def test_a_session_in_a_browser(service):
    first = kept(login(service))
    assert told(service.send("/verify", headers={**SAME_SITE, "cookie": first})) == {"status": "valid", "user": "alice"}
    renewed = service.send("/refresh", headers={**SAME_SITE, "cookie": first})
    assert (renewed.status, told(renewed)) == (200, {"user": "alice", "expires_in": 900})
    second = kept(renewed)
    assert second != first
    out = service.send("/logout", headers={**SAME_SITE, "cookie": second})
    assert (out.status, out.body) == (204, b"")
    assert {(name, value) for name, (value, _) in cookies_of(out).items()} == {("__Host-access", ""), ("__Host-refresh", "")}
    assert all("Max-Age=0" in attributes and "Path=/" in attributes for _, attributes in cookies_of(out).values())
    assert service.send("/verify", headers={**SAME_SITE, "cookie": second}).status == 401
    assert service.send("/refresh", headers={**SAME_SITE, "cookie": second}).status == 401


def test_a_logout_without_cookies_clears_them_all_the_same(service):
    answer = service.send("/logout", headers=SAME_SITE)
    assert (answer.status, len(cookies_of(answer))) == (204, 2)


FORGED = [
    {},
    {"host": "api.example"},
    {"host": "api.example", "origin": "https://evil.example"},
    {"host": "api.example", "origin": "null"},
    {"host": "api.example", "origin": "https://api.example.evil.example"},
    {"host": "api.example", "sec-fetch-site": "cross-site"},
    {"host": "api.example", "sec-fetch-site": "same-site"},
    {"host": "api.example", "origin": "https://api.example", "sec-fetch-site": "cross-site"},
]


@pytest.mark.parametrize("headers", FORGED, ids=str)
def test_a_logout_that_another_site_has_sent_without_the_cookies_forgets_none(service, headers):
    """SameSite=Lax keeps them back, and a browser would still obey the Set-Cookie of the answer."""
    for body, kind in ((None, {}), (b"", FORM)):
        answer = service.send("/logout", body, {**headers, **kind})
        assert (answer.status, told(answer)["code"]) == (403, "csrf_failed")
        assert "set-cookie" not in answer.headers


def test_a_logout_with_the_access_cookie_alone_ends_the_session(service):
    pair = cookies_of(login(service))
    access = f"__Host-access={pair['__Host-access'][0]}"
    assert service.send("/logout", headers={**SAME_SITE, "cookie": access}).status == 204
    assert (
        service.send("/refresh", headers={**SAME_SITE, "cookie": f"__Host-refresh={pair['__Host-refresh'][0]}"}).status == 401
    )


@pytest.mark.parametrize("headers", FORGED, ids=str)
def test_what_another_site_may_have_sent_is_refused(service, headers):
    """PWD-14: login CSRF too. Nothing is set, nothing is ended."""
    good = kept(login(service))
    for path, body in (("/login", LOGIN), ("/refresh", None), ("/logout", None), ("/verify", None)):
        answer = service.send(path, body, {**headers, "cookie": good})
        assert (answer.status, told(answer)["code"]) == (403, "csrf_failed")
        assert "set-cookie" not in answer.headers
    form = b"username=alice&password=correct+horse"
    assert service.send("/login", form, {**headers, **FORM}).status == 403
    assert service.send("/verify", headers={**SAME_SITE, "cookie": good}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        SAME_SITE,
        {"host": "api.example", "sec-fetch-site": "same-origin"},
        {"host": "api.example", "origin": "https://app.example"},
        {"host": "api.example", "origin": "https://app.example", "sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_what_comes_from_here_or_from_a_listed_origin_is_served(headers):
    service = Service(cookies=Cookies(), cors=["https://app.example"])
    answer = login(service, headers)
    assert answer.status == 200
    assert service.send("/refresh", headers={**headers, "cookie": kept(answer)}).status == 200


def test_a_login_ends_the_session_that_the_browser_had(service):
    """ASVS 7.2.4; whoever left the browser open is logged out."""
    first = kept(login(service))
    second = kept(login(service, {**SAME_SITE, "cookie": first}))
    assert service.send("/verify", headers={**SAME_SITE, "cookie": first}).status == 401
    assert service.send("/verify", headers={**SAME_SITE, "cookie": second}).status == 200
    failed = service.send("/login", {**LOGIN, "password": "wrong"}, {**SAME_SITE, "cookie": second})
    assert failed.status == 401
    assert service.send("/verify", headers={**SAME_SITE, "cookie": second}).status == 200, "a wrong password ends nothing"
    refresh = second.partition("; ")[2]
    assert login(service, {**SAME_SITE, "cookie": f"{second}; {refresh}"}).status == 400


class Down(Tokens):
    """Its store fails when something is to be revoked."""

    down = False

    async def revoking(self, token):
        if self.down:
            raise Unavailable("down")
        await super().revoking(token)


def test_who_cannot_be_given_another_session_keeps_the_one_there_is():
    tokens = Down(KEY, issuer=ORIGIN, audience=ORIGIN, store=MemoryStore())
    service = Service(cookies=Cookies(), tokens=tokens)
    first = kept(login(service))
    tokens.down = True
    answer = login(service, {**SAME_SITE, "cookie": first})
    assert (answer.status, "set-cookie" in answer.headers) == (503, False)
    assert service.send("/verify", headers={**SAME_SITE, "cookie": first}).status == 200


def test_a_form_of_ones_own_page_logs_in(service):
    answer = service.send("/login", b"username=alice&password=correct+horse", {**SAME_SITE, **FORM})
    assert (answer.status, len(cookies_of(answer))) == (200, 2)


def test_two_credentials_are_400(service):
    """ADP-01."""
    answer = login(service)
    good, pair = kept(answer), cookies_of(answer)
    access, refresh = pair["__Host-access"][0], pair["__Host-refresh"][0]
    bearer = {"authorization": f"Bearer {access}"}
    for path, cookie, headers, body in (
        ("/refresh", f"{good}; __Host-refresh={refresh}", {}, None),
        ("/refresh", good, bearer, None),
        ("/refresh", good, {}, {"refresh_token": refresh}),
        ("/refresh", "", {}, {"refresh_token": refresh}),
        ("/logout", f"{good}; __Host-refresh={refresh}", {}, None),
        ("/logout", good, bearer, None),
        ("/logout", good, {}, {"refresh_token": refresh}),
        ("/verify", f"{good}; __Host-access={access}", {}, None),
        ("/verify", good, bearer, None),
        ("/verify", good, {}, {"token": access}),
    ):
        sent = service.send(path, body, {**SAME_SITE, "cookie": cookie, **headers})
        assert sent.status == 400, (path, sent.body)
    assert service.send("/refresh", {}, {**SAME_SITE, "cookie": good}).status == 200, "an empty object is no credential"


def test_without_a_cookie_there_is_no_session(service):
    answers = {
        whole(service.send("/refresh", headers={**SAME_SITE, "cookie": cookie})) for cookie in ("a=b", "__Host-refresh=x")
    }
    assert len(answers) == 1
    assert next(iter(answers))[0] == 401
    assert service.send("/verify", headers=SAME_SITE).status == 401


def test_a_failed_login_sets_nothing_and_is_the_same_for_every_cause(service):
    """PWD-02: cookies included."""
    service.accounts.register("disabled", PASSWORD)
    service.accounts.disable("disabled")
    service.users.add(User("passwordless"))
    service.users.add(User("mangled", password_hash="$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$x"))
    causes = [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("disabled", PASSWORD),
        ("disabled", "wrong"),
        ("passwordless", PASSWORD),
        ("mangled", PASSWORD),
        ("al\u200bice", PASSWORD),
        ("a" * 500, PASSWORD),
        ("alice", "x" * 5000),
        ("alice", "a\tb"),
    ]
    answers = {whole(service.send("/login", {"username": name, "password": word}, SAME_SITE)) for name, word in causes}
    assert len(answers) == 1
    ((status, _, headers),) = answers
    assert status == 401
    assert "set-cookie" not in dict(headers)


def test_cookies_of_ones_own():
    service = Service(cookies=Cookies(access_name="__Host-a", refresh_name="__Host-r", same_site="Strict"))
    cookies = cookies_of(login(service))
    assert cookies.keys() == {"__Host-a", "__Host-r"}
    assert all("SameSite=Strict" in attributes for _, attributes in cookies.values())


@pytest.mark.parametrize(
    "options",
    [
        {"access_name": "access"},
        {"access_name": "__Host-"},
        {"access_name": "__host-access"},
        {"access_name": "__Secure-access"},
        {"access_name": "__Host-a b"},
        {"access_name": "__Host-a;b"},
        {"access_name": "__Host-\u00e9"},
        {"access_name": "__Host-" + "a" * 65},
        {"refresh_name": None},
        {"refresh_name": "__Host-access"},
        {"same_site": "None"},
        {"same_site": "lax"},
    ],
    ids=str,
)
def test_wrong_cookies_are_refused_when_built(options):
    with pytest.raises(ConfigurationError, match="Cookies"):
        Cookies(**options)


def test_a_cookie_that_browsers_would_drop_is_an_error():
    cookies = Cookies()
    most = MOST_BYTES - len(cookies.access_name)
    assert cookies.line(cookies.access_name, "x" * most, 1)
    with pytest.raises(CookieTooLarge):
        cookies.line(cookies.access_name, "x" * (most + 1), 1)


def test_a_token_that_is_too_long_for_a_cookie_is_500_and_says_nothing(service, caplog):
    service.accounts.register("many", PASSWORD, roles=[f"role-{n}" for n in range(400)])
    answer = service.send("/login", {"username": "many", "password": PASSWORD}, SAME_SITE)
    assert (answer.status, told(answer)["code"]) == (500, "server_error")
    assert "set-cookie" not in answer.headers
    assert "fewer roles" in caplog.text
    assert "role-1" not in caplog.text


def test_what_is_no_cookies_is_refused():
    with pytest.raises(ConfigurationError, match="cookies"):
        Service(cookies=True)
