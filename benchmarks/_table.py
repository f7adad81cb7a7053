"""What a benchmark says: rows of figures, and which targets they met in this run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ._timing import Rounds

Role = Literal["ours", "peer", "floor", "base"]


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    value: float
    role: Role = "ours"


@dataclass(frozen=True, slots=True)
class Target:
    """`figure` is to be at most `limit`; both in the unit that `what` names."""

    what: str
    figure: float
    limit: float

    @property
    def met(self) -> bool:
        return self.figure <= self.limit


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    rows: list[Row]
    targets: list[Target] = field(default_factory=list)
    unit: str = "µs"

    def text(self) -> str:
        """The table for a reader: beside each figure, how often ours (the first row) goes into it, and the floor."""
        ours = self.rows[0].value
        floor = next((row.value for row in self.rows if row.role == "floor"), None)
        width = max(len(row.name) for row in self.rows) + 2
        lines = [self.title, f"  {'':{width}}{'':7}{self.unit:>9}{'x ours':>9}" + (f"{'x floor':>9}" if floor else "")]
        for row in self.rows:
            line = f"  {row.name:{width}}{row.role:7}{row.value:9.2f}{row.value / ours:9.2f}"
            lines.append(line + (f"{row.value / floor:9.2f}" if floor else ""))
        for target in self.targets:
            verdict = "met" if target.met else "NOT MET"
            lines.append(f"  target {target.what}: {target.figure:.2f}, at most {target.limit:g}: {verdict} in this run")
        return "\n".join(lines)

    def plain(self) -> dict[str, Any]:
        """The table as JSON has it."""
        found = asdict(self)
        found["targets"] = [{**asdict(target), "met": target.met} for target in self.targets]
        return found


def beside_peers(host: str, found: Rounds, share: float = 1 / 5) -> Table:
    """What guards add on `host`, with the target that "authkit" be at most `share` of the best peer's."""
    rows = [Row(name, found.us(name), "ours" if name.startswith("authkit") else "peer") for name in found]
    best = min((row for row in rows if row.role == "peer"), key=lambda row: row.value).name
    target = Target(f"{host}: authkit / {best}", found.ratio("authkit", best), share)
    return Table(f"{host}: added to a request, token seen before", rows, [target])
