"""`KeyBook`: the keys of a verifier, by the ids under which requests name them."""

from __future__ import annotations

from .._run import blocking
from ..secrets.versions import Masked
from .keys import SignatureKey, Unfit, key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    Keys: TypeAlias = "Mapping[str, Any] | Callable[[str], SignatureKey | None]"

EMPTY = "keys is a mapping of at least one key id, or a function that finds a key"
NO_ID = "a key id is text, and not empty"


class KeyBook(Masked):
    """Keys by their ids, or a function that finds them. `wrong`: what is wrong with them, or None: it raises nothing, because
    the frame that would raise holds the material."""

    __slots__ = ("keys", "wrong", "_find")
    keys: dict[str, SignatureKey]
    wrong: str | None

    def __init__(self, keys: Any) -> None:
        self.keys = {}
        self.wrong = None
        self._find: Any = None
        if hasattr(keys, "items"):
            for keyid, material in keys.items():
                self._add(keyid, material)
            self.wrong = self.wrong or (None if self.keys else EMPTY)
        elif callable(keys):
            self._find = keys
        else:
            self.wrong = EMPTY

    def _add(self, keyid: object, material: Any) -> None:
        key = key_of(material)
        if not isinstance(keyid, str) or not keyid:
            self.wrong = NO_ID
        elif isinstance(key, Unfit):
            self.wrong = f"key {keyid!r}: {key.why}"
        else:
            self.keys[keyid] = key

    async def find(self, keyid: str) -> SignatureKey | None:
        """The key of that id, or None. Raises: what a function that finds them raises; `TypeError` if that finds no key."""
        if self._find is None:
            return self.keys.get(keyid)
        found = await blocking(self._find, keyid)
        if found is not None and not isinstance(found, SignatureKey):
            raise TypeError("what finds keys returns a SignatureKey or None")
        return found
