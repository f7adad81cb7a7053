"""One rotation as a command carries it out: planned or done, and told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ._ages import moment
from ._exits import EXITS, Failed, Refused, Wrong
from ._output import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..secrets.rotation.engine import Rotation
    from ..secrets.rotation.outcome import Outcome, Plan
    from ..secrets.rotation.target import RotationTarget
    from ..secrets.versions import Sealed
    from ._probe import Check, CommandTest


STEPS = {  # those of authkit.secrets.rotation that change something
    "discarded": "the pending value is dropped",
    "staged": "the new value is pending",
    "tested": "it passed its test",
    "promoted": "it is current, and the value before is previous",
    "created": "the value is current",
    "rolled_back": "the previous value is current again",
    "retired": "the previous value is dropped, and proven to be gone",
}
ACTIONS = {
    "create": "is set",
    "rotate": "is rotated",
    "publish": "has its next value published",
    "roll_back": "is rolled back",
    "retire": "has one value",
    "discard": "has nothing pending",
}


class Wanted(NamedTuple):
    """What was asked for. `test_limit` and `grace` in seconds; `kind` None: another one of the current value's sort."""

    name: str
    source: str
    grace: int
    kind: str | None
    length: int | None
    alphabet: str | None
    encoding: str | None
    value_from: str | None
    test: str | None
    test_limit: int
    dry_run: bool
    discard: bool
    take_pending: bool
    backup: bool
    reveal: bool
    force: bool


def carry_out(out: Output, wanted: Wanted) -> int:
    """Plan or rotate, and say so. The exit code. Raises: what a rotation raises, and `Failed` where the test did."""
    from ._place import rotation_of

    rotation, target = rotation_of(wanted.source, backup=wanted.backup)
    test = _test(target, wanted)
    options = {
        "grace": wanted.grace, "force": wanted.force, "discard": wanted.discard, "take_pending": wanted.take_pending
    }  # fmt: skip
    if wanted.dry_run:
        return _show(out, rotation.plan(wanted.name, test=True, **options), wanted.source)  # type: ignore[arg-type]
    make = maker(target, wanted)
    with out.progress(f"rotating {wanted.name}"):
        outcome = _rotated(rotation, target, wanted, make, test, options)
    more = {}
    if wanted.reveal:
        from ..secrets.versions import sealed
        from .secrets_read import put, revealed

        value = sealed(target.read(wanted.name).current)
        more = revealed(value)
        if not out.as_json:
            put(value)
    tell(out, outcome, wanted.source, more)
    return 0


def maker(target: RotationTarget, wanted: Wanted) -> Callable[[], Sealed]:
    """What makes the new value when the rotation asks for one; a value that is given is read now, before anything is locked."""
    from ..secrets.rotation.generate import generate
    from ..secrets.versions import sealed

    versions = target.read(wanted.name)
    chosen = wanted.length is not None or wanted.encoding is not None or wanted.alphabet is not None
    if wanted.value_from is not None:
        if chosen:
            raise Wrong("--value-from brings the value: there is nothing to generate with --length, --alphabet or --encoding")
        from ._values import given

        value = given(wanted.value_from, wanted.name)
        return lambda: value
    kind, length, encoding = wanted.kind, wanted.length, wanted.encoding
    if kind is None and not chosen:
        from ._shape import shape_of

        kind, length, encoding = shape_of(sealed(versions.current))
    if kind is None:
        kind = "hmac" if wanted.alphabet is None else "password"
    return lambda: generate(kind, length=length, alphabet=wanted.alphabet, encoding=encoding)


def tell(out: Output, outcome: Outcome, source: str, more: dict[str, Any] | None = None) -> None:
    """What was done, for people and for programs."""
    from dataclasses import asdict

    if outcome.resumed:
        out.line("went on with what was interrupted", "warn")
    for step in outcome.steps:
        if step in STEPS:
            out.line(f"  {STEPS[step]}", "good")
    out.line(f"{outcome.name} {ACTIONS[outcome.action]}" if outcome.steps else f"{outcome.name}: there was nothing to change")
    if outcome.previous_until is not None:
        out.line(f"the value before is accepted until {moment(outcome.previous_until, time.time())}", "faint")
    out.document({"source": source, **asdict(outcome), **(more or {})})


def _rotated(
    rotation: Rotation,
    target: RotationTarget,
    wanted: Wanted,
    make: Callable[[], Sealed],
    test: Check | CommandTest,
    options: dict[str, Any],
) -> Outcome:
    from ..secrets.rotation.outcome import NewValueRefused, PendingFound

    try:
        return rotation.rotate(wanted.name, make, test=test, given=wanted.value_from is not None, **options)
    except PendingFound as refused:
        raise Refused(_as_options(str(refused))) from None
    except NewValueRefused as refused:
        for line in getattr(test, "said", ()):
            click.echo(f"    {line}", err=True)
        left = "; it is pending still: --discard makes another" if target.read(wanted.name).pending is not None else ""
        raise Failed(f"{wanted.name}: {test.why or refused}: nothing was promoted{left}") from None


def _as_options(message: str) -> str:
    """What the library says of its arguments, said of ours."""
    return message.replace("take_pending=True", "--take-pending").replace("discard=True", "--discard")


def _test(target: RotationTarget, wanted: Wanted) -> Check | CommandTest:
    from ..secrets.versions import sealed
    from ._probe import Check, CommandTest
    from ._shape import key_pair

    pair = key_pair(sealed(target.read(wanted.name).current))
    kind = wanted.kind or (pair and pair.kind)  # what verifies with a key cannot do with anything else
    check = Check(kind, given=wanted.value_from is not None)
    return check if wanted.test is None else CommandTest(wanted.test, wanted.name, wanted.test_limit, check)


def _show(out: Output, plan: Plan, source: str) -> int:
    if plan.refused is not None:
        out.line(f"would be refused: {_as_options(plan.refused)}", "bad")
    for number, step in enumerate(plan.steps, 1):
        out.line(f"{number}. {step.step}: {step.says}")
    if plan.refused is None:
        out.line(f"the value before would be accepted until {moment(plan.previous_until, time.time())}", "faint")
    steps = [{"step": step.step, "says": step.says} for step in plan.steps]
    document = {"name": plan.name, "source": source, "target": plan.target, "dry_run": True, "steps": steps}
    out.document(document | {"previous_until": plan.previous_until, "refused": plan.refused and _as_options(plan.refused)})
    return EXITS["ok" if plan.refused is None else "refused"][0]


def publish(out: Output, wanted: Wanted) -> int:
    """Only stage the new value: it is published, and nothing is signed with it yet. The next rotation takes it."""
    from ._place import rotation_of

    if wanted.dry_run:
        raise Wrong("--dry-run is for what promotes: --publish-only changes nothing that is in use")
    rotation, target = rotation_of(wanted.source, backup=wanted.backup)
    make = maker(target, wanted)
    with out.progress(f"making the next {wanted.name}"):
        done = rotation.stage(wanted.name, make, discard=wanted.discard)
    tell(out, done, wanted.source)
    return 0
