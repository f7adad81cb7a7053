"""A delivery that is being written, as its scheme wants it: whatever `reading` will look for is put where it will look."""

from __future__ import annotations

from ..errors import InvalidSignature
from ..http import Headers
from .content import contents
from .mac import encoder
from .places import place
from .sent import Sent, fields, one_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .algorithms import Key
    from .places import Place
    from .scheme import Scheme


class Draft:
    """What will be sent. `added`: the headers that the scheme wants, by the names that the sender uses."""

    __slots__ = ("scheme", "body", "url", "method", "headers", "added", "_options", "_roots", "_members")

    def __init__(
        self,
        scheme: Scheme,
        body: bytes,
        url: str | None,
        method: str,
        headers: Mapping[str, str],
        options: Mapping[str, tuple[str, ...]],
    ) -> None:
        if url is None and scheme.needs:
            raise scheme.no_url()
        self.scheme = scheme
        self.body = body
        self.url = url
        self.method = method
        self.headers = dict(headers)
        self.added: dict[str, str] = {}
        self._options = options
        self._members: dict[str, dict[str, Any]] = {"claim": {}, "jose": {}}
        self._roots: list[tuple[str, ...]] = [()]
        if scheme.each:
            path = tuple(scheme.each.split("."))
            elements = self._sent().member(path)
            if not isinstance(elements, list) or not elements:
                raise ValueError(f"webhook scheme {scheme.name} signs each element of {scheme.each}, and the body has none")
            self._roots = [(*path, str(index)) for index in range(len(elements))]

    def finished(self, keys: Sequence[Key], id: str | None, moment: str | None, *, given: bool) -> None:
        """Write everything, the signatures last. `given`: the time was asked for, and replaces one that is in the body."""
        scheme = self.scheme
        signature, id_place, timestamp_place = scheme.places[0]
        if scheme.rows[0][0].kind == "header":
            self.added[signature] = ""  # the first of them
        for root in self._roots:
            if timestamp_place is not None and moment is not None:
                moment_here: Any = moment if "timestamp" in scheme.fields or scheme.unit == "rfc3339" else int(moment)
                self._put(timestamp_place, moment_here, root, replace=given)
            if id_place is not None and id is not None:
                self._put(id_place, id, root)
            for where, value in scheme.expect:
                self._put(where, self._options[value[1:-1]][0] if value.startswith("{") else value, root, replace=False)
            for where in scheme.idempotency:
                if where in scheme.fields:
                    self._put(where, _random(), root, replace=False)
        if scheme.algorithm.startswith("jws"):
            self._finish_jws(keys[0])
            return
        if scheme.hash_place is not None and self._has_hash():
            self._put(scheme.body_hash, self._hash())
        for root in self._roots:
            self._sign(keys, id, moment, root)

    def _sign(self, keys: Sequence[Key], id: str | None, moment: str | None, root: tuple[str, ...]) -> None:
        scheme = self.scheme
        if scheme.algorithm == "token":
            content = (b"", b"", b"")
        else:
            sent = self._sent()
            if scheme.rows[0][2] is not None:
                moment = next(iter(sent.texts(scheme.rows[0][2], root)), moment)
            hashed = scheme.hash_place is not None and bool(sent.texts(scheme.hash_place, root))
            content = contents(scheme, sent, id, moment, self._options, root, hashed=hashed)[0]
        prefix = scheme.prefix if isinstance(scheme.prefix, str) else scheme.prefix[0]
        items = [prefix + key.sign(content) for key in keys]
        if scheme.separator is None:
            for where, item in zip((scheme.signature[0], *scheme.also), items, strict=False):
                self._put(where, item, root)
            return
        if scheme.timestamp_item is not None:
            items.insert(0, f"{scheme.timestamp_item}{moment}")
        self._put(scheme.signature[0], scheme.separator.join(items), root)

    def _finish_jws(self, key: Any) -> None:
        """A JWT with what the scheme looks for, or a JWS over the body."""
        import json

        scheme = self.scheme
        detached = scheme.algorithm == "jws-detached"
        header = {"alg": key.first, **self._members["jose"]}
        if getattr(key, "kid", None):
            header.setdefault("kid", key.kid)
        if detached:
            header |= {"b64": False, "crit": ["b64"]}
        claims = self._members["claim"]
        if scheme.hash_place is not None:
            claims[scheme.hash_place.name] = self._hash()
        encode = encoder("base64url")
        before = encode(json.dumps(header).encode()) + "." + ("" if detached else encode(json.dumps(claims).encode()))
        signature = key.sign((before.encode(), self.body if detached else b"", b""))
        prefix = scheme.prefix if isinstance(scheme.prefix, str) else scheme.prefix[0]
        self._put(scheme.signature[0], f"{prefix}{before}.{signature}")

    def _has_hash(self) -> bool:
        """Whether the body is none whose fields are signed themselves."""
        if "params" not in self.scheme.fields:
            return True
        kind = next((value for name, value in self.headers.items() if name.lower() == "content-type"), "")
        return bool(self.body) and ("json" in kind or (not kind and self.body[:1] in b"{["))

    def _hash(self) -> str:
        import hashlib

        return encoder(self.scheme.body_hash_encoding)(hashlib.sha256(self.body).digest())

    def _sent(self) -> Sent:
        return Sent(Headers({**self.headers, **self.added}), self.body, self.url, self.method)

    def _put(self, where: str, value: Any, root: tuple[str, ...] = (), *, replace: bool = True) -> None:
        """Write `value` in a place; with `replace` false, only if there is nothing yet."""
        found = place(self.scheme.name, "place", where)
        if found.kind == "header":
            if replace or where.lower() not in {name.lower() for name in self.headers}:
                self.added[where] = str(value)
        elif found.kind in ("claim", "jose"):
            self._members[found.kind][found.name] = value
        elif replace or not self._sent().texts(found, root):
            self._put_outside(found, value, root)

    def _put_outside(self, found: Place, value: Any, root: tuple[str, ...]) -> None:
        """In the body or the URL."""
        from urllib.parse import quote, urlencode

        if found.kind == "body":
            self.body = _with_member(self.scheme, self.body, (*root, *found.path), value)
        elif found.kind == "form":
            rest = [pair for pair in fields(self.body.decode()) if pair[0] != found.name]
            self.body = urlencode([*rest, (found.name, value)]).encode()
        else:
            start, _, query = (self.url or "").partition("?")
            kept = "&".join(pair for pair in query.split("&") if pair and pair.partition("=")[0] != found.name)
            self.url = f"{start}?{kept}{'&' if kept else ''}{found.name}={quote(str(value), safe='')}"


def _with_member(scheme: Scheme, body: bytes, path: Sequence[str], value: Any) -> bytes:
    """The JSON body with one member set."""
    import json

    try:
        whole = one_reading(body)
    except InvalidSignature:
        whole = None
    if not isinstance(whole, (dict, list)):
        raise ValueError(f"webhook scheme {scheme.name} writes into the body, and this one is no JSON object")
    at: Any = whole
    for step in path[:-1]:
        if isinstance(at, dict):
            at = at.setdefault(step, {})
        else:
            at = at[int(step)] if isinstance(at, list) and step.isdigit() else None
    if not isinstance(at, dict):
        raise ValueError(f"webhook scheme {scheme.name} writes into the body, where something else stands")
    at[path[-1]] = value
    return json.dumps(whole, separators=(",", ":")).encode()


def _random() -> str:
    import os

    return os.urandom(25).hex()
