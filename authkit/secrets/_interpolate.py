"""`${NAME}` in the values of `.env` files, where somebody has asked for it."""

from __future__ import annotations

import re

from .versions import sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .versions import Sealed

MAX_CHARACTERS = 1_048_576  # a limit so that a few lines that double each other cannot fill the memory
MAX_DEPTH = 32
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def interpolated(value: Sealed, look_up: Callable[[str], tuple[Sealed, bool] | None]) -> Sealed | str:
    """`value` with each `${NAME}` and `${NAME:-default}` replaced, or what is wrong with it.

    `look_up(name)`: the value that NAME stands for and whether that is literal; None if there is none, or an empty one. A
    default is literal. Nothing else means anything: not `$NAME`, and no command. It raises nothing of its own.
    """
    return _expanded(value, look_up, (), {})


def _expanded(
    value: Sealed, look_up: Callable[[str], tuple[Sealed, bool] | None], within: tuple[str, ...], known: dict[str, Sealed]
) -> Sealed | str:
    text = value()
    assert isinstance(text, str)
    parts: list[Sealed] = []
    size = start = 0
    for reference in _REFERENCE.finditer(text):
        name, default = reference.groups()
        part: Sealed | str | None = known.get(name)
        if part is None:
            part = _meant(name, default, look_up, within, known)
        if isinstance(part, str):
            return part
        parts += (sealed(text[start : reference.start()]), part)
        start = reference.end()
        size += len(part())
        if size > MAX_CHARACTERS:
            return "becomes longer than 1 MiB"
    parts.append(sealed(text[start:]))
    return sealed("".join(str(part()) for part in parts))


def _meant(
    name: str,
    default: str | None,
    look_up: Callable[[str], tuple[Sealed, bool] | None],
    within: tuple[str, ...],
    known: dict[str, Sealed],
) -> Sealed | str:
    if name in within:
        return "refers to itself"
    if len(within) >= MAX_DEPTH:
        return f"is {MAX_DEPTH} references deep"
    found = look_up(name)
    if found is None:
        return "refers to a name that these files do not define" if default is None else sealed(default)
    part = found[0] if found[1] else _expanded(found[0], look_up, (*within, name), known)
    if not isinstance(part, str):
        known[name] = part  # a name that is referred to twice is worked out once
    return part
