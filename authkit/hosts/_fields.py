"""Response header fields: which of them the chain has changed, so that a host touches those and no others."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..http import Headers


def lines(items: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Field lines by lower-case name."""
    found: dict[str, list[str]] = {}
    for name, value in items:
        found.setdefault(name.lower(), []).append(value)
    return found


def changes(before: Iterable[tuple[str, str]], after: Headers) -> dict[str, list[str]]:
    """The fields of `after` that differ from `before`, with all their values; an empty list where the field is gone."""
    old = lines(before)
    new = {name: after.get_all(name) for name in after.names()}
    changed = {name: values for name, values in new.items() if old.get(name) != values}
    changed.update((name, []) for name in old if name not in new)
    return changed


def changed_lines(before: list[tuple[str, str]], after: Headers) -> list[tuple[str, str]]:
    """`before` with the changes of `after`; every line that did not change stays as it was spelled."""
    changed = changes(before, after)
    if not changed:
        return before
    kept = [(name, value) for name, value in before if name.lower() not in changed]
    return kept + [(name, value) for name, values in changed.items() for value in values]
