"""Rotation: a secret is replaced step by step, never without a valid value, and what was interrupted is finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets.rotation import Busy
from authkit.secrets.rotation.dotenv_file import DotenvTarget
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.generate import generate
from authkit.secrets.rotation.journal import Journal
from authkit.secrets.rotation.outcome import NewValueRefused, RotationRefused, StillInGrace
from authkit.secrets.rotation.targets import open_journal, open_target
from authkit.secrets.versions import sealed
from tests.secrets.rotation.engine_parts import DAY, NOW, Place, killed_in_test, making, never
from tests.secrets.rotation.failing import Full


@pytest.fixture(params=["dotenv", "files"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(tmp_path, request.param)


# A rotation


def test_a_rotation_stages_promotes_and_keeps_the_old_value_for_its_grace(place: Place) -> None:
    outcome = place.rotation.rotate("KEY", making("one"), grace=DAY)
    assert place.values() == ("one", "zero", None)
    assert place.target.read("KEY").previous_until == outcome.previous_until == NOW + DAY
    assert outcome.steps == ("begin", "staged", "promoted", "end")
    assert (outcome.action, outcome.changed, outcome.resumed) == ("rotate", True, False)
    assert outcome.name == "KEY"
    assert outcome.target == str(place.target)


def test_the_test_sees_the_pending_value_while_the_old_one_is_current(place: Place) -> None:
    seen: list[object] = []

    def test(value: Callable[[], str | bytes]) -> bool:
        seen.extend((value(), place.values()))
        return True

    place.rotation.rotate("KEY", making("one"), test=test)
    assert seen == ["one", ("zero", None, "one")]
    assert "rotate:tested" in place.steps()


@pytest.mark.parametrize("answer", [False, None, 1, "yes"])
def test_a_test_that_does_not_say_true_leaves_everything_as_it_was(answer: object, place: Place) -> None:
    with pytest.raises(NewValueRefused, match="did not return True"):
        place.rotation.rotate("KEY", making("one"), test=lambda value: answer)
    assert place.values() == ("zero", None, None)
    assert place.steps() == ["rotate:begin", "rotate:staged", "rotate:discarded", "rotate:failed"]
    assert place.rotation.status("KEY").state == "steady"
    assert place.rotation.rotate("KEY", making("two")).resumed is False


def test_a_test_that_raises_is_told_by_its_kind_because_its_words_may_hold_the_value(place: Place) -> None:
    def test(value: Callable[[], str | bytes]) -> bool:
        raise RuntimeError(f"cannot log in with {value()!r}")

    with pytest.raises(NewValueRefused, match="RuntimeError") as caught:
        place.rotation.rotate("KEY", making("canary"), test=test)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None

    def refuse(value: Callable[[], str | bytes]) -> bool:
        raise SecretUnavailable("the database does not answer")

    with pytest.raises(NewValueRefused, match="the database does not answer"):
        place.rotation.rotate("KEY", making("canary"), test=refuse)


def test_a_value_that_was_pending_before_is_taken_and_stays_if_its_test_fails(place: Place) -> None:
    place.target.stage("KEY", sealed("sender's"))
    with pytest.raises(NewValueRefused):
        place.rotation.rotate("KEY", never, test=lambda value: False, take_pending=True)
    assert place.values() == ("zero", None, "sender's")
    place.rotation.rotate("KEY", never, take_pending=True)
    assert place.values() == ("sender's", "zero", None)


def test_a_pending_value_is_replaced_when_that_is_asked_for(place: Place) -> None:
    place.target.stage("KEY", sealed("sender's"))
    outcome = place.rotation.rotate("KEY", making("one"), discard=True)
    assert place.values() == ("one", "zero", None)
    assert outcome.steps == ("begin", "discarded", "staged", "promoted", "end")


def test_what_cannot_be_made_leaves_nothing_begun(place: Place) -> None:
    with pytest.raises(ConfigurationError):
        place.rotation.rotate("KEY", lambda: generate("rsa", length=512))
    assert place.steps() == []
    with pytest.raises(SecretNotFound):
        place.rotation.rotate("NONE", never)


@pytest.mark.parametrize("grace", [-1, float("nan"), float("inf"), True, "1", None, 11 * 365 * DAY])
def test_a_grace_that_is_no_length_of_time_is_refused(grace: float, place: Place) -> None:
    with pytest.raises(ConfigurationError, match="grace"):
        place.rotation.rotate("KEY", never, grace=grace)
    with pytest.raises(ConfigurationError, match="grace"):
        place.rotation.roll_back("KEY", grace=grace)
    with pytest.raises(ConfigurationError, match="grace"):
        place.rotation.plan("KEY", grace=grace)


# Grace


def test_a_rotation_within_the_grace_of_the_last_one_is_refused_unless_forced(place: Place) -> None:
    place.rotation.rotate("KEY", making("one"), grace=DAY)
    place.now += DAY - 1
    with pytest.raises(StillInGrace, match="1 s more") as caught:
        place.rotation.rotate("KEY", never)
    assert caught.value.until == NOW + DAY
    assert place.values() == ("one", "zero", None)
    place.rotation.rotate("KEY", making("two"), force=True)
    assert place.values() == ("two", "one", None)
    place.now += DAY + 1
    place.rotation.rotate("KEY", making("three"))
    assert place.values() == ("three", "two", None)


def test_a_previous_value_without_an_end_counts_as_in_use(place: Place) -> None:
    if place.kind == "files":
        (place.path / "KEY__PREVIOUS").write_text("x")
        (place.path / "KEY__PREVIOUS").chmod(0o600)
    else:
        place.path.write_text("KEY=zero\nKEY__PREVIOUS=x\n")
    with pytest.raises(StillInGrace, match="no end") as caught:
        place.rotation.rotate("KEY", never)
    assert caught.value.until is None
    assert place.rotation.status("KEY").state == "grace"


def test_two_rotations_in_one_second_with_the_same_grace_are_told_apart(place: Place) -> None:
    first = place.rotation.rotate("KEY", making("one"), grace=0)
    second = place.rotation.rotate("KEY", making("two"), grace=0, force=True)
    assert first.previous_until != second.previous_until
    assert place.values() == ("two", "one", None)


# Retire, roll back, create, discard


def test_retiring_drops_the_previous_value_and_is_done_once(place: Place) -> None:
    place.rotation.rotate("KEY", making("one"))
    outcome = place.rotation.retire("KEY")
    assert (outcome.steps, outcome.changed) == (("begin", "retired", "end"), True)
    assert place.values() == ("one", None, None)
    outcome = place.rotation.retire("KEY")
    assert (outcome.steps, outcome.changed, outcome.rotation) == ((), False, None)


def test_a_value_that_is_still_accepted_after_it_was_retired_is_told(place: Place) -> None:
    place.target.stage("KEY", sealed("zero"))
    place.target.promote("KEY", NOW + DAY)
    with pytest.raises(RotationRefused, match="still accepted"):
        place.rotation.retire("KEY")


def test_rolling_back_exchanges_the_two_and_asked_twice_is_done_once(place: Place) -> None:
    place.rotation.rotate("KEY", making("one"))
    outcome = place.rotation.roll_back("KEY", grace=60)
    assert place.values() == ("zero", "one", None)
    assert outcome.previous_until == place.target.read("KEY").previous_until == NOW + 60
    outcome = place.rotation.roll_back("KEY", grace=60)
    assert (outcome.changed, outcome.steps) == (False, ())
    assert place.values() == ("zero", "one", None)
    place.rotation.roll_back("KEY", grace=60, force=True)
    assert place.values() == ("one", "zero", None)
    place.rotation.retire("KEY")
    with pytest.raises(SecretNotFound, match="no previous"):
        place.rotation.roll_back("KEY")


def test_a_new_secret_is_created_and_an_old_one_replaced_with_nothing_kept(place: Place) -> None:
    outcome = place.rotation.create("NEW", sealed("first"))
    assert outcome.steps == ("begin", "created", "end")
    assert place.target.read("NEW").current == "first"
    place.rotation.rotate("KEY", making("one"))
    place.rotation.create("KEY", sealed("clean"))
    assert place.values() == ("clean", None, None)
    assert place.rotation.status("KEY").since == {"current": NOW}


def test_discarding_drops_what_is_pending_and_gives_the_rotation_up(place: Place) -> None:
    assert place.rotation.discard("KEY").changed is False
    place.target.stage("KEY", sealed("x"))
    assert place.rotation.discard("KEY").steps == ("begin", "discarded", "end")
    assert place.values() == ("zero", None, None)
    assert place.rotation.status("KEY").state == "steady"


# Interrupted


class Killed(BaseException):
    pass


def test_an_interrupted_rotation_is_finished_with_the_value_that_it_had_staged(place: Place) -> None:
    killed_in_test(place)
    place.now += 3 * DAY
    outcome = place.rotation.rotate("KEY", never, grace=DAY)
    assert outcome.resumed
    assert outcome.steps == ("resume", "promoted", "end")
    assert place.values() == ("one", "zero", None)
    assert place.target.read("KEY").previous_until == NOW + 4 * DAY  # the grace counts from the promotion
    assert len({entry["rotation"] for entry in place.rotation.history("KEY")}) == 1


def test_an_interrupted_rotation_can_be_given_up(place: Place) -> None:
    killed_in_test(place)
    with pytest.raises(RotationRefused, match="promoted nothing"):
        place.rotation.roll_back("KEY")
    outcome = place.rotation.discard("KEY")
    assert outcome.steps == ("discarded", "abandoned")
    assert place.values() == ("zero", None, None)
    assert place.rotation.status("KEY").state == "steady"
    assert place.rotation.rotate("KEY", making("two")).resumed is False


def test_an_interrupted_rotation_whose_test_now_fails_drops_its_own_value(place: Place) -> None:
    killed_in_test(place)
    with pytest.raises(NewValueRefused):
        place.rotation.rotate("KEY", never, test=lambda value: False)
    assert place.values() == ("zero", None, None)


def test_retiring_goes_on_while_a_rotation_is_interrupted(place: Place) -> None:
    place.rotation.rotate("KEY", making("one"), grace=0)
    place.now += 1
    killed_in_test(place, "two")
    place.rotation.retire("KEY")
    assert place.values() == ("one", None, "two")
    place.rotation.rotate("KEY", never)
    assert place.values() == ("two", "one", None)


def test_a_rotation_that_was_promoted_and_not_ended_is_only_ended(place: Place) -> None:
    class Torn(Journal):
        def write(self, **fields: object) -> dict[str, object]:  # type: ignore[override]
            if fields["step"] == "promoted":
                raise Killed
            return super().write(**fields)  # type: ignore[arg-type]

    torn = Rotation(place.target, journal=Torn(f"{place.path}.history.jsonl", clock=lambda: NOW), clock=lambda: NOW)
    with pytest.raises(Killed):
        torn.rotate("KEY", making("one"))
    outcome = place.rotation.rotate("KEY", never)
    assert (outcome.resumed, outcome.changed, outcome.steps) == (True, False, ("promoted", "end"))
    assert outcome.previous_until == NOW + DAY
    assert place.values() == ("one", "zero", None)
    with pytest.raises(StillInGrace):
        place.rotation.rotate("KEY", never)


def test_a_full_disk_in_the_middle_is_an_error_and_run_again_it_is_done(tmp_path: Path) -> None:
    place = Place(tmp_path, "dotenv")
    with pytest.raises(SecretUnavailable):
        place.using(place.open(Full(10))).rotate("KEY", making("one"))
    assert place.values() == ("zero", None, None)
    assert place.steps() == ["rotate:begin", "rotate:failed"]
    assert not place.rotation.rotate("KEY", making("two")).resumed
    assert place.values() == ("two", "zero", None)


def test_a_journal_that_cannot_be_written_stops_the_rotation_before_it_changes_anything(place: Place) -> None:
    with pytest.raises(SecretUnavailable):
        place.using(place.target, Full(10)).rotate("KEY", making("one"))
    assert place.values() == ("zero", None, None)


# What it says


def test_a_plan_says_the_steps_and_does_none_of_them(place: Place) -> None:
    def steps(**options: bool) -> list[str]:
        return [step.step for step in place.rotation.plan("KEY", **options).steps]  # type: ignore[arg-type]

    assert steps(test=True) == ["stage", "test", "promote"]
    place.target.stage("KEY", sealed("x"))
    assert steps(take_pending=True) == ["promote"]
    refused = place.rotation.plan("KEY").refused
    assert refused is not None
    assert "take_pending" in refused
    assert steps(discard=True) == ["discard", "stage", "promote"]
    place.target.discard("KEY")
    assert place.steps() == []
    place.rotation.rotate("KEY", making("one"), grace=DAY)
    plan = place.rotation.plan("KEY", grace=60)
    assert plan.refused is not None
    assert plan.previous_until == NOW + 60
    assert place.rotation.plan("KEY", force=True).refused is None
    place.now += DAY
    killed_in_test(place, "two")
    assert steps(test=True) == ["resume", "test", "promote"]
    assert "'one'" not in repr(plan)
    assert "zero" not in repr(plan)


def test_a_plan_of_what_was_promoted_says_that_it_is_only_to_be_ended(place: Place) -> None:
    place.rotation.rotate("KEY", making("one"))
    path = Path(f"{place.path}.history.jsonl")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert [step.step for step in place.rotation.plan("KEY").steps] == ["resume"]
    assert place.rotation.status("KEY").state == "interrupted"


def test_the_status_follows_the_secret_through_its_states(place: Place) -> None:
    status = place.rotation.status("KEY", max_age=30 * DAY)
    assert (status.state, status.versions, dict(status.since)) == ("steady", ("current",), {})
    assert (status.previous_until, status.due, status.overdue) == (None, None, None)
    place.target.stage("KEY", sealed("x"))
    assert place.rotation.status("KEY").state == "pending"
    place.rotation.rotate("KEY", never, grace=DAY, take_pending=True)
    status = place.rotation.status("KEY", max_age=30 * DAY)
    assert (status.state, status.versions) == ("grace", ("current", "previous"))
    assert dict(status.since) == {"current": NOW, "previous": NOW}
    assert (status.previous_until, status.due, status.overdue) == (NOW + DAY, NOW + 30 * DAY, False)
    place.now += DAY
    assert place.rotation.status("KEY").state == "expired"
    place.now += 29 * DAY
    assert place.rotation.status("KEY", max_age=30 * DAY).overdue is True
    place.rotation.retire("KEY")
    assert place.rotation.status("KEY").state == "steady"


def test_every_change_is_one_line_and_no_line_holds_a_value(place: Place) -> None:
    place.rotation.rotate("KEY", making("canary-one"), test=lambda value: True)
    place.rotation.roll_back("KEY")
    place.rotation.retire("KEY")
    place.rotation.create("KEY", sealed("canary-two"))
    assert place.steps() == [
        "rotate:begin", "rotate:staged", "rotate:tested", "rotate:promoted", "rotate:end",
        "roll_back:begin", "roll_back:rolled_back", "roll_back:end",
        "retire:begin", "retire:retired", "retire:end",
        "create:begin", "create:created", "create:end",
    ]  # fmt: skip
    text = Path(f"{place.path}.history.jsonl").read_text()
    assert "canary" not in text
    assert "zero" not in text
    assert all({"time", "at", "user", "host", "pid", "target"} <= set(json.loads(line)) for line in text.splitlines())


def test_whoever_comes_second_is_busy_and_changes_nothing(place: Place) -> None:
    other = place.using(place.open())
    calls: list[Callable[[], object]] = [
        lambda: other.rotate("KEY", never),
        lambda: other.retire("KEY"),
        lambda: other.roll_back("KEY"),
        lambda: other.create("KEY", sealed("x")),
        lambda: other.discard("KEY"),
    ]
    with place.target.locked("KEY"):
        for call in calls:
            with pytest.raises(Busy):
                call()
    assert place.steps() == []
    assert place.values() == ("zero", None, None)


def test_a_place_that_was_changed_by_somebody_else_is_not_called_rotated(tmp_path: Path) -> None:
    class Shared(DotenvTarget):
        """Lets somebody else in after the promotion."""

        def promote(self, name: str, previous_until: float) -> None:
            super().promote(name, previous_until)
            self.create(name, sealed("theirs"))

    place = Place(tmp_path, "dotenv")
    with pytest.raises(RotationRefused, match="somebody else"):
        place.using(Shared(place.path)).rotate("KEY", making("one"))


def test_every_public_name_is_there_and_its_module_is_loaded_on_first_use() -> None:
    program = """
import json, sys
import authkit.secrets.rotation as rotation
before = sorted(name for name in sys.modules if name.startswith("authkit.secrets.rotation."))
missing = [name for name in rotation.__all__ if getattr(rotation, name, None) is None]
print(json.dumps([before, missing, [name for name in ("boto3", "cryptography", "dotenv", "click") if name in sys.modules]]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [["authkit.secrets.rotation.target"], [], []]


# By what a user types


def test_a_target_and_its_journal_are_opened_by_what_a_user_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert str(open_target(f"dotenv:{tmp_path}/.env")) == f"dotenv:{tmp_path}/.env"
    assert str(open_target("dotenv")) == f"dotenv:{os.getcwd()}/.env"
    assert str(open_target(f"files:{tmp_path}")) == f"files:{tmp_path}"
    assert open_journal(f"dotenv:{tmp_path}/.env").path == f"{tmp_path}/.env.history.jsonl"
    assert open_journal(f"files:{tmp_path}/").path == f"{tmp_path}.history.jsonl"
    assert open_journal("aws:prod/app@eu-west-1").path == f"{tmp_path}/authkit/aws.history.jsonl"


@pytest.mark.parametrize("spec", ["env", "env:", "", "dotenv:", "files:", "aws:", "vault:x", "/etc/passwd", None])
def test_what_cannot_be_changed_or_is_unknown_is_refused(spec: str) -> None:
    with pytest.raises(ConfigurationError):
        open_target(spec)
    with pytest.raises(ConfigurationError):
        open_journal(spec)
