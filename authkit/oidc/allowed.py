"""`Allowed`: a finite list of what a claim may say."""

from __future__ import annotations

from ..errors import ConfigurationError
from .given import checked_texts


class Allowed:
    """Texts of which a claim must be one: each exactly so, or with "*" at its end for whatever begins so.

    `setting` is what it is called in messages, `shape` what one of them looks like. Raises: `ConfigurationError` for an empty
    list, what is no visible ASCII, and a "*" that is not the end or has nothing before it.
    """

    __slots__ = ("_exact", "_beginnings")

    def __init__(self, setting: str, values: object, shape: str) -> None:
        found = checked_texts(setting, values, r"[ -~]{1,512}", shape)
        if any("*" in one[:-1] or one == "*" for one in found):
            raise ConfigurationError(f"{setting}: '*' stands at the end, after something, for whatever follows there")
        self._exact = frozenset(one for one in found if not one.endswith("*"))
        self._beginnings = tuple(one[:-1] for one in found if one.endswith("*"))

    def __contains__(self, value: object) -> bool:
        return type(value) is str and (value in self._exact or value.startswith(self._beginnings))

    def __repr__(self) -> str:
        return f"<Allowed {len(self._exact) + len(self._beginnings)}>"
