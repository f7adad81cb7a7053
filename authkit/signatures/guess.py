"""What may have become of a signed request on its way, undone one thing at a time: with which of them would it hold?"""

from __future__ import annotations

from ..http import Headers
from .digest import ALGORITHMS, FIELD, content_digest
from .keys import SignatureKey, Unfit, key_of
from .message import Message, target_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .components import Component

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_HOSTS = ("host", "x-forwarded-host", "x-original-host", "x-forwarded-server")
_PORTS = ("443", "80", "8080", "8000", "8443", "3000")
_URL = "verify with the URL that the client addresses: authority= or url= of require_signature"


class Guess:
    """`what` differs, because of `cause`. `message`: the request with that undone; None: the base is written otherwise."""

    __slots__ = ("sort", "what", "cause", "mend", "message", "_written")

    def __init__(
        self,
        sort: str,
        what: str,
        cause: str,
        mend: str,
        message: Message | None = None,
        written: tuple[str, str] | None = None,
    ) -> None:
        self.sort = sort
        self.what = what
        self.cause = cause
        self.mend = mend
        self.message = message
        self._written = written

    def written(self, base: bytes) -> bytes:
        if self._written is None:
            return base
        how, text = self._written
        if how == "parameters":
            return base.rpartition(b'"@signature-params": ')[0] + f'"@signature-params": {text}'.encode("latin-1", "replace")
        return base + b"\n" if how == "newline" else base.replace(b"\n", b"\r\n")


def guesses(
    message: Message, url: str, body: bytes, components: tuple[Component, ...], parameters: str | None
) -> Iterator[Guess]:
    """What to try, the likeliest first."""
    names = {component.name for component in components}
    yield from _targets(message, url)
    for method in _METHODS:
        if "@method" in names and method != message.method:
            cause, mend = (
                "a proxy, a redirect or an override changed the method",
                "verify with the method that the client sends",
            )
            yield Guess("method", f'"@method" was {method}', cause, mend, Message(method, message.target, message.headers))
    for component in components:
        if component.name[0] != "@":
            yield from _fields(message, component.name, body)
    mend = "mend the client: RFC 9421 section 2.5 says how the base is written"
    if parameters is not None:
        cause = "the client signs its parameters in another spelling than we read them in"
        yield Guess("base", '"@signature-params" is written otherwise', cause, mend, written=("parameters", parameters))
    yield Guess("base", "the base ends in a line break", "the client ends the last line too", mend, written=("newline", ""))
    yield Guess("base", "the base has CR LF", "the client ends lines as headers do", mend, written=("crlf", ""))


def _targets(message: Message, url: str) -> Iterator[Guess]:
    scheme, _, rest = url.partition("://")
    authority, slash, tail = rest.partition("/")
    path, mark, query = (slash + tail).partition("?")
    host = authority.rpartition(":")[0] if authority.rpartition(":")[2].isdigit() else authority
    found: list[tuple[str, str, str]] = [
        ('"@authority"', f"the client addresses the host of {name.title()}", f"{scheme}://{value}{slash}{tail}")
        for name in _HOSTS
        for value in message.headers.get_all(name)
    ]
    other = "http" if scheme == "https" else "https"
    found += [("the scheme of the target", f"the client addresses {other}", f"{other}://{rest}")]
    found += [
        ('"@authority"', f"the client signs the port {port}", f"{scheme}://{host}:{port}{slash}{tail}") for port in _PORTS
    ]
    found += [('"@authority"', "the client signs no port", f"{scheme}://{host}{slash}{tail}")]
    head = f"{scheme}://{authority}"
    rest_of_it = mark + query
    changed = path[:-1] if path.endswith("/") else path + "/"
    found += [('"@path"', "a slash at its end was added or taken away", f"{head}{changed}{rest_of_it}")]
    segments = path.split("/")
    found += [
        ('"@path"', f"the first {number} segments, a stage or a mount, are not in what the client addresses",
         f"{head}/{'/'.join(segments[number + 1:])}{rest_of_it}")
        for number in (1, 2)
        if len(segments) > number + 1
    ]  # fmt: skip
    for prefix in message.headers.get_all("x-forwarded-prefix"):
        found += [('"@path"', "X-Forwarded-Prefix was taken away from it", f"{head}{prefix.rstrip('/')}{path}{rest_of_it}")]
    found += [('"@path"', "it was decoded or encoded on its way", f"{head}{one}{rest_of_it}") for one in _spelled(path)]
    found += [('"@query"', "it was decoded or encoded on its way", f"{head}{path}?{one}") for one in _spelled(query)]
    if query:
        found += [('"@query"', "the client does not sign the query that it sends", head + path)]
        found += [
            ('"@query"', "its parameters were put in another order", f"{head}{path}?{'&'.join(sorted(query.split('&')))}")
        ]
    for what, cause, one in found:
        if one != url:
            try:
                target = target_of(one)
            except ValueError:
                continue
            yield Guess("target", f"{what} differs", cause, _URL, Message(message.method, target, message.headers))


def _spelled(text: str) -> list[str]:
    from urllib.parse import quote, unquote

    safe = "/!$&'()*+,;=:@-._~?"
    found = (unquote(text), quote(unquote(text), safe=safe), text.replace("%20", "+"), text.replace("+", "%20"))
    return [one for one in dict.fromkeys(found) if one != text]


def _fields(message: Message, name: str, body: bytes) -> Iterator[Guess]:
    values = message.headers.get_all(name)
    whole = ", ".join(values)
    found = [
        (whole.lower(), "the client signs it in small letters"),
        (",".join(values), "the client joins its lines with a comma alone"),
    ]
    if name == FIELD:
        found += [(content_digest(body, algorithm), "it was replaced on its way") for algorithm in ALGORITHMS]
    if name == "content-type":
        plain = whole.partition(";")[0].strip()
        found += [(plain, "a charset was added to it on its way")]
        found += [(f"{plain};{space}charset={case}", "its charset was dropped or written otherwise on its way")
                  for space in ("", " ") for case in ("utf-8", "UTF-8")]  # fmt: skip
    if name == "content-length":
        found += [(str(len(body)), "it is not the length of this body")]
    if name == "host":
        found += [(value, "a proxy replaced it") for value in message.headers.get_all("x-forwarded-host")]
    for value, cause in found:
        if value != whole:
            others = [(key, one) for key, one in message.headers.items() if key != name]
            changed = Message(message.method, message.target, Headers([*others, (name, value)]))
            yield Guess("field", f'"{name}" differs', cause, "have it handed on as it was sent, or not covered", changed)


def raw_parameters(headers: Headers, label: str) -> str | None:
    """What stands in `Signature-Input` of that signature, if it is the only one there."""
    name, mark, text = ", ".join(headers.get_all("signature-input")).strip().partition("=")
    return text if mark and name == label else None


def keys_again(key: SignatureKey) -> list[tuple[str, SignatureKey]]:
    """The same key, had it been stored in another form. It raises nothing: its frames hold the values."""
    secret = key._secret
    versions = None if secret is None else secret.fresh()
    value = None if versions is None else versions.current
    if not isinstance(value, str):
        return []
    found: list[tuple[str, str | bytes]] = [("there is white space or a line break around the key", value.strip())]
    found += _decoded(value.strip())
    made = [(cause, key_of(one)) for cause, one in found if one != value]
    return [(cause, one) for cause, one in made if not isinstance(one, Unfit)]


def _decoded(text: str) -> list[tuple[str, str | bytes]]:
    import base64

    padded = text + "=" * (-len(text) % 4)
    ways: tuple[tuple[str, Callable[[], bytes]], ...] = (
        ("base64", lambda: base64.b64decode(padded, validate=True)),
        ("base64url", lambda: base64.urlsafe_b64decode(padded)),
        ("hex", lambda: bytes.fromhex(text)),
    )
    found: list[tuple[str, str | bytes]] = []
    for name, decode in ways:
        try:
            found.append((f"the client signs with what the key says in {name}", decode()))
        except ValueError:
            continue
    return found


def bodies(body: bytes) -> Iterator[tuple[bytes, str]]:
    """The body, had it not been changed so."""
    import base64
    import json

    for one in (body + b"\n", body + b"\r\n", body.strip(), body.replace(b"\r\n", b"\n"), body.replace(b"\n", b"\r\n")):
        yield one, "line breaks or spaces at its end were changed"
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        pass
    else:
        for separators in ((",", ":"), (", ", ": ")):
            for ascii_only in (True, False):
                text = json.dumps(whole, separators=separators, ensure_ascii=ascii_only)
                yield text.encode("utf-8", "surrogatepass"), "the JSON was parsed and written again"
    try:
        yield base64.b64decode(body, validate=True), "it is still base64"
    except ValueError:
        pass
    yield base64.b64encode(body), "it was decoded from base64 once too often"
    yield b"", "the client made the digest of no body"
