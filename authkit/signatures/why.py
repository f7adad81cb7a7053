"""`why`: why a signed request is refused, in words. For those who run the service: never for whoever sent the request."""

from __future__ import annotations

import time

from .._run import run
from ..errors import InvalidSignature
from ..webhooks.why import Why
from .components import Component, components_of, signature_base
from .digest import ALGORITHMS, content_digest
from .guess import Guess, bodies, guesses, keys_again, raw_parameters
from .keybook import KeyBook
from .keys import held_by
from .message import Message, target_of
from .verifier import SignatureVerifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .keybook import Keys
    from .keys import SignatureKey
    from .message import AnyHeaders
    from .signed import Claimed

_REFUSE = "refuse it; nothing is to be mended"
# By reason: the check, what it found, what is likely, how to mend it.
SAID = {
    "signature_missing": ("signature header", "Signature-Input or Signature is not there", "a proxy dropped one of the two",
                          "have both handed on"),
    "signature_malformed": ("signature header", "Signature-Input or Signature is no dictionary as RFC 8941 writes it",
                            "it was quoted or cut on its way, or the sender follows an older draft",
                            'send sig1=("@method" ...);created=...;keyid="..." and sig1=:base64:'),
    "labels_differ": ("signature header", "Signature-Input and Signature do not have the same labels",
                      "a proxy added or dropped one of two signatures", "have both fields changed together, or neither"),
    "no_such_signature": ("signature header", "there is no signature of the label or tag that is wanted",
                          "the client signs under another", "compare label= and tag= with what the client sets"),
    "keyid_missing": ("key", "the signature does not name its key", "the client leaves keyid out", "have it set keyid"),
    "created_missing": ("time", "the signature does not say when it was made", "the client leaves created out",
                        "have it set created"),
    "unknown_key": ("key", "there is no key of that id", "the id is mistyped, or is another environment's",
                    "compare the key id of the client with the keys of the service"),
    "algorithm_mismatch": ("key", "the signature says another algorithm than the key has",
                           "the key is for another one, or of another kind", "give the key with the alg that the client uses"),
    "expired": ("time", "its own end is over", "it was sent late, or again", "sign each request anew"),
    "nonce_missing": ("replay", "it has no nonce", "the client makes none", "have it set nonce"),
    "component_refused": ("components", "it covers something that no request has", "the client covers a response's component, "
                          "or spells one in capitals", "cover what RFC 9421 section 2 names, in lower case"),
    "component_repeated": ("components", "it covers a component twice, or a parameter that is there twice",
                           "the query has a name twice, which cannot be covered by itself", "cover @query"),
    "component_malformed": ("components", "a covered field is not what it is said to be", "it is no dictionary, or not ASCII",
                            "cover the field without parameters"),
    "body_not_covered": ("body", "it has a body, and covers no digest of it", "the client covers too little",
                         'have it cover "content-digest"'),
    "digest_missing": ("body", "there is a body, and no Content-Digest", "the client sends none, or a proxy dropped it",
                       "send Content-Digest (RFC 9530)"),
    "digest_malformed": ("body", "Content-Digest is not written as RFC 9530 has it", "it is hex, or the older Digest field",
                         "write sha-256=:base64:"),
    "digest_unknown": ("body", "Content-Digest has none of " + " and ".join(ALGORITHMS), "the client uses an older hash",
                       "have it use sha-256"),
    "query_malformed": ("target", "the query cannot be read", "it is not encoded as a URL", "encode it"),
}  # fmt: skip


def why(
    keys: Keys,
    method: str,
    url: str,
    headers: AnyHeaders,
    body: bytes = b"",
    now: float | None = None,
    **settings: Any,
) -> Why | None:
    """Why `SignatureVerifier(keys, **settings).verify(...)` refuses this request; None if it does not.

    Where the signature does not hold, one thing at a time is undone, to see with what it would: `cause` is then proven. It says
    nothing of the key, and no value of a header. Raises: as `verify`.
    """
    book = KeyBook(keys)
    del keys
    verifier = SignatureVerifier(book, **settings)
    message = Message(method, target_of(url), headers)
    now = time.time() if now is None else now
    try:
        run(verifier.verifying(message, body, now))
    except InvalidSignature as error:
        reason = error.reason
    else:
        return None
    if reason in _ASKED:
        return _ASKED[reason](_Case(verifier, book, message, url, body, now), reason)
    return Why(
        reason, *SAID.get(reason, ("signature", f"it is refused ({reason})", "it is unlike any other", _REFUSE)), False, {}
    )


class _Case:
    """A request that is refused."""

    __slots__ = ("verifier", "book", "message", "url", "body", "now", "tried")

    def __init__(self, verifier: SignatureVerifier, book: KeyBook, message: Message, url: str, body: bytes, now: float) -> None:
        self.verifier = verifier
        self.book = book
        self.message = message
        self.url = url
        self.body = body
        self.now = now
        self.tried: dict[str, int] = {}

    def signatures(self) -> list[tuple[Claimed, SignatureKey]]:
        """Those whose key is known, and whose components are such."""
        found = [(one, run(self.book.find(one.keyid))) for one in self.verifier._chosen(self.message)[:4]]
        return [(one, key) for one, key in found if key is not None and _is_readable(one)]

    def components(self) -> list[tuple[Component, ...]]:
        return [components_of(one.covered) for one, _ in self.signatures()]

    def holds(self, one: Claimed, key: SignatureKey, guess: Guess) -> bool:
        """Whether the signature holds with that one thing undone."""
        self.tried[guess.sort] = self.tried.get(guess.sort, 0) + 1
        try:
            message = guess.message or self.message
            base = signature_base(message, one.covered, components_of(one.covered))
        except InvalidSignature:
            return False
        return held_by(run(key.load())[1], one.alg, guess.written(base), one.signature) is not None


def _is_readable(one: Claimed) -> bool:
    try:
        components_of(one.covered)
    except InvalidSignature:
        return False
    return True


def _mismatch(case: _Case, reason: str) -> Why:
    says = "the signature is not the one of this request under our key"
    for one, key in case.signatures():
        written = raw_parameters(case.message.headers, one.label)
        for guess in guesses(case.message, case.url, case.body, components_of(one.covered), written):
            if case.holds(one, key, guess):
                return Why(reason, "signature", f"{says}: {guess.what}", guess.cause, guess.mend, True, case.tried)
        for cause, other in keys_again(key):
            if case.holds(one, other, Guess("key", "the key", cause, "")):
                return Why(
                    reason, "signature", f"{says}: the key", cause, "store the key as the client has it", True, case.tried
                )
    covered = ", ".join(component.text for components in case.components()[:1] for component in components)
    return Why(
        reason, "signature", says, f"the client has another key, or one of these differs: {covered}",
        "compare the client's signature base with these, line by line; verify with the URL that the client addressed", False,
        case.tried,
    )  # fmt: skip


def _not_covered(case: _Case, reason: str) -> Why:
    names = {component.name for components in case.components() for component in components}
    missing = [name for name in ("@method", "@authority", "@path") if name not in names]
    if "@target-uri" in names:
        missing = [name for name in missing if name == "@method"]
    elif case.message.target.query and not names & {"@query", "@request-target"}:
        missing.append("@query")
    texts = {component.text for components in case.components() for component in components}
    missing += [component.text for component in case.verifier._more if component.text not in texts]
    which = ", ".join(missing) or "every parameter of the query, or all of it"
    says = f"it leaves out what has to be covered: {which}"
    mend = "have it cover what Accept-Signature asks for"
    return Why(reason, "components", says, "the client covers less than the service wants", mend, bool(missing), {})


def _missing(case: _Case, reason: str) -> Why:
    gone = [
        component.text
        for components in case.components()
        for component in components
        if component.name[0] != "@" and component.name not in case.message.headers
    ]
    what = f": {', '.join(dict.fromkeys(gone))}" if gone else ""
    return Why(reason, "components", f"something that is covered is not there{what}", "a proxy dropped or renamed it",
               "have it handed on, or not covered", bool(gone), {})  # fmt: skip


def _time(case: _Case, reason: str) -> Why:
    one = next((one for one, _ in case.signatures()), case.verifier._chosen(case.message)[0])
    seconds = int(case.now) - one.created
    when = "ago" if seconds > 0 else "from now"
    says = f"it was made {abs(seconds)} seconds {when}, and {case.verifier.tolerance:g} are allowed"
    if abs(int(case.now) - one.created // 1000) <= case.verifier.tolerance:
        return Why(reason, "time", says, "created is in milliseconds", "write it in seconds", True, {})
    cause = "it was sent late, or again" if seconds > 0 else "the client's clock is ahead, or ours behind"
    return Why(reason, "time", says, cause, "set the clocks by NTP; sign each request anew", False, {})


def _digest(case: _Case, reason: str) -> Why:
    sent = ", ".join(case.message.headers.get_all("content-digest"))
    says = "Content-Digest is not the one of this body"
    tried = 0
    for body, cause in bodies(case.body):
        tried += 1
        if any(content_digest(body, name) in sent for name in ALGORITHMS):
            return Why(reason, "body", says, cause, "verify the bytes as they came", True, {"body": tried})
    return Why(reason, "body", says, "the body was changed on its way, or decompressed",
               "verify the bytes as they came", False, {"body": tried})  # fmt: skip


_ASKED: dict[str, Callable[[_Case, str], Why]] = {
    "signature_mismatch": _mismatch,
    "not_covered": _not_covered,
    "component_missing": _missing,
    "created_too_old": _time,
    "created_in_future": _time,
    "digest_mismatch": _digest,
}
