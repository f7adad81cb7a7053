"""Handshakes: each answered as its sender documents it, none to anybody else, and what is echoed is never a page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authkit import ConfigurationError, Request, Response, verify_webhook
from authkit.errors import SecretNotFound
from authkit.secrets import Secrets, SecretSource
from authkit.stores import MemoryStore
from authkit.webhooks import Scheme, schemes, sign
from authkit.webhooks.handshakes import HANDSHAKES, MAX_VALUE, handshake_of, handshakes

from .webhook_parts import SECRET, Handler, delivery

TEXT = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff", "cache-control": "no-store"}
JSON = {**TEXT, "content-type": "application/json"}
AGREED = "what was typed into both forms"


def own(handshake):
    return Scheme("own", signature="X-Sig", handshake=handshake)


def guarded(name, **options):
    handler = Handler()
    return handler, handler.sync(verify_webhook(own(name), secret=SECRET, **options))


def get(path, method="GET", **headers):
    return Request.build(method, path, {name.replace("_", "-"): value for name, value in headers.items()})


def post(body, headers=(), signed=True):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    made = sign(own(None), SECRET, body) if signed else {}
    return Request.build("POST", "/hook", {**made, **dict(headers)}, body)


def told(answer, *names):
    return {name: answer.headers.get(name) for name in names}


def mac(value):
    return hmac.digest(SECRET.encode(), value.encode(), hashlib.sha256)


ZOOM = {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}, "event_ts": 1}
META = "/hook?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
# handshake, the request, the options, status, headers and body of the answer
ANSWERED = {
    "meta": (get(META + AGREED.replace(" ", "+")), {"verify_token": AGREED}, TEXT, b"1158201444"),
    "x": (
        get("/hook?crc_token=OTk0ZmE5Yjct"), {}, JSON,
        {"response_token": "sha256=" + base64.b64encode(mac("OTk0ZmE5Yjct")).decode()},
    ),
    "zoom": (
        post(ZOOM), {}, JSON,
        {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": mac("qgg8vlvZRS6UYooatFL8Aw").hex()},
    ),
    "twitch": (
        post({"challenge": "pogchamp-kappa"}, [("Twitch-Eventsub-Message-Type", "webhook_callback_verification")]), {},
        TEXT, b"pogchamp-kappa",
    ),
    "slack": (post({"type": "url_verification", "token": "t", "challenge": "3eZbrw1aB"}), {}, TEXT, b"3eZbrw1aB"),
    "discord": (post({"type": 1, "id": "7"}), {}, JSON, {"type": 1}),
    "xero": (post({"events": [], "lastEventSequence": 0, "firstEventSequence": 0, "entropy": "S0m3"}), {}, {}, b""),
    "okta": (get("/hook", x_okta_verification_challenge="my verification"), {}, JSON, {"verification": "my verification"}),
    "dropbox": (get("/hook?challenge=abc123"), {}, TEXT, b"abc123"),
    "trello": (get("/hook", "HEAD"), {}, {}, b""),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERED)
def test_a_handshake_is_answered_as_its_sender_wants_it(name):
    request, options, headers, body = ANSWERED[name]
    handler, hook = guarded(name, **options)
    answer = hook(request)
    assert answer.status == 200
    assert told(answer, *headers) == headers
    assert (json.loads(answer.body) if isinstance(body, dict) else answer.body) == body
    assert handler.entered == 0


def test_every_handshake_is_tried_here():
    assert {*ANSWERED, "asana", "notion", "sns"} == {one.name for one in HANDSHAKES} == set(handshakes())


def test_every_scheme_names_a_handshake_that_there_is():
    for scheme in schemes().values():
        handshake_of(scheme.handshake)
    with pytest.raises(ConfigurationError, match="handshake"):
        verify_webhook(own("nobodys"), secret=SECRET)


@pytest.mark.parametrize("name", ANSWERED)
def test_none_is_answered_when_asked_not_to(name):
    """The request is then a delivery as any other: refused if it is not signed, the handler's if it is."""
    request, _, _, _ = ANSWERED[name]
    handler, hook = guarded(name, handshake=False)
    assert hook(request).status == (200 if handshake_of(name).signed else 401)
    assert handler.entered == handshake_of(name).signed


@pytest.mark.parametrize("name", [name for name in ANSWERED if handshake_of(name).signed])
def test_a_signed_handshake_is_answered_only_if_the_signature_holds(name):
    request, options, _, _ = ANSWERED[name]
    handler, hook = guarded(name, **options)
    for signature in (None, "0" * 64):
        headers = [(field, value) for field, value in request.headers.items() if field != "x-sig"]
        headers += [("x-sig", signature)] if signature else []
        answer = hook(Request.build("POST", "/hook", headers, request.body))
        assert answer.status == 401
        assert (answer.body == b"") == (name == "xero")  # whose probes want no body
    assert handler.entered == 0


@pytest.mark.parametrize("name", [name for name in ANSWERED if handshake_of(name).signed])
def test_a_signed_delivery_that_is_no_handshake_is_the_handlers(name):
    handler, hook = guarded(name)
    bodies = [b"", b"{}", b"[]", b"not JSON", b"\xff", {"type": "event", "challenge": "x"}, {"type": 2}, [{"type": 1}]]
    bodies += [{"event": "meeting.started", "payload": {}}, {"events": [{"eventType": "UPDATE"}], "firstEventSequence": 1}]
    bodies += [b'{"type": "url_verification", "type": "event", "challenge": "two readings"}']
    for body in bodies:
        assert hook(post(body)).body == b"handled"
    assert handler.entered == len(bodies)


@pytest.mark.parametrize("said", ["", "wrong", AGREED + "x", AGREED[:-1], AGREED + "&hub.verify_token=x", "%ff", "é"])
def test_meta_must_say_what_was_agreed(said):
    handler, hook = guarded("meta", verify_token=AGREED)
    answer = hook(get(META + said.replace(" ", "+")))
    assert answer.status in (401, 403)
    assert b"1158201444" not in answer.body
    assert handler.entered == 0


def test_meta_is_not_answered_without_anything_agreed():
    _, hook = guarded("meta")
    assert hook(get(META)).status == 401


def test_what_was_agreed_may_be_a_secret():
    class Vault(SecretSource):
        def fetch(self, name):
            return AGREED

    handler = Handler()
    hook = handler.sync(verify_webhook(own("meta"), secret=SECRET, verify_token=Secrets(Vault())["TOKEN"]))
    assert hook(get(META + AGREED.replace(" ", "+"))).body == b"1158201444"


@pytest.mark.parametrize("wrong", ["", " ", None, 7, []])
def test_nothing_is_no_agreement(wrong):
    with pytest.raises(ConfigurationError, match="verify_token"):
        verify_webhook(own("meta"), secret=SECRET, verify_token=wrong)


def test_an_option_of_another_scheme_is_refused():
    with pytest.raises(ConfigurationError, match="verify_token"):
        verify_webhook("github", secret=SECRET, verify_token=AGREED)
    with pytest.raises(ConfigurationError, match="topic"):
        verify_webhook("github", secret=SECRET, topic="x")


PAGES = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("name", "field"), [("meta", "hub.challenge"), ("dropbox", "challenge")])
def test_what_is_echoed_is_no_page(name, field, page):
    from urllib.parse import urlencode

    query = {"hub.mode": "subscribe", "hub.verify_token": AGREED, field: page}
    _, hook = guarded(name, **({"verify_token": AGREED} if name == "meta" else {}))
    answer = hook(get(f"/hook?{urlencode(query)}"))
    assert answer.status == 200
    assert told(answer, *TEXT) == TEXT


@pytest.mark.parametrize("value", ["", "x" * (MAX_VALUE + 1), "a%0d%0ab", "%00", "%c3%a9", "a&challenge=b"])
def test_what_is_too_long_or_no_plain_text_is_not_echoed(value):
    _, hook = guarded("dropbox")
    assert hook(get(f"/hook?challenge={value}")).status == 401
    assert hook(get(f"/hook?challenge={'x' * MAX_VALUE}")).status == 200


@given(value=st.text(alphabet=st.characters(min_codepoint=1, max_codepoint=300), max_size=40))
def test_nothing_is_signed_for_a_stranger_that_could_be_a_delivery(value):
    """Whoever asks X's question gets an HMAC under the key of the deliveries: of a token, never of JSON."""
    from urllib.parse import quote

    _, hook = guarded("x")
    answer = hook(get(f"/hook?crc_token={quote(value)}"))
    if answer.status == 200:
        assert len(value) > 0
        assert set(value) <= set(string.ascii_letters + string.digits + "-_=+/.~")
    else:
        assert answer.status == 401


@pytest.mark.parametrize("body", [b"7", b"true", b"null", b"OTk0ZmE5Yjct", b"x" * MAX_VALUE])
def test_what_a_stranger_could_have_signed_is_no_delivery(body):
    """The answer to X's question is a signature of a delivery, too: of one that is nothing but the token."""
    scheme = Scheme("own", signature="X-Sig", prefix="sha256=", encoding="base64", handshake="x")
    handler = Handler()
    hook = handler.sync(verify_webhook(scheme, secret=SECRET))
    signature = json.loads(hook(get(f"/hook?crc_token={body.decode()}")).body)["response_token"]
    assert hook(Request.build("POST", "/hook", {"X-Sig": signature}, body)).status == 401
    assert hook(delivery(b'{"for_user_id": "7"}', scheme)).status == 200
    assert handler.entered == 1
    elsewhere = handler.sync(verify_webhook(scheme, secret=SECRET, handshake=False))  # asked at one endpoint, sent to another
    assert elsewhere(Request.build("POST", "/hook", {"X-Sig": signature}, body)).status == 401
    assert handler.entered == 1


class Vault(SecretSource):
    """A source that has the secret once it was captured."""

    def __init__(self, value=None):
        self.value = value
        self.asked = []

    def fetch(self, name):
        if self.value is None:
            raise SecretNotFound(name)
        return self.value

    def capture(self, value):
        self.asked.append(value)
        if self.value is not None:
            return False
        self.value = value
        return True


HANDED = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81"
CAPTURED = {
    "asana": (Request.build("POST", "/hook", {"X-Hook-Secret": HANDED}), {"x-hook-secret": HANDED}),
    "notion": (Request.build("POST", "/hook", {}, json.dumps({"verification_token": HANDED}).encode()), {}),
}


HANDING = {
    "asana": Scheme("asana", signature="X-Hook-Signature", handshake="asana"),
    "notion": Scheme("notion", signature="X-Notion-Signature", handshake="notion"),
}


@pytest.mark.parametrize("name", CAPTURED)
def test_a_secret_that_is_handed_over_is_taken_once(name):
    request, headers = CAPTURED[name]
    vault, handler = Vault(), Handler()
    secrets = Secrets(vault)

    def capture(value):
        kept = vault.capture(value)
        secrets.refresh()  # that there was none is remembered for a while
        return kept

    guard = verify_webhook(HANDING[name], secret=secrets["HOOK"], handshake=capture)
    guard.prepare()  # although there is no secret yet
    hook = handler.sync(guard)
    answer = hook(request)
    assert (answer.status, answer.body, told(answer, *headers)) == (200, b"", headers)
    assert hook(request).status in (401, 403)
    assert vault.value == HANDED
    assert handler.entered == 0
    signed = Request.build("POST", "/hook", sign(HANDING[name], HANDED, b"{}"), b"{}")
    assert hook(signed).body == b"handled"


@pytest.mark.parametrize("name", CAPTURED)
def test_a_secret_that_came_a_moment_ago_is_not_replaced(name):
    """That there was none is remembered for some seconds: long enough for somebody else to hand over another."""
    request, _ = CAPTURED[name]
    vault, others = Vault(), []
    here = Handler().sync(verify_webhook(HANDING[name], secret=Secrets(vault)["HOOK"], handshake=lambda value: False))
    there = verify_webhook(HANDING[name], secret=Secrets(vault)["HOOK"], handshake=lambda value: not others.append(value))
    assert here(request).status == 403
    assert Handler().sync(there)(request).status == 200
    assert others == [HANDED]
    vault.value = HANDED  # captured, by whichever process, and nobody has told the others
    others.clear()
    assert here(request).status == 401
    assert Handler().sync(there)(request).status == 401
    assert others == []


@pytest.mark.parametrize("name", CAPTURED)
def test_of_secrets_that_come_together_one_is_offered(name):
    request, _ = CAPTURED[name]
    vault, asked = Vault(), []
    inside, go_on = threading.Event(), threading.Event()

    def capture(value):
        asked.append(value)
        inside.set()
        assert go_on.wait(10)
        vault.value = value
        return True

    hook = Handler().sync(verify_webhook(HANDING[name], secret=Secrets(vault)["HOOK"], handshake=capture))
    first = []
    thread = threading.Thread(target=lambda: first.append(hook(request).status))
    thread.start()
    assert inside.wait(10)
    second = hook(request)
    go_on.set()
    thread.join(10)
    assert (second.status, second.headers["retry-after"]) == (409, "1")
    assert "x-hook-secret" not in second.headers
    assert first == [200]
    assert hook(request).status == 401
    assert asked == [HANDED]


@pytest.mark.parametrize("name", CAPTURED)
def test_no_secret_is_taken_while_there_is_one(name):
    request, _ = CAPTURED[name]
    vault = Vault("one that we have")
    hook = Handler().sync(verify_webhook(HANDING[name], secret=Secrets(vault)["HOOK"], handshake=vault.capture))
    assert hook(request).status == 401
    hook = Handler().sync(verify_webhook(HANDING[name], secret="a literal", handshake=vault.capture))
    assert hook(request).status == 401
    assert vault.asked == []


@pytest.mark.parametrize("name", CAPTURED)
def test_no_secret_is_taken_unasked(name):
    request, _ = CAPTURED[name]
    vault = Vault()
    hook = Handler().sync(verify_webhook(HANDING[name], secret=Secrets(vault)["HOOK"]))
    assert hook(request).status in (401, 500)
    assert vault.value is None


@pytest.mark.parametrize("said", [None, False, 1, "yes"])
def test_only_true_is_agreement(said):
    request, _ = CAPTURED["asana"]
    hook = Handler().sync(verify_webhook(HANDING["asana"], secret=Secrets(Vault())["HOOK"], handshake=lambda secret: said))
    answer = hook(request)
    assert answer.status == 403
    assert "x-hook-secret" not in answer.headers


def test_a_secret_that_is_handed_over_with_a_signature_is_a_delivery():
    vault = Vault()
    hook = Handler().sync(verify_webhook(HANDING["asana"], secret=Secrets(vault)["HOOK"], handshake=vault.capture))
    request = Request.build("POST", "/hook", {"X-Hook-Secret": HANDED, "X-Hook-Signature": "0" * 64}, b"{}")
    assert hook(request).status in (401, 500)
    assert vault.asked == []


async def test_the_application_may_be_asked_on_the_loop():
    agreed = []

    async def confirm(event):
        agreed.append(event.json()["SubscribeURL"])
        return True

    handler = Handler()
    hook = handler.asynchronous(verify_webhook(own("sns"), secret=SECRET, handshake=confirm))
    answer = await hook(post({"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.example/?Action=Confirm"}))
    assert (answer.status, answer.body) == (200, b"")
    assert agreed == ["https://sns.example/?Action=Confirm"]  # given to the application; nothing here fetches it
    assert (await hook(post({"Type": "Notification"}))).body == b"handled"
    assert handler.entered == 1


def test_an_unasked_confirmation_is_the_handlers():
    _, hook = guarded("sns")
    assert hook(post({"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.example/"})).body == b"handled"


@pytest.mark.parametrize("name", ["x", "zoom"])
@pytest.mark.parametrize("fields", [{"also": "X-Other"}, {"algorithm": "digest"}, {"algorithm": "token", "encoding": "text"}])
def test_an_answer_that_no_key_of_the_scheme_can_make_is_refused_when_built(name, fields):
    scheme = Scheme("own", signature="X-Sig", handshake=name, **fields)
    with pytest.raises(ConfigurationError, match="handshake"):
        verify_webhook(scheme, secret=SECRET)
    assert verify_webhook(scheme, secret=SECRET, handshake=False)


@pytest.mark.parametrize("name", [None, "slack", "okta"])
def test_a_callable_that_nobody_would_ask_is_refused(name):
    with pytest.raises(ConfigurationError, match="handshake"):
        verify_webhook(own(name), secret=SECRET, handshake=lambda event: True)


@pytest.mark.parametrize("wrong", [True, "slack", 1, {}])
def test_what_is_no_handshake_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="handshake"):
        verify_webhook(own("slack"), secret=SECRET, handshake=wrong)


def test_a_handshake_is_no_event():
    """It may come again and again, and is no delivery that was handled."""
    store = MemoryStore()
    _, hook = guarded("slack", replay=store)
    request, _, _, body = ANSWERED["slack"]
    assert [hook(request).body for _ in range(3)] == [body] * 3
    assert len(store._noted) == 0


def test_what_was_agreed_is_in_no_output(caplog):
    caplog.set_level("DEBUG")
    guard = verify_webhook(own("meta"), secret=SECRET, verify_token=AGREED)
    hook = Handler().sync(guard)
    hook(get(META + "wrong"))
    hook(get(META + AGREED.replace(" ", "+")))
    assert AGREED not in caplog.text + repr(guard) + repr(vars(guard))
    assert isinstance(hook(get(META)), Response)
