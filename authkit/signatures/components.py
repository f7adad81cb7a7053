"""The components that a signature covers (RFC 9421 section 2), and the signature base that they make (section 2.5)."""

from __future__ import annotations

import re

from ..errors import InvalidSignature
from .message import encoded
from .structured import InnerList, Item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .message import Message
    from .structured import Bare

_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
# Dictionaries that we know to be such; of others nobody told us the type, so that `sf` cannot be honoured (section 2.1.1).
_DICTIONARIES = frozenset(("content-digest", "repr-digest", "signature", "signature-input"))


class Component:
    """One covered component. `text` is its identifier as it stands in the signature base."""

    __slots__ = ("name", "parameters", "text")

    def __init__(self, item: Item) -> None:
        """Raises: `InvalidSignature` with `component_refused` for one that is unknown, or not for requests."""
        name, parameters = item.value, dict(item.parameters)
        if type(name) is not str or not _fits(name, parameters):
            raise InvalidSignature("component_refused")
        self.name = name
        self.parameters = parameters
        self.text = str(item)

    @property
    def identity(self) -> tuple[str, frozenset[tuple[str, Bare]]]:
        """What makes it the same as another, in whatever order its parameters stand (section 2)."""
        return self.name, frozenset(self.parameters.items())

    def value(self, message: Message) -> str:
        """What stands in the signature base. Raises: `InvalidSignature` where the message has no such part."""
        found = _DERIVED[self.name](message, self) if self.name[0] == "@" else _field(message, self)
        if not found.isascii() or not (found.isprintable() or found.replace("\t", " ").isprintable()):
            raise InvalidSignature("component_malformed")
        return found


def components_of(covered: InnerList) -> tuple[Component, ...]:
    """What is covered, in order. Raises: `InvalidSignature` with `component_refused`, or `component_repeated`."""
    components = tuple(Component(item) for item in covered.items)
    if len({component.identity for component in components}) != len(components):
        raise InvalidSignature("component_repeated")
    return components


def signature_base(message: Message, covered: InnerList, components: tuple[Component, ...]) -> bytes:
    """What is signed (section 2.5). Raises: `InvalidSignature` where the message lacks what is covered."""
    lines = [f"{component.text}: {component.value(message)}\n" for component in components]
    return "".join((*lines, f'"@signature-params": {covered}')).encode("ascii")


def _fits(name: str, parameters: dict[str, Bare]) -> bool:
    if name == "@query-param":
        return set(parameters) == {"name"} and type(parameters["name"]) is str
    if name[:1] == "@":
        return name in _DERIVED and not parameters
    if not _FIELD_NAME.fullmatch(name) or not set(parameters) <= {"sf", "key", "bs"}:  # req, tr: not in a request's header
        return False
    if "bs" in parameters:
        return len(parameters) == 1 and parameters["bs"] is True
    if "key" in parameters and type(parameters["key"]) is not str:
        return False
    return "sf" not in parameters or (parameters["sf"] is True and ("key" in parameters or name in _DICTIONARIES))


def _field(message: Message, component: Component) -> str:
    """A header field, its lines combined (section 2.1)."""
    lines = [line.strip(" \t") for line in message.headers.get_all(component.name)]
    if not lines:
        raise InvalidSignature("component_missing")
    if "bs" in component.parameters:
        if not all(line.isascii() for line in lines):
            raise InvalidSignature("component_malformed")
        return ", ".join(str(Item(line.encode("ascii"))) for line in lines)
    whole = ", ".join(lines)
    if not component.parameters:
        return whole
    from .structured import dictionary_text

    members = message.dictionary(component.name)
    key = component.parameters.get("key")
    if key is None:
        return dictionary_text(members)
    member = members.get(str(key))
    if member is None:
        raise InvalidSignature("component_missing")
    return str(member)


def _said(value: str | None, reason: str) -> str:
    if value is None:
        raise InvalidSignature(reason)
    return value


def _method(message: Message, _: Component) -> str:
    return message.method


def _authority(message: Message, _: Component) -> str:
    return _said(message.target.authority, "authority_not_configured")


def _scheme(message: Message, _: Component) -> str:
    return _said(message.target.scheme, "authority_not_configured")


def _path(message: Message, _: Component) -> str:
    return _said(message.target.path, "path_not_exact")


def _query(message: Message, _: Component) -> str:
    return "?" + _said(message.target.query, "query_not_exact")


def _request_target(message: Message, component: Component) -> str:
    query = _query(message, component)
    return _path(message, component) + (query if query != "?" else "")


def _target_uri(message: Message, component: Component) -> str:
    return f"{_scheme(message, component)}://{_authority(message, component)}{_request_target(message, component)}"


def _query_param(message: Message, component: Component) -> str:
    values = message.target.parameters().get(str(component.parameters["name"]), ())
    if len(values) != 1:  # "If a parameter name occurs multiple times in a request, [it] MUST NOT be included": section 2.2.8
        raise InvalidSignature("component_repeated" if values else "component_missing")
    return encoded(values[0])


_DERIVED: dict[str, Callable[[Message, Component], str]] = {
    "@method": _method,
    "@target-uri": _target_uri,
    "@authority": _authority,
    "@scheme": _scheme,
    "@request-target": _request_target,
    "@path": _path,
    "@query": _query,
    "@query-param": _query_param,
}
