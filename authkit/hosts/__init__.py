"""Hosts: what calls a handler. Each file recognises its own calls; a call that none recognises never runs unguarded."""

from __future__ import annotations

import sys
from importlib import import_module

from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..http import Request
    from ._host import Host

# name -> (module of ours, module that must be loaded before this host can be calling us). In the order in which they are asked.
_HOSTS: dict[str, tuple[str, str | None]] = {
    "function": ("function", None),
    "aws_lambda": ("aws_lambda", None),
    "asgi": ("asgi", None),
    "wsgi": ("wsgi", None),
    "django": ("django", "django.http"),
    "starlette": ("starlette", "starlette.requests"),
    "aiohttp": ("aiohttp", "aiohttp.web"),
    "flask": ("flask", "flask"),
}
_ALIASES = {"lambda": "aws_lambda", "fastapi": "starlette", "plain": "function"}

_loaded: dict[str, Host] = {}
_last: dict[object, Host] = {}  # type of the first argument -> the host that recognised such a call last


def named(name: str) -> Host:
    """The host of this name. Raises: `ConfigurationError` for a name that is none."""
    name = _ALIASES.get(name, name)
    host = _loaded.get(name)
    if host is None:
        if name not in _HOSTS:
            raise ConfigurationError(f"host={name!r} is not one of {', '.join(sorted([*_HOSTS, *_ALIASES]))}")
        host = _loaded[name] = import_module(f".{_HOSTS[name][0]}", __name__).HOST
    return host


def recognise(args: tuple[Any, ...], kwargs: dict[str, Any], only: Host | None) -> tuple[Host, Request]:
    """The host that is calling, and its request. Raises: `TypeError` if no host knows this call; the handler does not run."""
    if only is not None:
        framework = _HOSTS[only.name][1]
        request = only.read(args, kwargs) if framework is None or framework in sys.modules else None
        if request is None:
            raise TypeError(f"this is not a call of host={only.name!r}")
        return only, request
    key = type(args[0]) if args else None
    host = _last.get(key)
    if host is not None:
        request = host.read(args, kwargs)
        if request is not None:
            return host, request
    for name, (_, framework) in _HOSTS.items():
        if framework is None or framework in sys.modules:  # a framework that is not loaded is not calling us
            host = named(name)
            request = host.read(args, kwargs)
            if request is not None:
                if len(_last) < 256:
                    _last[key] = host
                return host, request
    shown = ", ".join([type(value).__name__ for value in args] + [f"{name}=" for name in kwargs])
    raise TypeError(
        f"no host recognises the call ({shown}): authkit guards HTTP handlers. If this is one, name its host: "
        "guard(handler, host=...)"
    )


def proxy(name: str) -> Callable[..., Any]:
    """The host file's function of that name, loaded when it is needed: `proxy("fastapi:dependency")`."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(f".{module}", __name__), attribute)  # type: ignore[no-any-return]
