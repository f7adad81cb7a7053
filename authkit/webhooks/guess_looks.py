"""What a refused delivery looks like, where no mistake that was undone makes its signature hold: likely, and not certain."""

from __future__ import annotations

from ..errors import InvalidSignature
from .delivery import items
from .guess_body import RAW
from .guess_scheme import LENGTHS
from .sent import Sent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .guess import Case

SAYS = {
    "signed_as_handshake": "the body is nothing but a token, as one that a stranger may have had signed by asking for it",
    "timestamp_missing": "there is no signed time",
    "id_missing": "there is no signed id",
    "id_malformed": "the signed id is no plain text of at most 256 characters, or is there twice",
    "body_malformed": "the body cannot be read as the JSON or form that the scheme looks into",
    "body_hash_missing": "there is no signed hash of the body",
    "url_malformed": "the query of the URL cannot be read",
    "unexpected_value": "a value that the scheme expects is another one: version, algorithm, or an option that was passed",
    "field_missing": "a header or member that is signed is missing",
    "field_malformed": "a header or member that is signed is there twice, or is no text",
    "key_missing": "it does not say which key signed it",
    "key_refused": "the key that it names is not at the sender's own host",
    "key_unknown": "there is no key of the name that it says",
}
CAUSES = {
    "key_refused": ("somebody pretends to be the sender", "refuse it; nothing is to be mended"),
    "signed_as_handshake": ("somebody sends the answer to a question as a delivery", "refuse it; nothing is to be mended"),
    "key_unknown": ("it is old, or made up", "refuse it; nothing is to be mended"),
    "body_malformed": ("the body is empty, was parsed before, or is another sender's", RAW),
    "unexpected_value": (
        "it is meant for another endpoint of ours, or an option has another value than at the sender's",
        "compare the options of the scheme with what the sender shows",
    ),
}


def unproven(case: Case) -> tuple[str, str]:
    """What the delivery looks like, where nothing that was tried makes its signature hold."""
    lengths = case.headers.get_all("content-length")
    body = case.body
    if not body:
        return "the body is empty: something read it before", RAW
    if len(lengths) == 1 and lengths[0].isdigit() and int(lengths[0][:15]) != len(body):
        return (
            f"the body has {len(body)} bytes, and {int(lengths[0][:15])} were sent: it was changed or cut on its way",
            RAW,
        )
    if b"\xef\xbf\xbd" in body:
        return "the body holds U+FFFD: bytes of it were lost when it was decoded as text", RAW
    wrong = _wrong_length(case)
    if wrong is not None:
        return wrong
    return (
        "it was signed with a secret that is not here (another endpoint's, or test for live), or the body was written anew in "
        "a way that cannot be undone",
        "compare the secret with the sender's: authkit secrets verify NAME --value-from FILE; then " + RAW,
    )


def _wrong_length(case: Case) -> tuple[str, str] | None:
    scheme = case.scheme
    if scheme.algorithm not in ("hmac", "digest"):
        return None
    size = LENGTHS[scheme.hash]
    wanted = {"hex": size * 2, "base64": -(-size // 3) * 4, "base64url": -(-size * 4 // 3)}.get(scheme.encoding)
    found = _lengths(case)
    if wanted is None or not found or wanted in found:
        return None
    longest = max(found)
    cause = f"the signature has {longest} characters, of {wanted}: it was cut short, or is another hash's"
    return cause, "look where the header is copied or logged: a limit of its length cuts it"


def _lengths(case: Case) -> list[int]:
    sent = Sent(case.headers, case.body, case.url, case.method)
    try:
        texts = [text for row in case.scheme.rows for text in sent.texts(row[0])]
    except InvalidSignature:
        return []
    return [len(one) for text in texts[:4] for one in items(case.scheme, text)[0]]
