"""What a client asks a token endpoint for: for which API, what for, and whatever else one server wants."""

from __future__ import annotations

from ..errors import ConfigurationError
from .token_endpoint import TokenEndpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def asked_for(audience: object, resource: Any, scopes: Any) -> dict[str, Any]:
    """The fields of a form that say for which API a token is, and what for. Raises: `ConfigurationError`."""
    named = () if resource is None else (resource,) if isinstance(resource, str) else tuple(resource)
    wanted = tuple(scopes.split()) if isinstance(scopes, str) else tuple(scopes)
    if audience is not None and (type(audience) is not str or not audience):
        raise ConfigurationError("audience is text, and not empty")
    if (resource is not None and not named) or not all(type(one) is str and one and "#" not in one for one in named):
        raise ConfigurationError("resource is a URI without fragment, or several")  # RFC 8707 section 2
    if not all(type(one) is str and one and not any(char.isspace() for char in one) for one in wanted):
        raise ConfigurationError("scopes is a list of names without spaces")
    form: dict[str, Any] = {} if audience is None else {"audience": audience}
    if named:
        form["resource"] = list(named)
    if wanted:
        form["scope"] = " ".join(wanted)
    return form


def extra_fields(given: Any) -> dict[str, str]:
    ours = ("grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "grant", "self")
    fields = dict(given or {})
    if not all(type(name) is str and type(value) is str and name not in ours for name, value in fields.items()):
        raise ConfigurationError("fields is a dict of text, without what shows who asks")
    return fields


def endpoint_of(*given: Any, **settings: Any) -> tuple[TokenEndpoint | None, str]:
    """The endpoint, or what is wrong. It raises nothing: its frame holds secrets."""
    try:
        return TokenEndpoint(*given, **settings), ""
    except ConfigurationError as error:
        return None, str(error)
