"""What FastAPI needs beyond Starlette: signatures that hide what guards fill in, and the dependency."""

from __future__ import annotations

import sys
from functools import partial
from types import FunctionType, MethodType

from ..errors import ConfigurationError
from .starlette import REQUEST, RESPONSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn


_GENERATOR = 0x20  # CO_GENERATOR of the inspect module


class _NotStreaming:
    """The parameter by which FastAPI finds out that it may not have this endpoint: it streams what a generator function
    yields and calls it on the event loop, where a sync guard would block and could not refuse any more."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> NoReturn:
        raise ConfigurationError("a guard cannot decorate an endpoint that yields: give its route Depends(guard.dependency)")


def fit_signature(wrapper: Any, handler: Callable[..., Any], filled: tuple[str, ...]) -> None:
    """Give `wrapper` the signature that FastAPI is to see.

    The parameters that guards fill in vanish; a request and a response are added if the handler names none, and taken out
    again before it is called. Any other framework calls the wrapper as before.
    """
    if "fastapi" not in sys.modules or not isinstance(handler, (FunctionType, MethodType, partial)):
        return
    import inspect

    from starlette.requests import HTTPConnection
    from starlette.responses import Response

    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):
        return
    code = getattr(handler, "__code__", None)
    if code is not None and code.co_flags & _GENERATOR:
        kept = [inspect.Parameter("handler", inspect.Parameter.KEYWORD_ONLY, annotation=_NotStreaming)]
        wrapper.__signature__ = signature.replace(parameters=kept)
        return
    names = _globals_of(handler)
    kept = [
        parameter.replace(annotation=_evaluated(parameter.annotation, names))
        for name, parameter in signature.parameters.items()
        if name not in filled
    ]
    kinds = [_class_of(parameter.annotation) for parameter in kept]
    added = []
    if not any(issubclass(kind, HTTPConnection) for kind in kinds):
        added.append(inspect.Parameter(REQUEST, inspect.Parameter.KEYWORD_ONLY, annotation=HTTPConnection))
    if not any(issubclass(kind, Response) for kind in kinds):
        added.append(inspect.Parameter(RESPONSE, inspect.Parameter.KEYWORD_ONLY, annotation=Response))
    if kept and kept[-1].kind is inspect.Parameter.VAR_KEYWORD:
        kept[-1:] = [*added, kept[-1]]
    else:
        kept += added
    answer = _evaluated(signature.return_annotation, names)
    wrapper.__signature__ = signature.replace(parameters=kept, return_annotation=answer)


def _globals_of(handler: Any) -> dict[str, Any]:
    """Where the names in the handler's annotations are looked up. FastAPI looks in the wrapper's module, or in none."""
    inner = handler
    while inner is not None:
        handler = inner
        inner = (
            handler.func
            if isinstance(handler, partial)
            else getattr(handler, "__wrapped__", getattr(handler, "__func__", None))
        )
    return getattr(handler, "__globals__", {})


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    """One annotation; as text where it names what is not known here (what only a function or a type checker knows)."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)  # noqa: S307  # the program's own source text
    except Exception:
        return annotation


def _class_of(annotation: Any) -> type:
    """The class that FastAPI looks for in it; `object` for what is no class."""
    if getattr(annotation, "__metadata__", None) is not None:  # Annotated[...]
        annotation = annotation.__origin__
    return annotation if isinstance(annotation, type) else object


def dependency(guard: Any, visit: Callable[..., Any]) -> Any:
    """The guard for `Depends`: one object per guard, so that FastAPI asks it once a request and overrides find it."""
    found = guard.__dict__.get("_fastapi_dependency")
    if found is None:
        from ._fastapi_dependency import make

        found = guard.__dict__["_fastapi_dependency"] = make(guard, visit)
    return found


def endpoint_signature() -> Any:
    """What FastAPI is to see of an endpoint of ours: the request, and nothing that a client could fill in."""
    from inspect import Parameter, Signature

    from starlette.requests import Request

    return Signature([Parameter("request", Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)])
