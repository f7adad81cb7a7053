"""What a sender asks before it sends, or now and then: is this endpoint yours? Each handshake is one entry here.

What is echoed is short plain text, sent as what it is and never as a page: whoever asks chooses it.
"""

from __future__ import annotations

from ..decision import _Value
from ..errors import ConfigurationError, InvalidSignature
from ..http import Response
from .places import place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import MappingProxyType
    from typing import Any

    from .mac import Mac
    from .places import Place
    from .sent import Sent

MAX_VALUE = 512  # characters; the longest in use, Dropbox's and Notion's, have about 50
_TOKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/.~")

_set = object.__setattr__


class Handshake(_Value):
    """One handshake, as its sender documents it. Places are written as in a `Scheme`.

    `method` of the request. `signed`: it is signed as a delivery is, and answered only after that. `where`: what stands at
    which place in the request, as text; None: nothing may stand there. `value`: where that stands which is to be answered.
    `answer`: "text" (the value), "header" (the value, where it stood), "" (nothing), or a JSON object, in which `{value}`,
    `{hex}` and `{base64}` are the value and its HMAC under our secret. `token`: where a text stands that we and the sender have
    agreed on, the option `verify_token`. `asks`: the application is asked: "secret": the value is the secret of all that
    follows; "event": it does itself what the sender wants. `bare`: a refusal has no body either.
    """

    __slots__ = ("name", "method", "signed", "where", "value", "answer", "token", "asks", "bare")
    name: str
    method: str
    signed: bool
    where: tuple[tuple[Place, str | None], ...]
    value: Place | None
    answer: str | dict[str, object]
    token: Place | None
    asks: str
    bare: bool

    def __init__(
        self,
        name: str,
        *,
        method: str = "POST",
        signed: bool = False,
        where: Mapping[str, str | None] | None = None,
        value: str = "",
        answer: str | dict[str, object] = "",
        token: str = "",
        asks: str = "",
        bare: bool = False,
    ) -> None:
        _set(self, "name", name)
        _set(self, "method", method)
        _set(self, "signed", signed)
        _set(self, "where", tuple((place(name, "where", text), wanted) for text, wanted in (where or {}).items()))
        _set(self, "value", place(name, "value", value) if value else None)
        _set(self, "answer", answer)
        _set(self, "token", place(name, "token", token) if token else None)
        _set(self, "asks", asks)
        _set(self, "bare", bare)

    @property
    def keyed(self) -> bool:
        """Whether the answer shows that we have the secret."""
        return isinstance(self.answer, dict) and any(
            "{hex}" in str(text) or "{base64}" in str(text) for text in self.answer.values()
        )

    @property
    def reads_body(self) -> bool:
        """Whether something of it stands in the body."""
        places = (*(place for place, _ in self.where), self.value, self.token)
        return any(one is not None and one.kind in ("body", "form") for one in places)

    def asked(self, sent: Sent) -> str | None:
        """The value that is to be answered, "" if there is none; None: this is no such request.

        Raises: `InvalidSignature` for a body that is no JSON, where it has to be looked into.
        """
        if sent.method != self.method:
            return None
        for where, wanted in self.where:
            if sent.texts(where) != ([] if wanted is None else [wanted]):
                return None
        if self.value is None:
            return ""
        found = sent.texts(self.value)
        return found[0] if len(found) == 1 and self._is_fit(found[0]) else None

    def may_be(self, body: bytes) -> bool:
        """Whether a body may be such a request's, without a parser: nearly all are not."""
        return all(wanted is None or where.kind != "body" or wanted.encode() in body for where, wanted in self.where)

    def _is_fit(self, value: str) -> bool:
        # Under our secret nothing is signed that could be a delivery's content: that is an object in JSON, or has a ":" in it.
        if not 0 < len(value) <= MAX_VALUE:  # first: a body may be a mebibyte
            return False
        return all(character in _TOKEN for character in value) if self.keyed else value.isascii() and value.isprintable()

    def might_have_signed(self, body: bytes) -> bool:
        """Whether a stranger could have had the signature of this body from us, by asking it as a question."""
        return self.keyed and not self.signed and self._is_fit(body.decode("latin-1"))

    def says(self, sent: Sent) -> str:
        """The text that was sent as `verify_token`; "" for none, or several."""
        found = sent.texts(self.token) if self.token is not None else []
        return found[0] if len(found) == 1 else ""

    def reply(self, value: str, mac: Mac | None = None) -> Response:
        """The answer to `value`. `mac`: of our secret, where it is `keyed`."""
        answer = self.answer
        if isinstance(answer, dict):
            digest = mac.digest(b"", value.encode(), b"") if mac is not None else b""
            response = Response.json({name: _filled(text, value, digest) for name, text in answer.items()})
        elif answer == "text":
            response = Response(200, {"content-type": "text/plain; charset=utf-8"}, value)
        else:
            response = Response(200, {self.value.name: value} if answer == "header" and self.value is not None else {})
        response.headers["x-content-type-options"] = "nosniff"
        return response

    def __repr__(self) -> str:
        return f"<Handshake {self.name}>"


def _filled(text: object, value: str, digest: bytes) -> object:
    if not isinstance(text, str):
        return text
    from binascii import b2a_base64

    made = {"{value}": value, "{hex}": digest.hex(), "{base64}": b2a_base64(digest, newline=False).decode("ascii")}
    for name, what in made.items():
        if name in text:
            return text.replace(name, what)
    return text


HANDSHAKES = (
    # https://developers.facebook.com/docs/graph-api/webhooks/getting-started
    Handshake(
        "meta",
        method="GET",
        where={"query:hub.mode": "subscribe"},
        value="query:hub.challenge",
        answer="text",
        token="query:hub.verify_token",
    ),
    # https://docs.x.com/x-api/webhooks/quickstart: at registration, and hourly from then on
    Handshake("x", method="GET", value="query:crc_token", answer={"response_token": "sha256={base64}"}),
    # https://developers.zoom.us/docs/api/webhooks/: at registration, and every 72 hours
    Handshake(
        "zoom",
        signed=True,
        where={"body:event": "endpoint.url_validation"},
        value="body:payload.plainToken",
        answer={"plainToken": "{value}", "encryptedToken": "{hex}"},
    ),
    # https://dev.twitch.tv/docs/eventsub/handling-webhook-events/
    Handshake(
        "twitch",
        signed=True,
        where={"Twitch-Eventsub-Message-Type": "webhook_callback_verification"},
        value="body:challenge",
        answer="text",
    ),
    # https://docs.slack.dev/reference/events/url_verification
    Handshake("slack", signed=True, where={"body:type": "url_verification"}, value="body:challenge", answer="text"),
    # https://docs.discord.com/developers/interactions/overview: with wrong signatures now and then, to see them refused
    Handshake("discord", signed=True, where={"body:type": "1"}, answer={"type": 1}),
    # https://developer.xero.com/documentation/guides/webhooks/configuring-your-server/: neither answer may have a body
    Handshake("xero", signed=True, where={"body:events.0.eventType": None, "body:firstEventSequence": "0"}, bare=True),
    # https://developer.okta.com/docs/concepts/event-hooks/
    Handshake("okta", method="GET", value="X-Okta-Verification-Challenge", answer={"verification": "{value}"}),
    # https://www.dropbox.com/developers/reference/webhooks
    Handshake("dropbox", method="GET", value="query:challenge", answer="text"),
    # https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/
    Handshake("trello", method="HEAD"),
    # https://developers.asana.com/docs/webhooks-guide
    Handshake("asana", where={"X-Hook-Signature": None}, value="X-Hook-Secret", answer="header", asks="secret"),
    # https://developers.notion.com/reference/webhooks
    Handshake("notion", where={"X-Notion-Signature": None}, value="body:verification_token", asks="secret"),
    # https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html
    Handshake("sns", signed=True, where={"body:Type": "SubscriptionConfirmation"}, asks="event"),
)

_BY_NAME = {handshake.name: handshake for handshake in HANDSHAKES}


def handshakes() -> MappingProxyType[str, Handshake]:
    """Every handshake by name, read-only."""
    from types import MappingProxyType

    return MappingProxyType(_BY_NAME)


def handshake_of(name: str | None) -> Handshake | None:
    """The handshake that a scheme names. Raises: `ConfigurationError` for a name that is none."""
    if name is None:
        return None
    found = _BY_NAME.get(name)
    if found is None:
        raise ConfigurationError(f"unknown webhook handshake; known: {', '.join(sorted(_BY_NAME))}")
    return found


def wary(name: str, read: Callable[..., Any], accept: Callable[..., Any] | None) -> tuple[Callable[..., Any], Any]:
    """What reads deliveries, and what accepts them at once, of a scheme with this handshake. Whoever answers the question of
    one that is keyed, here or at another endpoint, signs what a stranger sends: that is no delivery."""
    asked_for = handshake_of(name)
    if asked_for is None or asked_for.signed or not asked_for.keyed:
        return read, accept

    def warily(headers: Any, body: bytes, *said: Any) -> Any:
        if isinstance(body, bytes) and asked_for.might_have_signed(body):
            raise InvalidSignature("signed_as_handshake")
        return read(headers, body, *said)

    return warily, None
