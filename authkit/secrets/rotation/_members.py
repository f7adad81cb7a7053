"""One version of a JSON secret: its members are secrets of their own, and one is changed without touching the others."""

from __future__ import annotations

from ..versions import Masked, is_blank, sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..versions import Sealed

PREVIOUS, PENDING, PREVIOUS_UNTIL = "__PREVIOUS", "__PENDING", "__PREVIOUS_UNTIL"

# A staging label covers all members at once, so AWSPREVIOUS remembers the last change only. A member whose previous value is
# still accepted when another one changes therefore takes it along in the document: NAME__PREVIOUS, NAME__PREVIOUS_UNTIL.


class Members(Masked):
    """The members of one version. Functions here raise nothing while they hold values."""

    __slots__ = ("_all",)

    def __init__(self, found: dict[str, object]) -> None:
        def reveal() -> dict[str, object]:
            return found

        self._all: Callable[[], dict[str, object]] = reveal

    @classmethod
    def of(cls, value: Sealed) -> Members | None:
        """None if it is no JSON object, or one that says a member twice."""
        import json

        text = value()
        if isinstance(text, bytes) or not text.lstrip().startswith("{"):
            return None
        pairs: list[int] = []

        def once(members: list[tuple[str, object]]) -> dict[str, object]:
            pairs.append(len(members) - len(dict(members)))
            return dict(members)

        try:
            found = json.loads(text, object_pairs_hook=once)
        except (ValueError, RecursionError):  # not passed on: it holds the text
            return None
        return None if any(pairs) else cls(found)

    def __iter__(self) -> Iterator[str]:
        """The names: the members that are text, without those that belong to another."""
        return iter([name for name, value in self._all().items() if isinstance(value, str) and not _belongs(name)])

    def all(self) -> dict[str, object]:
        """Every member, whatever it is."""
        return dict(self._all())

    def get(self, name: str) -> Sealed | None:
        """The member, if it is text and not blank."""
        value = self._all().get(name)
        return None if not isinstance(value, str) or is_blank(value) else sealed(value)

    def until(self, name: str) -> int | None:
        """Until when the previous value of `name` in this document is accepted, in epoch seconds."""
        value = self._all().get(name + PREVIOUS_UNTIL)
        return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12 else None

    def differing(self, other: Members) -> set[str]:
        """The names of either whose values differ."""
        return {name for name in {*self, *other} if self._all().get(name) != other._all().get(name)}

    def carried(self) -> set[str]:
        """The names whose previous value is in this document."""
        return {name for name in self if self.get(name + PREVIOUS) is not None}

    def same_but(self, name: str, other: Members) -> bool:
        """Whether the two differ in the member `name` at most, whatever else they hold."""
        mine, others = {**self._all(), name: None}, {**other._all(), name: None}
        return mine == others

    def successor(
        self,
        name: str | None,
        value: Sealed | None,
        *,
        previous: Members | None,
        previous_until: int | None,
        now: float,
    ) -> Sealed:
        """The text of the version after this one: `name` is `value` (None: as it is) and has no previous value in it.

        `previous`: the version labelled AWSPREVIOUS: what it alone remembers of the other members is taken along until
        `previous_until`. What has expired by `now` is left out.
        """
        import json

        members = dict(self._all())
        for owner in self:
            until = self.until(owner)
            if owner == name or (until is not None and until <= now):
                members.pop(owner + PREVIOUS, None)
                members.pop(owner + PREVIOUS_UNTIL, None)
        if previous is not None and (previous_until is None or now < previous_until):
            for owner in self.differing(previous):
                before = previous.get(owner)
                if owner != name and before is not None and self.get(owner) is not None:
                    members[owner + PREVIOUS] = before()
                    members.pop(owner + PREVIOUS_UNTIL, None)
                    if previous_until is not None:
                        members[owner + PREVIOUS_UNTIL] = str(previous_until)
        if name is not None and value is not None:
            new = value()
            members[name] = new.decode("utf-8", "surrogateescape") if isinstance(new, bytes) else new
        return sealed(json.dumps(members))


def _belongs(name: str) -> bool:
    return name.endswith((PREVIOUS, PENDING, PREVIOUS_UNTIL))
