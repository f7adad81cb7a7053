"""The catalogue of bad tokens: one thing wrong in each, the signature right wherever the wrong thing is not the signature."""

from __future__ import annotations

from .._needs import needs
from ..tokens import Key, base64url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from ._mint import TokenMint

    Make: TypeAlias = Callable[[TokenMint], str]

_MAKERS: dict[str, Make] = {}
_ABOUT: dict[str, str] = {}

BAD_TOKENS: Mapping[str, str] = _ABOUT  # name -> what is wrong with the token
DAY = 86_400  # seconds


def bad_tokens(mint: TokenMint) -> dict[str, str]:
    return {name: make(mint) for name, make in _MAKERS.items()}


def _add(name: str, about: str, make: Make) -> None:
    _MAKERS[name], _ABOUT[name] = make, about


def _token(header: dict[str, Any] | bytes, claims: dict[str, Any] | bytes, signature: bytes) -> str:
    from ._mint import segment

    return f"{segment(header)}.{segment(claims)}.{base64url.encode(signature).decode()}"


def _without(members: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key != name}


# No signature, or one that nobody of ours has made


def _unsigned(header: Callable[[TokenMint], dict[str, Any]]) -> Make:
    return lambda mint: _token(header(mint), mint.claims(), b"")


def _good_signature(header: Callable[[TokenMint], dict[str, Any]]) -> Make:
    """Under the key, over the changed header: only the `alg` is wrong."""
    return lambda mint: mint.forge(header(mint), mint.claims())


def _alg(value: Any) -> Callable[[TokenMint], dict[str, Any]]:
    return lambda mint: {**mint.header(), "alg": value}


for _name, _value in (
    ("none", "none"), ("none_capital", "None"), ("none_mixed", "nOnE"), ("none_upper", "NONE"), ("none_space", "none "),
    ("empty", ""), ("null", None), ("list", ["none"]), ("number", 0), ("zero_width", "none\u200b"),
):  # fmt: skip
    _add(f"alg_{_name}", f"alg is {_value!r}, and there is no signature", _unsigned(_alg(_value)))
    _add(f"alg_{_name}_signed", f"alg is {_value!r}, with the signature of the key", _good_signature(_alg(_value)))
_add("alg_missing", "the header has no alg", _good_signature(lambda mint: _without(mint.header(), "alg")))
_add(
    "alg_other", "alg is one that the key is not for", _good_signature(lambda mint: {**mint.header(), "alg": _other(mint.alg)})
)
_add("alg_case", "alg in lower case", _good_signature(lambda mint: {**mint.header(), "alg": mint.alg.swapcase()}))


def _other(alg: str) -> str:
    return "HS512" if alg == "HS256" else "HS256"


def _parts(mint: TokenMint) -> tuple[str, str, bytes]:
    header, claims, signature = mint.good().split(".")
    return header, claims, base64url.decode(signature)


def _resigned(change: Callable[[bytes], bytes]) -> Make:
    def make(mint: TokenMint) -> str:
        header, claims, signature = _parts(mint)
        return f"{header}.{claims}.{base64url.encode(change(signature)).decode()}"

    return make


_add("signature_forged", "one bit of the signature is another", _resigned(lambda raw: bytes([raw[0] ^ 1]) + raw[1:]))
_add("signature_zero", "a signature of zeros (with ECDSA: r and s are 0)", _resigned(lambda raw: bytes(len(raw))))
_add("signature_short", "the signature lacks its last byte", _resigned(lambda raw: raw[:-1]))
_add("signature_long", "the signature has one byte more", _resigned(lambda raw: raw + b"\0"))
_add("signature_empty", "the signature is empty", _resigned(lambda raw: b""))
_add(
    "other_key",
    "signed with another key of the same kind",
    lambda mint: mint.forge(mint.header(), mint.claims(), mint.other_key()),
)


def _of_another(mint: TokenMint) -> str:
    signature = mint.good("mallory").rpartition(".")[2]
    return f"{mint.good('alice').rpartition('.')[0]}.{signature}"


_add("signature_of_another", "the signature of another good token", _of_another)


def _with_public_key(alg: str) -> Make:
    """HMAC, and the secret is the text of a public key: what a verifier that lets the token choose would accept."""

    def make(mint: TokenMint) -> str:
        import hmac

        from ._mint import segment

        signed = f"{segment({**mint.header(), 'alg': alg})}.{segment(mint.claims())}"
        mac = hmac.digest(_public_pem(mint), signed.encode(), {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[alg])
        return f"{signed}.{base64url.encode(mac).decode()}"

    return make


def _public_pem(mint: TokenMint) -> bytes:
    needs("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = mint.key._public or Ed25519PrivateKey.generate().public_key()
    pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


for _name in ("HS256", "HS384", "HS512"):
    _add(f"{_name.lower()}_with_public_key", f"{_name}, with the PEM of the public key as the secret", _with_public_key(_name))

# The header


def _header(about: str, name: str, **members: Any) -> None:
    _add(name, about, lambda mint: mint.forge({**mint.header(), **members}, mint.claims()))


_header("typ is that of an ID token", "id_token", typ="JWT")
_header("typ is that of a refresh token", "refresh_token", typ="rt+jwt")
_header("typ is that of a logout token", "logout_token", typ="logout+jwt")
_header("typ is not text", "typ_number", typ=1)
_add("typ_missing", "the header has no typ", lambda mint: mint.forge(_without(mint.header(), "typ"), mint.claims()))
_header("kid names no key", "kid_unknown", kid="nobody's")
_header("kid is a path", "kid_path", kid="../../../../dev/null")
_header("kid is SQL", "kid_sql", kid="' UNION SELECT 'key' --")
_header("kid is a number", "kid_number", kid=1)
_header("kid is null", "kid_null", kid=None)
_header("crit names an extension that nobody knows", "crit_unknown", crit=["exp2"], exp2=1)
_header("crit names b64, which takes the payload out of the signature's form", "crit_b64", crit=["b64"], b64=False)
_header("crit is empty", "crit_empty", crit=[])
_header("crit is no list", "crit_text", crit="exp")
_header("crit is null", "crit_null", crit=None)


def _own_key(member: Callable[[Key], dict[str, Any]]) -> Make:
    """Signed with a key of the sender's, which the header offers for verification."""

    def make(mint: TokenMint) -> str:
        key = mint.other_key()
        return mint.forge({**mint.header(), **member(key)}, mint.claims(), key)

    return make


def _jwk(key: Key) -> dict[str, Any]:
    return key.public_jwk() or {"kty": "oct", "k": base64url.encode(b"sender's own key, 32 bytes long!").decode()}


_add("jwk_header", "signed with the sender's own key, which stands in the header", _own_key(lambda key: {"jwk": _jwk(key)}))
_add("jwk_header_without_kid", "the same, under the kid of that key", _own_key(lambda key: {"jwk": _jwk(key), "kid": key.kid}))
_add(
    "jku_header",
    "signed with the sender's own key, to be fetched from its URL",
    _own_key(lambda _: {"jku": "http://127.0.0.1:9/jwks"}),
)
_add(
    "x5u_header",
    "signed with the sender's own key, with a URL of its certificate",
    _own_key(lambda _: {"x5u": "http://127.0.0.1:9/x5u"}),
)
_add("x5c_header", "signed with the sender's own key, with its certificate", _own_key(lambda _: {"x5c": ["MIIB"]}))

# Time


def _claims(name: str, about: str, change: Callable[[dict[str, Any], int], dict[str, Any]]) -> None:
    def make(mint: TokenMint) -> str:
        return mint.forge(mint.header(), change(mint.claims(), int(mint.clock())))

    _add(name, about, make)


_claims("expired", "expired a minute ago", lambda claims, now: {**claims, "iat": now - 960, "exp": now - 60})
_claims("expired_long_ago", "expired at the epoch", lambda claims, now: {**claims, "iat": 0, "exp": 0})
_claims("not_yet_valid", "nbf is in an hour", lambda claims, now: {**claims, "nbf": now + 3600, "exp": now + 7200})
_claims("issued_in_future", "iat is in an hour", lambda claims, now: {**claims, "iat": now + 3600, "exp": now + 7200})
_claims("no_exp", "never expires: no exp", lambda claims, now: _without(claims, "exp"))
for _name, _time in (
    ("null", None), ("text", "4102444800"), ("true", True), ("list", [4_102_444_800]), ("nan", float("nan")),
    ("infinity", float("inf")), ("minus_infinity", float("-inf")), ("beyond_time", 10**50), ("negative", -1),
):  # fmt: skip
    for _claim in ("exp", "nbf", "iat"):
        if _claim == "exp" or _name not in ("negative", "minus_infinity"):
            _claims(f"{_claim}_{_name}", f"{_claim} is {_time!r}", lambda claims, now, c=_claim, v=_time: {**claims, c: v})  # type: ignore[misc]


def _text(name: str, about: str, change: Callable[[str], str], *, header: bool = False) -> None:
    """`change` turns the JSON text of the claims (or of the header) into what json.dumps would never write."""

    def make(mint: TokenMint) -> str:
        import json

        texts = [json.dumps(members, separators=(",", ":")) for members in (mint.header(), mint.claims())]
        texts[0 if header else 1] = change(texts[0 if header else 1])
        return mint.forge(texts[0].encode(), texts[1].encode("utf-8", "surrogatepass"))

    _add(name, about, make)


_text(
    "exp_overflow",
    "exp is 1e999, which is infinite once read",
    lambda text: text[:-1].replace('"exp":', '"exp":1e999,"was":') + "}",
)
_text("exp_digits", "exp has 5000 digits", lambda text: text.replace('"exp":', '"exp":' + "9" * 5000 + ',"was":'))

# From whom, for whom


def _other_than(text: str, change: Callable[[str], object]) -> object:
    """`change(text)`; where that has nothing to change (an issuer without letters), something else that is wrong."""
    changed = change(text)
    return text + "x" if changed == text else changed


for _name, _about, _change in (
    ("wrong_issuer", "of another issuer", lambda iss: "https://evil.example"),
    ("issuer_slash", "a slash too many", lambda iss: iss + "/"),
    ("issuer_upper", "in capitals", lambda iss: iss.upper()),
    ("issuer_part", "a part of the right one", lambda iss: iss[:-1]),
    ("issuer_list", "in a list", lambda iss: [iss]),
    ("issuer_null", "null", lambda iss: None),
    ("issuer_look_alike", "with a Cyrillic letter", lambda iss: iss.replace("e", "\u0435")),
):
    _claims(_name, f"iss: {_about}", lambda claims, now, change=_change: {**claims, "iss": _other_than(claims["iss"], change)})  # type: ignore[misc]
_claims("no_issuer", "no iss", lambda claims, now: _without(claims, "iss"))
for _name, _about, _change in (
    ("wrong_audience", "somebody else's", lambda aud: "https://other.example"),
    ("audience_empty_list", "nobody's", lambda aud: []),
    ("audience_list_of_others", "a list without ours", lambda aud: ["a", "b"]),
    ("audience_mixed", "ours and a number", lambda aud: [aud, 1]),
    ("audience_nested", "ours, in a list of a list", lambda aud: [[aud]]),
    ("audience_part", "a part of ours", lambda aud: aud[:-1]),
    ("audience_joined", "ours and another in one text", lambda aud: f"{aud} other"),
    ("audience_object", "an object", lambda aud: {aud: True}),
    ("audience_null", "null", lambda aud: None),
):
    _claims(_name, f"aud: {_about}", lambda claims, now, change=_change: {**claims, "aud": change(claims["aud"])})  # type: ignore[misc]
_claims("no_audience", "no aud", lambda claims, now: _without(claims, "aud"))
_claims("no_subject", "no sub", lambda claims, now: _without(claims, "sub"))
for _name, _value in (("empty", ""), ("number", 1), ("null", None), ("list", ["alice"])):
    _claims(f"subject_{_name}", f"sub is {_value!r}", lambda claims, now, v=_value: {**claims, "sub": v})  # type: ignore[misc]
_claims("scope_list", "scope is a list, where RFC 8693 wants text", lambda claims, now: {**claims, "scope": ["admin"]})
_claims("scope_contradicted", "scope and scp say different things", lambda claims, now: {**claims, "scope": "a", "scp": ["b"]})

# JSON

_text("duplicate_subject", "sub twice", lambda text: text[:-1] + ',"sub":"mallory"}')
_text("duplicate_escaped", "sub twice, once in another spelling", lambda text: text[:-1] + ',"\\u0073ub":"mallory"}')
_text("duplicate_nested", "a member twice, further in", lambda text: text[:-1] + ',"cnf":{"a":1,"a":2}}')
_text("duplicate_alg", "alg twice", lambda text: '{"alg":"none",' + text[1:], header=True)
_text("nested_deep", "3000 arrays deep", lambda text: text[:-1] + ',"a":' + "[" * 3000 + "]" * 3000 + "}")
_text("nested_deep_objects", "500 objects deep", lambda text: text[:-1] + ',"a":' + '{"a":' * 500 + "1" + "}" * 501)
_text(
    "nested_deep_header",
    "a header 1000 arrays deep",
    lambda text: text[:-1] + ',"a":' + "[" * 1000 + "]" * 1000 + "}",
    header=True,
)
_text("json_garbage", "something after the object", lambda text: text + "x")
_text("json_two", "two objects", lambda text: text + text)
_text("json_comma", "a comma too many", lambda text: text[:-1] + ",}")
_text("json_array", "an array instead of an object", lambda text: f"[{text}]")
_text("json_text", "text instead of an object", lambda text: '"alice"')
_text("json_empty", "no claims at all", lambda text: "{}")
_text("json_nothing", "a single space", lambda text: " ")
_text("json_surrogate", "half a character", lambda text: text[:-1] + ',"a":"\\ud800"}')
_text("json_control", "a line break inside a text", lambda text: text[:-1] + ',"a":"\n"}')
_text("json_bom", "a byte order mark in front", lambda text: "\ufeff" + text)
for _name in ("utf-16", "utf-32", "utf-16-be"):
    _add(
        f"json_{_name.replace('-', '')}", f"claims in {_name.upper()}",
        lambda mint, encoding=_name: mint.forge(mint.header(), _as_json(mint.claims()).encode(encoding)),  # type: ignore[misc]
    )  # fmt: skip
_add(
    "json_not_utf8",
    "claims that are no UTF-8",
    lambda mint: mint.forge(mint.header(), _as_json(mint.claims())[:-1].encode() + b',"a":"\xff"}'),
)


def _as_json(members: dict[str, Any]) -> str:
    import json

    return json.dumps(members, separators=(",", ":"))


# Framing


def _framed(name: str, about: str, change: Callable[[str], str]) -> None:
    _add(name, about, lambda mint: change(mint.good()))


def _trailing_bits(token: str) -> str:
    """The same bytes under another spelling: the last character carries bits that belong to nothing."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, part in enumerate(parts := token.split(".")):
        if len(part) % 4:
            parts[place] = part[:-1] + letters[letters.index(part[-1]) ^ 1]
            return ".".join(parts)
    return token + "A"  # every segment is whole: one character more belongs to nothing either


def _standard_alphabet(mint: TokenMint) -> str:
    """Signed over that spelling: only the alphabet is wrong. A `?` at each of three places: one gives a slash."""
    claims = {**mint.claims(), "a": "????", "b": "????", "c": "????"}
    from ._mint import segment

    signed = f"{segment(mint.header())}.{segment(claims)}".replace("-", "+").replace("_", "/")
    return f"{signed}.{base64url.encode(mint.key.sign(signed.encode())).decode()}"


def _padded_inside(mint: TokenMint) -> str:
    """The padding stands at the end, where RFC 9110's token68 has a place for it."""
    token = mint.good()
    return token + "=" * (-len(token.rpartition(".")[2]) % 4 or 1)


_add("padding", "base64 padding after the signature", _padded_inside)
_framed("trailing_bits", "another spelling of the same bytes", _trailing_bits)
_add("standard_alphabet", "base64 with + and / instead of - and _", _standard_alphabet)
_framed("two_segments", "no third segment", lambda token: token.rpartition(".")[0])
_framed("four_segments", "a fourth segment", lambda token: token + ".e30")
_framed("empty_segment", "an empty fourth segment", lambda token: token + ".")
_framed("five_segments", "as many segments as an encrypted token", lambda token: token + "." + token.rpartition(".")[0])
_add("no_header", "an empty header", lambda mint: mint.forge(b"", mint.claims()))
_add("no_claims", "empty claims", lambda mint: mint.forge(mint.header(), b""))
_framed("one_word", "no token at all", lambda token: "token")
_framed("twice", "two tokens in one", lambda token: f"{token}.{token}")
_claims("huge", "signed, and longer than 16 KiB", lambda claims, now: {**claims, "a": "a" * 16_384})
