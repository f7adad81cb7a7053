"""What has to be covered: a signature over less says nothing about the rest, which anybody may have changed."""

from __future__ import annotations

from ..errors import ConfigurationError, InvalidSignature
from .components import Component
from .digest import FIELD
from .structured import Item, parse_dictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .message import Message

WHOLE_TARGET = "@target-uri"


def wanted(setting: str, names: Iterable[str]) -> tuple[Component, ...]:
    """Components named in a setting: `"@method"`, `"x-tenant"`, or with parameters as in a field: `'"x-list";bs'`.

    Raises: `ConfigurationError` for a component that no request has.
    """
    if isinstance(names, (str, bytes)):
        raise ConfigurationError(f"{setting} is a list of components, not one text")
    found = []
    for name in names:
        try:
            text = name if isinstance(name, str) and name[:1] == '"' else str(Item(name))
            member = parse_dictionary(f"it={text}")["it"]
            if not isinstance(member, Item):
                raise ValueError
            found.append(Component(member))
        except (InvalidSignature, TypeError, ValueError, AttributeError):
            raise ConfigurationError(f"{setting} names a component that no request has: names are in lower case") from None
    return tuple(found)


def check_components(components: tuple[Component, ...], required: tuple[Component, ...]) -> None:
    """Every component of `required` is covered. Raises: `InvalidSignature` with `not_covered`."""
    covered = {component.identity for component in components}
    if not all(component.identity in covered for component in required):
        raise InvalidSignature("not_covered")


def check_target(message: Message, components: tuple[Component, ...]) -> None:
    """The method and the whole target are covered: `@target-uri`, or authority, path and query.

    Instead of `@query`, every parameter of the query may be covered by `@query-param`: where a host knows the query only as
    decoded parameters, that is the one way. Raises: `InvalidSignature` with `not_covered`.
    """
    names = {component.name for component in components}
    if "@method" not in names:
        raise InvalidSignature("not_covered")
    if WHOLE_TARGET in names:
        return
    whole = "@request-target" in names
    if "@authority" not in names or not (whole or "@path" in names):
        raise InvalidSignature("not_covered")
    if whole or "@query" in names:
        return
    singly = {component.parameters["name"] for component in components if component.name == "@query-param"}
    if not singly or singly != message.target.parameters().keys():
        raise InvalidSignature("not_covered")


def check_body(components: tuple[Component, ...], compared: frozenset[str]) -> None:
    """A digest that was compared with the body is covered. Raises: `InvalidSignature` with `body_not_covered`."""
    for component in components:
        if component.name == FIELD and component.parameters.get("key", next(iter(compared), None)) in compared:
            return
    raise InvalidSignature("body_not_covered")
