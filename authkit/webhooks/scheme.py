"""`Scheme`: how one sender signs, declared and not coded. Signing, verifying and test fixtures are driven by it alike."""

from __future__ import annotations

from ..decision import _Value
from ..errors import ConfigurationError
from .content import SIMPLE, compiled
from .places import Place, place, places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from .content import Segment

ALGORITHMS = ("hmac", "digest", "ed25519", "ecdsa", "rsa", "token", "jws", "jws-detached")
HASHES = ("sha256", "sha1", "sha384", "sha512")
KEYS = ("text", "base64", "hex", "pem", "der", "fetched")
ENCODINGS = ("hex", "base64", "base64url", "text")
UNITS = ("s", "ms", "rfc3339")
TOLERANCE = 300.0  # seconds both ways, where a scheme with a timestamp states none
MAX_BODY = 1_048_576  # bytes, where a scheme states none

_set = object.__setattr__


class Scheme(_Value):
    """How one sender signs its webhooks. It is judged when built: `ConfigurationError` names the field that is wrong.

    Where things stand (`places` says how that is written; a plain name is a header): `signature`, `id`, `timestamp`; several
    are fallbacks, and those at the same index belong together. `also`: more places that may hold a signature, where the sender
    makes one under each of its keys. `separator` and `prefix` say how the signature is read: it is split at `separator`
    (None: it is one item), and an item that starts with `prefix` (one of several, if it is a tuple) is a signature.
    `timestamp_item`: an item that starts so is the timestamp. `each`: a list in the JSON body, each element of which is signed
    by itself; places in the body then begin there.

    What is signed: `signed`, a template (`content` lists its fields). A timestamp in a header or item that is not signed is
    refused: its age would say nothing. `urls`: the forms in which the URL may have been signed. `body_hash`: where a hash of
    the body stands that is signed, in `body_hash_encoding`; in the URL it may be missing, elsewhere not.

    How: `algorithm` "hmac", "digest" (of secret and content), "ed25519", "ecdsa" (P-256, DER), "rsa" (PKCS1 v1.5), "token" (the
    secret itself is sent), "jws" (the signature is a JWT) and "jws-detached" (its payload is the body). `hash` of the first
    two, ECDSA and RSA; `jws`: the algorithms that a JWS may have. `key`: how the secret as the provider shows it becomes the
    key: its "text", what it says in "base64" or "hex" after `key_prefix` if it has that, a "pem" (key or certificate), "der" in
    base64, or "fetched": there is no secret, the key is at `key_from` (a URL that `key_url`, a regular expression, matches as a
    whole). `encoding` of the signature; hex in either case.
    `unit` of the timestamp: "s" or "ms" since the epoch, or "rfc3339". `tolerance`: seconds that it may differ from our clock,
    both ways. `max_body`: bytes. `verified`: the sender's own documents or code were read, not hearsay.

    `expect`: what has to stand somewhere, as text, or `{name}` for an option of the `Verifier`: one of its values.
    `idempotency`: where the sender's name for the event stands, for schemes that sign no id. `handshake`: the name of the one
    that the sender asks for.

    What follows from these: `timed`: deliveries carry a signed time; `signed_id`: and a signed id; `covers_body`: the body
    cannot be changed; `options`: what a `Verifier` has to be told; `keyless`: it takes no secret; `asymmetric`: who verifies
    cannot sign; `needs`: "url" or "target" (path and query), if the signature cannot be read without; `plain`: an HMAC with
    everything in headers, read the short way.
    """

    __slots__ = (
        "name", "signature", "also", "separator", "prefix", "timestamp_item", "each", "id", "timestamp", "signed", "urls",
        "body_hash", "body_hash_encoding", "algorithm", "hash", "jws", "key", "key_prefix", "key_from", "key_url", "encoding",
        "unit", "tolerance", "max_body", "verified", "expect", "idempotency", "handshake",
        "timed", "signed_id", "covers_body", "options", "plain", "needs", "places", "rows", "wanted", "after_id", "fields",
        "segments", "hash_place", "key_places", "also_places", "expected", "event_places",
    )  # fmt: skip
    name: str
    signature: tuple[str, ...]
    also: tuple[str, ...]
    separator: str | None
    prefix: str | tuple[str, ...]
    timestamp_item: str | None
    each: str
    id: tuple[str, ...]
    timestamp: tuple[str, ...]
    signed: str
    urls: tuple[str, ...]
    body_hash: str
    body_hash_encoding: str
    algorithm: str
    hash: str
    jws: tuple[str, ...]
    key: str
    key_prefix: str | tuple[str, ...]
    key_from: tuple[str, ...]
    key_url: str
    encoding: str
    unit: str
    tolerance: float
    max_body: int
    verified: bool
    expect: tuple[tuple[str, str], ...]
    idempotency: tuple[str, ...]
    handshake: str | None
    timed: bool
    signed_id: bool
    covers_body: bool
    options: tuple[str, ...]
    plain: bool
    needs: str | None
    places: tuple[tuple[str, str | None, str | None], ...]
    rows: tuple[tuple[Place, Place | None, Place | None], ...]
    wanted: frozenset[str]
    after_id: str
    fields: frozenset[str]
    segments: tuple[Segment, ...]
    hash_place: Place | None
    key_places: tuple[Place, ...]
    also_places: tuple[Place, ...]
    expected: tuple[tuple[Place, str], ...]
    event_places: tuple[Place, ...]

    def __init__(
        self,
        name: str,
        *,
        signature: str | Sequence[str],
        also: str | Sequence[str] = (),
        separator: str | None = None,
        prefix: str | tuple[str, ...] = "",
        timestamp_item: str | None = None,
        each: str = "",
        id: str | Sequence[str] = (),
        timestamp: str | Sequence[str] = (),
        signed: str = "{body}",
        urls: Sequence[str] = ("as_given",),
        body_hash: str = "",
        body_hash_encoding: Literal["hex", "base64", "base64url"] = "hex",
        algorithm: Literal["hmac", "digest", "ed25519", "ecdsa", "rsa", "token", "jws", "jws-detached"] = "hmac",
        hash: Literal["sha256", "sha1", "sha384", "sha512"] = "sha256",
        jws: Sequence[str] = (),
        key: Literal["text", "base64", "hex", "pem", "der", "fetched"] = "text",
        key_prefix: str | tuple[str, ...] = "",
        key_from: str | Sequence[str] = (),
        key_url: str = "",
        encoding: Literal["hex", "base64", "base64url", "text"] = "hex",
        unit: Literal["s", "ms", "rfc3339"] = "s",
        tolerance: float = TOLERANCE,
        max_body: int = MAX_BODY,
        verified: bool = False,
        expect: dict[str, str] | Sequence[tuple[str, str]] = (),
        idempotency: str | Sequence[str] = (),
        handshake: str | None = None,
    ) -> None:
        given = {
            "name": name, "signature": _texts(signature), "also": _texts(also), "separator": separator, "prefix": prefix,
            "timestamp_item": timestamp_item, "each": each, "id": _texts(id), "timestamp": _texts(timestamp), "signed": signed,
            "urls": tuple(urls), "body_hash": body_hash, "jws": tuple(jws), "key_prefix": key_prefix,
            "key_from": _texts(key_from), "key_url": key_url,
            "tolerance": checked_tolerance(tolerance), "max_body": max_body, "verified": verified,
            "expect": tuple(expect.items()) if isinstance(expect, dict) else tuple(expect), "idempotency": _texts(idempotency),
            "handshake": handshake,
            "body_hash_encoding": _one_of(name, "body_hash_encoding", body_hash_encoding, ENCODINGS[:3]),
            "algorithm": _one_of(name, "algorithm", algorithm, ALGORITHMS), "hash": _one_of(name, "hash", hash, HASHES),
            "key": _one_of(name, "key", key, KEYS), "encoding": _one_of(name, "encoding", encoding, ENCODINGS),
            "unit": _one_of(name, "unit", unit, UNITS),
        }  # fmt: skip
        for field, value in given.items():
            _set(self, field, value)
        self._derive()
        from .declared import check

        check(self)

    def _derive(self) -> None:
        name = self.name
        rows = [
            (place(name, "signature", text), _at(name, "id", self.id, at), _at(name, "timestamp", self.timestamp, at))
            for at, text in enumerate(self.signature)
        ]
        segments = compiled(name, self.signed)
        fields = frozenset(field for field, _ in segments if field)
        expected = tuple((place(name, "expect", where), value) for where, value in self.expect)
        asked = [value[1:-1] for _, value in expected if value.startswith("{")]
        asked += [field.partition(":")[2] for field in sorted(fields) if field.startswith("option:")]
        also = places(name, "also", self.also)
        hash_place = place(name, "body_hash", self.body_hash) if self.body_hash else None
        key_places = places(name, "key_from", self.key_from)
        event_places = places(name, "idempotency", self.idempotency)
        everything = [one for row in rows for one in row if one is not None]
        everything += [*also, *(one for one, _ in expected), *key_places, *([hash_place] if hash_place is not None else [])]
        headers = [one.name for one in (*everything, *event_places) if one.kind == "header"]
        headers += ["*" for field in fields if field.startswith("signed_headers:")]  # any header may be
        headers += [field.partition(":")[2].removesuffix("?").lower() for field in fields if field.startswith("header:")]
        timestamps = [row[2] for row in rows if row[2] is not None]
        derived = {
            "rows": tuple(rows),
            "places": tuple((text, _nth(self.id, at), _nth(self.timestamp, at)) for at, text in enumerate(self.signature)),
            "wanted": frozenset(headers),
            "segments": segments,
            "fields": fields,
            "options": tuple(dict.fromkeys(asked)),
            "also_places": also,
            "expected": expected,
            "hash_place": hash_place,
            "key_places": key_places,
            "event_places": event_places,
            "timed": bool(timestamps) or self.timestamp_item is not None,
            "signed_id": "id" in fields,
            "after_id": self.signed.partition("{id}")[2].partition("{")[0],
            "needs": _needs(everything, fields),
            "covers_body": self.algorithm != "token"
            and (
                bool(fields & {"body", "body_sha256"})
                or (hash_place is not None and hash_place.kind != "query")  # there it may be missing
                or self.algorithm == "jws-detached"
            ),
            "plain": self.algorithm == "hmac"
            and self.encoding != "text"
            and isinstance(self.prefix, str)
            and not (also or expected or hash_place or key_places or self.each)
            and self.urls == ("as_given",)
            and fields <= set(SIMPLE)
            and "body" in fields
            and all(one.kind == "header" for one in everything),
        }
        for field, value in derived.items():
            _set(self, field, value)

    @property
    def keyless(self) -> bool:
        return self.key == "fetched"

    @property
    def asymmetric(self) -> bool:
        return self.algorithm in ("ed25519", "ecdsa", "rsa") or (
            self.algorithm.startswith("jws") and not any(alg.startswith("HS") for alg in self.jws)
        )

    def but(self, **changes: Any) -> Scheme:
        """This scheme with some fields changed: another header, another name."""
        kept = {
            field: getattr(self, field)
            for field in Scheme.__slots__[: Scheme.__slots__.index("handshake") + 1]
            if field not in changes
        }
        return Scheme(**{**kept, **changes})

    def no_url(self) -> ConfigurationError:
        """What is wrong where a URL is needed and none was given."""
        if self.needs == "url":
            return ConfigurationError(f"webhook scheme {self.name} signs the URL: pass url=, as the sender knows it")
        return ConfigurationError(f"webhook scheme {self.name} reads the path and query: pass url=")

    def __repr__(self) -> str:
        return f"<Scheme {self.name}>"


def checked_tolerance(tolerance: float) -> float:
    """`tolerance`, if it is one. Raises: `ConfigurationError`: no value of it switches the check off."""
    if not isinstance(tolerance, (int, float)) or isinstance(tolerance, bool) or not 0 < tolerance < float("inf"):
        raise ConfigurationError("tolerance is a positive number of seconds; it cannot be switched off")
    return tolerance


def _needs(everything: list[Place], fields: frozenset[str]) -> str | None:
    if fields & {"url"}:
        return "url"
    return "target" if fields & {"path", "query"} or any(one.kind == "query" for one in everything) else None


def _nth(names: tuple[str, ...], at: int) -> str | None:
    return names[min(at, len(names) - 1)] if names else None


def _at(scheme: str, field: str, names: tuple[str, ...], at: int) -> Place | None:
    text = _nth(names, at)
    return None if text is None else place(scheme, field, text)


def _texts(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _one_of(scheme: str, field: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ConfigurationError(f"scheme {scheme}: {field} is one of {', '.join(known)}")
    return value
