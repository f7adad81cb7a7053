"""Where a scheme says that something stands: a header, a place in the body or the URL, or in a signed token.

`"X-Signature"` is a header. `"body:a.b.0"` is a path in the JSON body, `"form:name"` a field of a form in the body,
`"query:name"` a parameter of the URL, `"claim:iat"` a claim of the JWS that is the signature and `"jose:kid"` a member of its
header.
"""

from __future__ import annotations

from ..decision import _Value
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("body", "form", "query", "claim", "jose")

_set = object.__setattr__


class Place(_Value):
    """One place. `kind`: "header" or one of `KINDS`. `name`: the header in lower case, the field, or the path.

    `path`: the steps of it.
    """

    __slots__ = ("kind", "name", "path")
    kind: str
    name: str
    path: tuple[str, ...]

    def __init__(self, kind: str, name: str) -> None:
        _set(self, "kind", kind)
        _set(self, "name", name)
        _set(self, "path", tuple(name.split(".")) if kind == "body" else (name,))

    def __repr__(self) -> str:
        return f"<Place {self.kind}:{self.name}>"


def place(scheme: str, field: str, text: str) -> Place:
    """The place that `text` names. Raises: `ConfigurationError`, naming the field of the scheme."""
    kind, colon, name = text.partition(":")
    if colon:
        if kind not in KINDS or not name:
            raise ConfigurationError(
                f"scheme {scheme}: {field} is a header, or one of {', '.join(KINDS)} with a colon and a name"
            )
        return Place(kind, name)
    if not text or not text.isascii() or not text.replace("-", "").replace("_", "").isalnum():
        raise ConfigurationError(f"scheme {scheme}: {field} is no header name")
    return Place("header", text.lower())


def places(scheme: str, field: str, texts: str | Sequence[str]) -> tuple[Place, ...]:
    """The places that are named, in order."""
    return tuple(place(scheme, field, text) for text in ((texts,) if isinstance(texts, str) else texts))
