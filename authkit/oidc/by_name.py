"""`named`: a provider by its name, from whichever installed distribution declares it."""

from __future__ import annotations

from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint
    from typing import Any

GROUP = "authkit.providers"  # of entry points: name = "module:Class"


def named(name: str, **settings: Any) -> Any:
    """The verifier of the provider called `name`, built with `settings`: `named("auth0", domain=..., audience=...)`.

    The names are those of the entry points in the group "authkit.providers", ours and those of any other distribution.
    Raises: `ConfigurationError` if none or several have that name, or it cannot be imported; and as its class does.
    """
    return named_class(name)(**settings)


def named_class(name: str) -> Callable[..., Any]:
    """The class behind `name`; its `from_settings(get)` builds one from AUTHKIT_* settings. Raises: as `named` does."""
    from importlib.metadata import entry_points

    wanted = _plain(name)
    declared = entry_points(group=GROUP)
    found = [point for point in declared if _plain(point.name) == wanted]
    if not found:
        raise ConfigurationError(f"no installed provider has that name; {_known({point.name for point in declared})}")
    if len(found) > 1:
        raise ConfigurationError(f"several distributions declare the provider {wanted!r}: {', '.join(map(_origin, found))}")
    try:
        kind = found[0].load()
    except (ImportError, AttributeError) as error:
        place = f"{type(error).__name__} at {found[0].value}: {error}"
        raise ConfigurationError(f"the provider {wanted!r} cannot be loaded: {place}") from None
    if not callable(kind):
        raise ConfigurationError(f"the provider {wanted!r} is no class: {found[0].value}")
    return kind  # type: ignore[no-any-return]


def _plain(name: object) -> str:
    if not isinstance(name, str):
        raise ConfigurationError("a provider's name is text")
    return name.strip().lower().replace("-", "_")


def _known(names: set[str]) -> str:
    if names:
        return f"known are {', '.join(sorted(names))}"
    return "none is known: names are read from the *.dist-info folders of what is installed"


def _origin(point: EntryPoint) -> str:
    return f"{point.dist.name if point.dist is not None else 'a distribution'} ({point.value})"
