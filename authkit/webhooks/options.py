"""What a scheme wants to be told beside the secret: PayPal's `webhook_id`, the `topic_arn` of Amazon SNS."""

from __future__ import annotations

from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .scheme import Scheme


def settled(scheme: Scheme, options: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The values of each option: one text, or several of which any will do.

    Raises: `ConfigurationError` for one that is missing, that the scheme does not know, or that is no text.
    """
    for name in options:
        if name not in scheme.options:
            known = f"; known: {', '.join(scheme.options)}" if scheme.options else ""
            raise ConfigurationError(f"webhook scheme {scheme.name} has no option {name}{known}")
    found = {}
    for name in scheme.options:
        value = options.get(name)
        values = (
            (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple, set, frozenset)) else ()
        )
        if not values or not all(isinstance(one, str) and one.strip() for one in values):
            raise ConfigurationError(f"webhook scheme {scheme.name}: pass {name}=, as text, or several of them")
        found[name] = values
    return found
