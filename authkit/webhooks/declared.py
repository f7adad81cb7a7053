"""What may not be declared together: a scheme that contradicts itself is refused when it is built."""

from __future__ import annotations

from ..errors import ConfigurationError
from .content import FORMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .places import Place
    from .scheme import Scheme

JWS = ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SIGNED_WITH_JWS = ("claim", "jose")


def check(scheme: Scheme) -> None:
    """Raises: `ConfigurationError`, naming the scheme and what is wrong with it."""
    wrong = _reading(scheme) or _time(scheme) or _key(scheme) or _rest(scheme)
    if wrong:
        raise ConfigurationError(f"scheme {scheme.name}: {wrong}")


def _reading(scheme: Scheme) -> str | None:
    if not scheme.signature:
        return "signature names no place"
    if scheme.timestamp and scheme.timestamp_item is not None:
        return "timestamp is a place of its own or an item of the signature, not both"
    if scheme.timestamp_item is not None and (scheme.separator is None or not scheme.timestamp_item or not scheme.prefix):
        return "timestamp_item needs a separator and a prefix"
    prefixes, mark = (scheme.prefix,) if isinstance(scheme.prefix, str) else scheme.prefix, scheme.timestamp_item
    if mark is not None and any(mark.startswith(one) or one.startswith(mark) for one in prefixes):
        return "timestamp_item and prefix begin alike: one would be read as the other"
    if not "".join((*prefixes, mark or "", scheme.separator or "")).isascii():
        return "separator, prefix and timestamp_item are ASCII, as every signature is"
    if scheme.separator == "":
        return "separator is empty; None means that there is one signature"
    if isinstance(scheme.prefix, tuple) and not all(scheme.prefix):
        return "of several prefixes none is empty"
    if any(len(names) > 1 and len(names) != len(scheme.signature) for names in (scheme.id, scheme.timestamp)):
        return "fallbacks go together: as many of each as of signature"
    if "id" in scheme.fields and not scheme.id:
        return "{id} is signed and no place says it"
    return None


def _time(scheme: Scheme) -> str | None:
    """A time is signed as itself, or by standing in what is signed."""
    kinds = {row[2].kind for row in scheme.rows if row[2] is not None}
    if "timestamp" in scheme.fields:
        return None if scheme.timed else "{timestamp} is signed and no place says it"
    covered = {kind for kind in kinds if _covers(scheme, kind)}
    # what each member signs, as SNS does, is told by its name
    named = all(row[2] is None or _is_named(scheme, row[2].name) for row in scheme.rows)
    if scheme.timed and not (kinds and (covered == kinds or named)):
        return "a timestamp is signed exactly if there is a place to read it from"
    return None


def _covers(scheme: Scheme, kind: str) -> bool:
    if kind in _SIGNED_WITH_JWS:
        return scheme.algorithm.startswith("jws")
    if kind == "query":
        return "url" in scheme.fields
    return kind in ("body", "form") and scheme.covers_body


def _is_signed(scheme: Scheme, one: Place) -> bool:
    """Whether what stands there is signed, with the whole body or by itself."""
    field = f"{one.kind}:{one.name}"
    return (
        scheme.covers_body or bool(scheme.fields & {field, f"{field}?"}) or (one.kind == "body" and _is_line(scheme, one.name))
    )


def _is_named(scheme: Scheme, name: str) -> bool:
    return _is_line(scheme, name) or "signed_headers" in {field.partition(":")[0] for field in scheme.fields}


def _is_line(scheme: Scheme, name: str) -> bool:
    lines = [field.partition(":")[2] for field in scheme.fields if field.startswith("lines:")]
    return any(name in line.split(",") for line in lines)


def _key(scheme: Scheme) -> str | None:
    is_jws = scheme.algorithm.startswith("jws")
    if bool(scheme.jws) != is_jws or not set(scheme.jws) <= set(JWS):
        return f"jws lists what a JWS may be signed with, of {', '.join(JWS)}"
    if any(alg.startswith("HS") for alg in scheme.jws) and not all(alg.startswith("HS") for alg in scheme.jws):
        return "jws lists secrets or key pairs, not both: whoever sends would choose"
    if (scheme.algorithm in ("ed25519", "ecdsa", "rsa")) and scheme.encoding == "text":
        return "encoding text is for tokens"
    if scheme.algorithm in ("ecdsa", "rsa") and scheme.key not in ("pem", "der", "fetched"):
        return "key of ecdsa and rsa is pem, der or fetched"
    if scheme.algorithm in ("hmac", "digest", "token") and scheme.key not in ("text", "base64", "hex"):
        return "key of a shared secret is text, base64 or hex"
    if (scheme.key == "fetched") != bool(scheme.key_from and scheme.key_url):
        return "a fetched key wants key_from and key_url, and no other wants them"
    return None


def _looks_at_body(scheme: Scheme) -> bool:
    kinds = {field.partition(":")[0] for field in scheme.fields}
    return bool(kinds & {"body", "form", "lines", "body_sha256", "body_crc32", "params"}) or scheme.hash_place is not None


def _rest(scheme: Scheme) -> str | None:
    if not isinstance(scheme.max_body, int) or scheme.max_body < 1:
        return "max_body is a number of bytes"
    if not scheme.urls or not set(scheme.urls) <= set(FORMS):
        return f"urls are of {', '.join(FORMS)}"
    if scheme.algorithm in ("token", "jws", "jws-detached") and scheme.signed not in ("", "{body}"):
        return "signed is for signatures: a token signs nothing, and a JWS says itself what it signs"
    if scheme.algorithm not in ("token", "jws", "jws-detached") and not _looks_at_body(scheme):
        return "signed has {body}, or something of it: else the signature of one delivery would do for any other"
    if any(one.kind not in ("body", "form") for one in scheme.event_places):
        return "idempotency is in the body, as body: or form:, and what a header says is id"
    if scheme.algorithm != "token" and not all(_is_signed(scheme, one) for one in scheme.event_places):
        return "idempotency is signed: with one that is not, a delivery that was seen is sent again as another event"
    if scheme.handshake is not None and not (isinstance(scheme.handshake, str) and scheme.handshake):
        return "handshake is a name"
    return None
