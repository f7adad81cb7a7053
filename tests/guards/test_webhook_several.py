"""One endpoint, several schemes: the better signature judges alone where it was sent, and no delivery is lost on the way."""

from __future__ import annotations

import asyncio
from base64 import b64encode

import pytest

from authkit import ConfigurationError, Request, Response, Tokens, chain, require_auth, verify_webhook
from authkit.secrets import Secret
from authkit.stores import MemoryStore
from authkit.webhooks import Scheme, sign
from authkit.webhooks.replay import Replay

from .webhook_parts import Handler

TOKEN = "the secret token of GitLab: 77a1"
SIGNING = "whsec_" + b64encode(b"the signing token of GitLab: 9c").decode()
BODY = b'{"object_kind": "push"}'
BOTH = ["gitlab-signed", "gitlab"]
SECRETS = {"gitlab-signed": SIGNING, "gitlab": TOKEN}


def delivery(*schemes, body=BODY, signed=BODY, secrets=SECRETS):
    headers = {}
    for scheme in schemes:
        headers |= sign(scheme, secrets[scheme], signed, id="m-1")
    return Request.build("POST", "/hook", headers, body)


@pytest.mark.parametrize(
    ("sent", "judge"),
    [(["gitlab"], "gitlab"), (["gitlab-signed"], "gitlab-signed"), (["gitlab", "gitlab-signed"], "gitlab-signed")],
)
def test_each_is_accepted_and_the_better_one_judges_where_both_were_sent(sent, judge):
    for secret in (SECRETS, {"gitlab": Secret.of(TOKEN), "gitlab-signed": ["whsec_b2xkZXI=", SIGNING]}):
        handler = Handler()
        hook = handler.sync(verify_webhook(BOTH, secret=secret))
        assert hook(delivery(*sent)).status == 200
        assert [event.scheme for event in handler.events] == [judge]


@pytest.mark.parametrize("order", [BOTH, tuple(BOTH)])
def test_a_good_token_does_not_excuse_a_wrong_signature(order):
    """No falling back: whoever changes a signed delivery has its token too."""
    handler, events = Handler(), []
    hook = handler.sync(chain(verify_webhook(order, secret=SECRETS), audit=events.append))
    both = delivery("gitlab-signed", "gitlab", body=b'{"object_kind": "other"}')
    assert hook(both).status == 401
    for wrong in ("", "v1,", "v2,abc", "nonsense", "é"):
        changed = delivery("gitlab-signed", "gitlab")
        changed.headers._map["webhook-signature"] = [wrong]
        assert hook(changed).status == 401
    late = sign("gitlab-signed", SIGNING, BODY, id="m-1", timestamp=1_000_000) | sign("gitlab", TOKEN, BODY)
    assert hook(Request.build("POST", "/hook", late, BODY)).status == 401
    assert handler.entered == 0
    assert events[-1]["reason"] == "timestamp_too_old"


def test_nothing_at_all_and_the_secret_of_the_other_are_refused():
    hook = verify_webhook(BOTH, secret=SECRETS)(lambda request: Response(204))
    assert hook(Request.build("POST", "/hook", {}, BODY)).status == 401
    assert hook(Request.build("POST", "/hook", {"X-Gitlab-Token": SIGNING}, BODY)).status == 401


@pytest.mark.parametrize("form", ["sync", "asynchronous"])
def test_an_event_is_handled_once_whichever_scheme_it_came_by(form):
    """Done and failed events of either scheme, with one store."""
    handler = Handler(200, 500, 200, 200)
    hook = getattr(handler, form)(verify_webhook(BOTH, secret=SECRETS, replay=Replay(MemoryStore())))

    def answer(*schemes):
        found = hook(delivery(*schemes))
        return (asyncio.run(found) if form == "asynchronous" else found).status

    assert [answer("gitlab-signed"), answer("gitlab-signed")] == [200, 200]
    assert handler.entered == 1
    assert [answer("gitlab"), answer("gitlab"), answer("gitlab")] == [500, 200, 200]
    assert handler.entered == 3


def test_it_is_refused_where_no_response_is_seen():
    guard = verify_webhook(BOTH, secret=SECRETS, replay=MemoryStore())
    with pytest.raises(ConfigurationError):
        guard.decide(delivery("gitlab"))


def test_an_option_goes_to_the_scheme_that_has_it():
    own = Scheme("own", signature="X-Sig", expect={"X-Topic": "{topic}"}, signed="{body}{header:X-Topic}")
    hook = verify_webhook([own, "github"], secret="one for both of them", topic="orders")(lambda request: Response(204))
    signed = sign("github", "one for both of them", BODY)
    assert hook(Request.build("POST", "/hook", signed, BODY)).status == 204


URL = Scheme("in-url", signature="query:sig")
BASIC = Scheme("basic", signature="X-Gitlab-Token", algorithm="token", signed="", encoding="text")


@pytest.mark.parametrize(
    ("schemes", "secret", "options", "named"),
    [
        ([], {}, {}, "two or more"), (7, TOKEN, {}, "unknown"), (None, TOKEN, {}, "unknown"),
        (["gitlab"], TOKEN, {}, "two or more"), (["gitlab", "gitlab"], TOKEN, {}, "each once"),
        (BOTH, {"gitlab": TOKEN}, {}, "one for each"), (BOTH, {**SECRETS, "github": TOKEN}, {}, "nothing else"),
        (BOTH, {"gitlab": TOKEN, "gitlab-signed": ""}, {}, "missing"), (BOTH, None, {}, "missing"),
        (["gitlab", BASIC], TOKEN, {}, "header of its own"), (["gitlab", URL], TOKEN, {}, "header of its own"),
        (["mailgun", "gitlab"], TOKEN, {}, "header of its own"), (["slack", "gitlab"], TOKEN, {}, "handshake"),
        (BOTH, SECRETS, {"colour": "red"}, "colour"),
        (BOTH, SECRETS, {"max_body": 0}, "max_body"), (["x y", "gitlab"], TOKEN, {}, "unknown"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_when_the_guard_is_built(schemes, secret, options, named):
    with pytest.raises(ConfigurationError, match=named) as refused:
        verify_webhook(schemes, secret=secret, **options)
    assert TOKEN not in str(refused.value)
    assert SIGNING not in str(refused.value)


def test_it_stands_in_a_chain_with_others():
    tokens = Tokens("a key that is long enough: 0123456789", issuer="https://i.example", audience="https://a.example")
    handler = Handler()
    hook = handler.sync(chain(verify_webhook(BOTH, secret=SECRETS), require_auth(tokens)))
    request = delivery("gitlab")
    request.headers._map["authorization"] = [f"Bearer {tokens.issue('alice')}"]
    assert hook(request).status == 200
    assert handler.entered == 1
