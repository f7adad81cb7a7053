"""Bad tokens: a header that wants to be believed."""

from __future__ import annotations

from ..tokens import Key, base64url
from ._catalogue import BAD, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._catalogue import Make
    from ._forged import Forger


BAD.header("id_token", "typ is that of an ID token", typ="JWT")
BAD.header("refresh_token", "typ is that of a refresh token", typ="rt+jwt")
BAD.header("logout_token", "typ is that of a logout token", typ="logout+jwt")
BAD.header("typ_number", "typ is not text", typ=1)
BAD.add("typ_missing", "the header has no typ", lambda mint: mint.forge(without(mint.header(), "typ"), mint.claims()))
BAD.header("kid_unknown", "kid names no key", kid="nobody's")
BAD.header("kid_path", "kid is a path", kid="../../../../dev/null")
BAD.header("kid_sql", "kid is SQL", kid="' UNION SELECT 'key' --")
BAD.header("kid_number", "kid is a number", kid=1)
BAD.header("kid_null", "kid is null", kid=None)
BAD.header("crit_unknown", "crit names an extension that nobody knows", crit=["exp2"], exp2=1)
BAD.header("crit_b64", "crit names b64, which takes the payload out of the signature's form", crit=["b64"], b64=False)
BAD.header("crit_empty", "crit is empty", crit=[])
BAD.header("crit_text", "crit is no list", crit="exp")
BAD.header("crit_null", "crit is null", crit=None)


def _own_key(member: Callable[[Key], dict[str, Any]]) -> Make:
    """Signed with a key of the sender's, which the header offers for verification."""

    def make(mint: Forger) -> str:
        key = mint.other_key()
        return mint.forge({**mint.header(), **member(key)}, mint.claims(), key)

    return make


def _jwk(key: Key) -> dict[str, Any]:
    return key.public_jwk() or {"kty": "oct", "k": base64url.encode(b"sender's own key, 32 bytes long!").decode()}


BAD.add("jwk_header", "signed with the sender's own key, which stands in the header", _own_key(lambda key: {"jwk": _jwk(key)}))
BAD.add(
    "jwk_header_without_kid", "the same, under the kid of that key", _own_key(lambda key: {"jwk": _jwk(key), "kid": key.kid})
)
BAD.add(
    "jku_header",
    "signed with the sender's own key, to be fetched from its URL",
    _own_key(lambda _: {"jku": "http://127.0.0.1:9/jwks"}),
)
BAD.add(
    "x5u_header",
    "signed with the sender's own key, with a URL of its certificate",
    _own_key(lambda _: {"x5u": "http://127.0.0.1:9/x5u"}),
)
BAD.add("x5c_header", "signed with the sender's own key, with its certificate", _own_key(lambda _: {"x5c": ["MIIB"]}))
