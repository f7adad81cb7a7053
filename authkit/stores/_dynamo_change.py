"""One UpdateItem in the making: what must hold, and what is then set and removed. Numbers are whole ones."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Item: TypeAlias = dict[str, Any]  # names and numbers or bytes

KEY = "pk"  # the partition key, a text
TTL = "x"  # epoch seconds after which DynamoDB may drop an item


class Change:
    """Attribute names are ours, letters and digits, and none is a word of DynamoDB's."""

    __slots__ = ("_holds", "_sets", "_gone", "_names")

    def __init__(self) -> None:
        self._holds: list[str] = []
        self._sets: list[str] = []
        self._gone: list[str] = []
        self._names: dict[int, str] = {}

    def n(self, number: int) -> str:
        """What stands for that number in an expression."""
        return self._names.setdefault(number, f":{len(self._names)}")

    def hold(self, condition: str) -> None:
        self._holds.append(condition)

    def set(self, name: str, to: str) -> None:
        self._sets.append(f"{name} = {to}")

    def more(self, name: str, by: int) -> None:
        """Add to a number that may not be there yet."""
        self.set(name, f"if_not_exists({name}, {self.n(0)}) + {self.n(by)}")

    def remove(self, name: str) -> None:
        self._gone.append(name)

    def __bool__(self) -> bool:
        return bool(self._sets or self._gone)

    def asked(self) -> dict[str, Any]:
        """The arguments of an UpdateItem."""
        update = ("SET " + ", ".join(self._sets)) if self._sets else ""
        if self._gone:
            update += " REMOVE " + ", ".join(self._gone)
        asked: dict[str, Any] = {"UpdateExpression": update.strip()}
        if self._holds:
            asked["ConditionExpression"] = " AND ".join(self._holds)
        if self._names:
            asked["ExpressionAttributeValues"] = {name: {"N": str(number)} for number, name in self._names.items()}
        return asked


def typed(item: Item) -> dict[str, dict[str, Any]]:
    """Numbers and bytes as DynamoDB spells them."""
    return {name: {"N": str(value)} if isinstance(value, int) else {"B": value} for name, value in item.items()}


def plain(item: dict[str, dict[str, Any]] | None) -> Item:
    """Numbers and bytes of an item; what else it has is not ours. Raises: `ValueError`, `TypeError` for what is no item."""
    found: Item = {}
    for name, value in (item or {}).items():
        if "N" in value:
            found[name] = int(value["N"])
        elif "B" in value:
            found[name] = bytes(value["B"])
    return found
