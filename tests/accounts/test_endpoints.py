"""`accounts.login` and `accounts.verify`: what they answer, and that no body confuses them."""

from __future__ import annotations

import asyncio
import json
import threading
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authkit import InvalidToken, Request, Tokens, require_auth
from authkit.accounts import Accounts, MemoryUsers, PasswordHasher
from authkit.secrets import Secrets, SecretVersions
from authkit.stores import MemoryStore
from tests.vault import Vault

from .conftest import KEY
from .test_accounts import NOBODY

JSON = {"content-type": "application/json"}


def post(endpoint, body, headers=JSON, method="POST"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return endpoint(Request.build(method, "/", headers, raw, "203.0.113.5"))


def login(accounts, username="alice", password="correct horse"):
    return post(accounts.login, {"username": username, "password": password})


def test_a_login_gives_an_access_token(accounts, tokens):
    answer = login(accounts, " ALICE ")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    found = json.loads(answer.body)
    token = found.pop("access_token")
    assert found.pop("refresh_token")
    assert found == {"user": "alice", "token_type": "Bearer", "expires_in": 900}
    principal = tokens.verify(token)
    assert (principal.subject, principal.roles, principal.scopes) == ("alice", {"admin"}, {"reports:read"})


def test_the_token_opens_a_guarded_handler(accounts, tokens):
    @require_auth(tokens)
    def private(request: Request):
        from authkit import Response

        return Response(200, body=request.principal.subject)

    token = json.loads(login(accounts).body)["access_token"]
    assert private(Request.build(headers={"authorization": f"Bearer {token}"})).body == b"alice"


def test_every_failure_is_the_same_answer(accounts):
    """PWD-02: byte for byte."""
    causes = [(username, password) for username, password, _ in NOBODY if username]
    causes += [
        ("mangled", "correct horse"),
        ("alice", "x" * 5000),
        ("alice", "a\tb"),
        ("unknown", "x" * 5000),
        ("a" * 500, "x"),
    ]
    answers = {
        (answer.status, answer.body, tuple(answer.headers.items())) for answer in (login(accounts, *cause) for cause in causes)
    }
    assert len(causes) >= 8
    assert len(answers) == 1
    ((status, body, headers),) = answers
    assert status == 401
    assert json.loads(body)["code"] == "invalid_credentials"
    assert dict(headers)["www-authenticate"] == 'Bearer realm="api"'
    assert dict(headers)["content-type"] == "application/problem+json"


NOT_JSON = [
    b"",
    b" ",
    b"null",
    b"true",
    b"5",
    b'"alice"',
    b"[]",
    b'["alice","correct horse"]',
    b"{}",
    b"{",
    b"nope",
    b"username=alice&password=correct+horse",
    b'{"username":"alice"}',
    b'{"password":"correct horse"}',
    b'{"username":"alice","password":"correct horse","admin":true}',
    b'{"username":"alice","password":"correct horse","password":"correct horse"}',
    b'{"username":"alice","password":"correct horse","passw\\u006frd":"correct horse"}',
    b'{"username":["alice"],"password":"correct horse"}',
    b'{"username":"alice","password":5}',
    b'{"username":"alice","password":null}',
    b'{"username":{"$ne":null},"password":{"$gt":""}}',
    b'{"username":true,"password":"correct horse"}',
    b'{"username":"","password":""}',
    b'{"username":"alice\\u0000","password":"correct horse"}',
    b'{"username":"alice","password":"correct\\u0000horse"}',
    b'{"username":"alice","password":"\\ud800"}',
    b'{"username":"\\udfff","password":"x"}',
    b'{"Username":"alice","Password":"correct horse"}',
    b'\xef\xbb\xbf{"username":"alice","password":"correct horse"}',
    '{"username":"alice","password":"correct horse"}'.encode("utf-16"),
    b'{"username":"alice","password":"\xff"}',
    b'{"username":"alice","password":"\x00"}',
    b'{"username":"alice","password":"correct horse"}x',
    b'{"username":"alice","password":"correct horse"}{}',
    b'{"username":NaN,"password":"x"}',
    b'{"username":1e999,"password":"x"}',
    b'{"username":' + b"9" * 5000 + b',"password":"x"}',
    b'{"username":' + b"[" * 30_000 + b"]" * 30_000 + b',"password":"x"}',
    b"[" * 60_000,
    b'{"a":' * 10_000,
    b"{'username':'alice','password':'correct horse'}",
    b'{"username":"alice","password":"correct horse",}',
    b'/**/{"username":"alice","password":"correct horse"}',
]


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: ascii(body[:40]))
def test_a_body_that_is_not_exactly_what_it_should_be_is_400(accounts, body):
    """PWD-14."""
    answer = post(accounts.login, body)
    assert answer.status == 400
    assert json.loads(answer.body)["code"] == "invalid_request"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_body_is_answered(body):
    for endpoint in (ANYBODY.login, ANYBODY.verify):
        assert post(endpoint, body).status in (400, 401)


VALUES = st.none() | st.text(max_size=20) | st.integers() | st.lists(st.text(max_size=5), max_size=3)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(["username", "password", "token", "x"]), VALUES))
def test_any_json_is_answered(body):
    for endpoint in (ANYBODY.login, ANYBODY.verify):
        assert post(endpoint, json.dumps(body).encode()).status in (400, 401)


ANYBODY = Accounts(
    MemoryUsers(),
    Tokens(KEY, issuer="https://api.example", audience="https://api.example", store=MemoryStore()),
    PasswordHasher(memory=8, passes=1, lanes=1),
    insecure_unlimited=True,  # what is drawn may be a wrong password more often than anybody should have
)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/json-seq"},
        {"content-type": "text/plain; application/json"},
        {"content-type": "application/json, text/plain"},
        {"content-type": ""},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "multipart/form-data; boundary=application/json"},
        [("content-type", "application/json"), ("content-type", "text/plain")],
        [("content-type", "text/plain"), ("content-type", "application/json")],
    ],
    ids=str,
)
def test_another_media_type_is_415(accounts, headers):
    """PWD-14: what a form of another site can send as text/plain looks like JSON, and is not read."""
    answer = post(accounts.login, {"username": "alice", "password": "correct horse"}, headers)
    assert answer.status == 415


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"']
)
def test_json_by_any_spelling_of_its_name(accounts, kind):
    assert post(accounts.login, {"username": "alice", "password": "correct horse"}, {"content-type": kind}).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"])
def test_another_method_is_405(accounts, method):
    for endpoint in (accounts.login, accounts.verify):
        answer = post(endpoint, {"username": "alice", "password": "correct horse"}, method=method)
        assert answer.status == 405
        assert answer.headers["allow"] == "POST"


def test_a_body_that_is_too_large_is_413(accounts):
    """PWD-03."""
    for endpoint in (accounts.login, accounts.verify):
        assert post(endpoint, {"username": "alice", "password": "x" * 1_000_000}).status == 413


@pytest.mark.parametrize("inner", [b"{}", b"[]", b'{"a":1}', b'""', b"1"])
def test_a_hostile_body_takes_no_memory(accounts, inner):
    """Invariant 2: at most 1 MiB for a request of 64 KB before authentication."""
    body = b'{"username":[' + b",".join([inner] * (60_000 // (len(inner) + 1))) + b"]}"
    assert post(accounts.login, body).status == 400
    tracemalloc.start()
    try:
        post(accounts.login, body)
        assert tracemalloc.get_traced_memory()[1] < 1_048_576
    finally:
        tracemalloc.stop()


def test_a_password_may_be_nothing_but_brackets(accounts):
    accounts.register("brackets", "{" * 4096)
    assert login(accounts, "brackets", "{" * 4096).status == 200


def test_a_long_password_fits_however_it_is_escaped(accounts):
    password = "\u00e9" * 2048
    accounts.register("bob", password)
    body = '{"username":"bob","password":"' + "\\u00e9" * 2048 + '"}'
    assert post(accounts.login, body.encode()).status == 200


def test_verify_says_whose_token_it_is(accounts):
    token = json.loads(login(accounts).body)["access_token"]
    expected = {"status": "valid", "user": "alice"}
    assert json.loads(post(accounts.verify, {"token": token}).body) == expected
    answer = post(accounts.verify, b"", {"authorization": f"Bearer {token}"})
    assert (answer.status, json.loads(answer.body)) == (200, expected)


def test_a_subject_of_its_own_stays_behind_the_user_name(accounts, tokens):
    found = json.loads(login(accounts, "numbered").body)
    assert found["user"] == "numbered"
    assert tokens.verify(found["access_token"]).subject == "17"
    assert json.loads(post(accounts.verify, {"token": found["access_token"]}).body)["user"] == "numbered"


def test_verify_refuses_what_is_no_token_of_ours(accounts):
    other = Tokens(KEY, issuer="https://other.example", audience="https://api.example").issue("alice")
    past = Tokens(KEY, issuer="https://api.example", audience="https://api.example", clock=lambda: 1000.0).issue("alice")
    answers = set()
    for token in ("x", "a.b.c", other, past, "x" * 20_000):
        for answer in (
            post(accounts.verify, {"token": token}),
            post(accounts.verify, b"", {"authorization": f"Bearer {token}"}),
        ):
            answers.add((answer.status, answer.body, answer.headers["www-authenticate"]))
    ((status, body, challenge),) = answers
    assert (status, json.loads(body)["code"], challenge) == (401, "invalid_token", 'Bearer error="invalid_token"')


def test_verify_without_any_token_is_401_without_an_error(accounts):
    for headers in ({}, {"authorization": "Basic YTpi"}):
        answer = post(accounts.verify, b"", headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="api"')


def test_two_tokens_are_400(accounts):
    token = json.loads(login(accounts).body)["access_token"]
    assert post(accounts.verify, {"token": token}, {**JSON, "authorization": f"Bearer {token}"}).status == 400
    twice = [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")]
    assert post(accounts.verify, b"", twice).status == 400
    for value in ("Bearer", "Bearer ", f"Bearer  {token}", f"Bearer {token} x", f"Bearer {token}, Bearer {token}"):
        assert post(accounts.verify, b"", {"authorization": value}).status == 400


def test_both_are_served_on_aws_lambda(accounts):
    event = {
        "version": "2.0",
        "rawPath": "/login",
        "rawQueryString": "",
        "headers": JSON,
        "requestContext": {"http": {"method": "POST", "path": "/login", "sourceIp": "203.0.113.5"}},
        "body": '{"username":"alice","password":"correct horse"}',
        "isBase64Encoded": False,
    }
    answer = accounts.login(event, None)
    assert answer["statusCode"] == 200
    event["body"] = json.dumps({"token": json.loads(answer["body"])["access_token"]})
    assert json.loads(accounts.verify(event, None)["body"]) == {"status": "valid", "user": "alice"}
    event["body"] = '{"username":"alice","password":"wrong"}'
    assert accounts.login(event, None)["statusCode"] == 401


def test_the_loop_goes_on_while_passwords_are_hashed(users, tokens):
    """ADP-13: 12 logins at once, of a few milliseconds each, on an event loop."""
    accounts = Accounts(users, tokens, PasswordHasher(memory=8192, passes=1, lanes=1), insecure_unlimited=True)
    ticks = []

    async def tick():
        while True:
            ticks.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.005)

    async def main():
        ticking = asyncio.create_task(tick())
        body = Request.build("POST", "/", JSON, b'{"username":"unknown","password":"correct horse"}')
        answers = await asyncio.gather(*(asgi(accounts.login.asgi, body) for _ in range(12)))
        ticking.cancel()
        return answers

    assert asyncio.run(main()) == [401] * 12
    assert len(ticks) > 5


class Mine(Tokens):
    """Says more of its users, and less to some of them."""

    async def issuing_pair(self, subject, **options):
        return await super().issuing_pair(subject, **{**options, "claims": {"mine": True}})

    async def averify(self, token):
        found = await super().averify(token)
        if found.claims.get("mine"):
            raise InvalidToken("token_revoked")
        return found


def test_what_a_subclass_of_tokens_does_besides_is_done_by_the_endpoints_too(users, hasher):
    tokens = Mine(KEY, issuer="https://api.example", audience="https://api.example", store=MemoryStore())
    accounts = Accounts(users, tokens, hasher)
    token = json.loads(login(accounts).body)["access_token"]
    assert tokens.verify(token).claims["mine"] is True
    body = Request.build("POST", "/", JSON, json.dumps({"token": token}).encode())
    assert asyncio.run(asgi(accounts.verify.asgi, body)) == 401
    assert post(accounts.verify, {"token": token}).status == 500, "a sync host cannot ask it"


def test_the_secret_of_the_tokens_is_read_off_the_loop(users, hasher):
    vault = Vault(SecretVersions(KEY))
    tokens = Tokens(Secrets(vault)["KEY"], issuer="https://api.example", audience="https://api.example", store=MemoryStore())
    accounts = Accounts(users, tokens, hasher)
    body = Request.build("POST", "/", JSON, b'{"username":"alice","password":"correct horse"}')
    assert asyncio.run(asgi(accounts.login.asgi, body)) == 200
    assert vault.asked == 1
    assert threading.get_ident() not in vault.threads


async def asgi(app, request):
    sent = []

    async def receive():
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message):
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": headers,
        "scheme": "http",
        "client": ("203.0.113.5", 1),
        "server": ("127.0.0.1", 80),
        "http_version": "1.1",
    }
    await app(scope, receive, send)
    return sent[0]["status"]
