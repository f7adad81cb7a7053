"""The pictures of docs/limits.md, drawn from what the limiters of `MemoryStore` decide: the same caller, the same limit.

python docs/pictures/limits.py      # writes limits-*.svg beside this file
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from authkit.stores import MemoryStore, Rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authkit.stores._store import Algorithm

LIMIT = Rate.parse("10/minute")
BOUNDS: dict[Algorithm, tuple[int, str]] = {
    "token-bucket": (LIMIT.burst + LIMIT.count, "burst + N"),
    "sliding-window": (LIMIT.count, "N"),
    "fixed-window": (2 * LIMIT.count, "2N"),
}
FIRST, EVERY, END = 40, 2, 180  # seconds: a caller who asks from 0:40 on, every other second, whatever it is told

LEFT, RIGHT, SCALE = 64, 24, 4  # pixels; SCALE: of a second
ASKED, TOP, BOTTOM, BRACKET, HEIGHT = 72, 100, 190, 232, 262  # pixels from the top
WIDTH = LEFT + END * SCALE + RIGHT
INK, FAINT, ADMITTED, REFUSED, FILL, BUSIEST = "#1f2328", "#59636e", "#0b62a8", "#b3bac2", "#cfe3f5", "#a04a00"


class Seen(NamedTuple):
    """`asked`: (second, admitted?) of each request; `left`: (second, permits left) after each second and each request."""

    asked: list[tuple[int, bool]]
    left: list[tuple[int, int]]


def watch(algorithm: Algorithm) -> Seen:
    """What the limiter tells the caller. The clock is ours: it begins at a full minute."""
    now = 0.0
    store = MemoryStore(clock=lambda: now, wall=lambda: now)
    limiter = store.limiter("picture", (LIMIT,), algorithm)
    seen = Seen([], [])
    for second in range(END + 1):
        now = float(second)
        seen.left.append((second, limiter.take("caller", 0)[1][0][0]))
        if second >= FIRST and (second - FIRST) % EVERY == 0 and second < END:
            wait, ((left, _),) = limiter.take("caller")
            seen.asked.append((second, not wait))
            seen.left.append((second, left))
    return seen


def busiest(seen: Seen) -> tuple[int, int]:
    """(its first second, how many were admitted) of the period that admitted most."""
    admitted = [second for second, passed in seen.asked if passed]
    counts = [(sum(start <= second < start + LIMIT.period for second in admitted), -start) for start in admitted]
    most, start = max(counts)
    return -start, most


def draw(algorithm: Algorithm) -> str:
    seen = watch(algorithm)
    start, most = busiest(seen)
    bound, formula = BOUNDS[algorithm]
    title = f"{algorithm.replace('-', ' ')}, {LIMIT.count} a minute"
    says = f"{most} admitted in the busiest minute; never more than {formula} = {bound}"
    parts = [
        tag("title", f"{title}: {says}"),
        tag("rect", width=WIDTH, height=HEIGHT, rx=8, fill="#ffffff"),
        words(LEFT, 26, title, font_weight=600, font_size=15),
        words(LEFT, 46, f"asks every {EVERY} seconds from {minutes(FIRST)} on"),
        dot(112, 42, passed=True),
        words(x(114), 46, "admitted"),
        dot(134, 42, passed=False),
        words(x(136), 46, "refused"),
        *axes(algorithm),
        area(seen),
        *(dot(second, ASKED, passed=passed) for second, passed in seen.asked),
        *bracket(start, says),
    ]
    frame = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "font_family": "system-ui, sans-serif", "font_size": 13}
    return tag("svg", "\n" + "\n".join(parts) + "\n", xmlns="http://www.w3.org/2000/svg", width=WIDTH, **frame) + "\n"


def x(second: float) -> int:
    return round(LEFT + second * SCALE)


def y(permits: float) -> int:
    return round(BOTTOM - permits * (BOTTOM - TOP) / LIMIT.burst)


def minutes(second: int) -> str:
    return f"{second // 60}:{second % 60:02}"


def tag(name: str, text: str | None = None, **attributes: object) -> str:
    """An element. The attribute `font_size` is written `font-size`."""
    written = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f"<{name}{written}/>" if text is None else f"<{name}{written}>{text}</{name}>"


def words(across: int, down: int, text: str, **attributes: object) -> str:
    return tag("text", text, x=across, y=down, **{"fill": INK, **attributes})


def dot(second: int, down: int, *, passed: bool) -> str:
    drawn = {"r": 3.2, "fill": ADMITTED} if passed else {"r": 2.6, "fill": "none", "stroke": REFUSED}
    return tag("circle", cx=x(second), cy=down, **drawn)


def line(x1: int, y1: int, x2: int, y2: int, **attributes: object) -> str:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def axes(algorithm: Algorithm) -> Iterator[str]:
    small = {"font_size": 11, "fill": FAINT}
    middle = y(LIMIT.burst / 2)
    yield tag("text", "permits left", transform=f"translate(22 {middle}) rotate(-90)", text_anchor="middle", **small)
    for permits in (0, LIMIT.burst // 2, LIMIT.burst):
        yield words(LEFT - 8, y(permits) + 4, str(permits), text_anchor="end", **small)
        yield line(LEFT, y(permits), x(END), y(permits), stroke=FAINT, stroke_width=0.4)
    for second in range(0, END + 1, 20):
        yield words(x(second), BOTTOM + 16, minutes(second), text_anchor="middle", **small)
        if algorithm == "fixed-window" and second % LIMIT.period == 0:  # where one window ends and the next begins
            yield line(x(second), ASKED - 12, x(second), BOTTOM, stroke=INK, stroke_dasharray="3 3")


def area(seen: Seen) -> str:
    before = seen.left[0][1]
    points = [(0, 0), (0, before)]
    for second, left in seen.left:
        if left != before:
            points += [(second, before), (second, left)]
        before = left
    points += [(END, before), (END, 0)]
    drawn = " ".join(f"{x(second)},{y(left)}" for second, left in points)
    return tag("polygon", points=drawn, fill=FILL, stroke=ADMITTED)


def bracket(start: int, says: str) -> Iterator[str]:
    first, wide = x(start), LIMIT.period * SCALE
    yield tag("rect", x=first, y=ASKED - 8, width=wide, height=BRACKET - ASKED, fill=BUSIEST, opacity=0.07)
    yield tag("path", d=f"M{first} {BRACKET - 10} v10 h{wide} v-10", fill="none", stroke=BUSIEST, stroke_width=1.4)
    yield words(first + wide // 2, BRACKET + 18, says, text_anchor="middle", font_weight=600, fill=BUSIEST)


def pictures() -> dict[str, str]:
    """The name of each file, and what stands in it."""
    return {f"limits-{algorithm}.svg": draw(algorithm) for algorithm in BOUNDS}


if __name__ == "__main__":
    for name, text in pictures().items():
        Path(__file__).with_name(name).write_text(text)
