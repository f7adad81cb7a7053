"""What a rotation makes of one that was begun before it: finished, given up, or refused, and never a value dropped unasked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from authkit.errors import ConfigurationError
from authkit.secrets.rotation import Busy, PendingFound, StillInGrace
from authkit.secrets.rotation.dotenv_file import DotenvTarget
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.journal import Journal
from authkit.secrets.rotation.targets import open_journal, open_target
from authkit.secrets.versions import sealed
from tests.secrets.rotation.engine_parts import DAY, NOW, Place, killed_in_test, making, never
from tests.secrets.rotation.failing import Died, Failing


@pytest.fixture(params=["dotenv", "files"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(tmp_path, request.param)


def elsewhere(place: Place) -> Rotation:
    """Another machine's rotations of the same place: with a journal of its own."""
    journal = Journal(place.path.parent / "theirs.jsonl", clock=lambda: place.now)
    return Rotation(place.open(), journal=journal, clock=lambda: place.now)


# Begun here, changed elsewhere meanwhile


def test_what_was_begun_here_does_not_drop_what_was_replaced_elsewhere_meanwhile(place: Place) -> None:
    killed_in_test(place)
    place.now += 60
    elsewhere(place).rotate("KEY", making("theirs"), discard=True, grace=DAY)
    before = place.values()
    assert before == ("theirs", "zero", None)
    plan = place.rotation.plan("KEY")
    assert plan.refused is not None
    assert [step.step for step in plan.steps] == ["stage", "promote"]
    with pytest.raises(StillInGrace):
        place.rotation.rotate("KEY", never)
    assert place.values() == before
    assert place.steps()[-1] == "rotate:abandoned"
    assert place.rotation.status("KEY").state == "grace"
    place.now += DAY
    assert place.rotation.rotate("KEY", making("two")).resumed is False
    assert place.values() == ("two", "theirs", None)


def test_a_file_that_a_deployment_has_written_anew_is_judged_anew(tmp_path: Path) -> None:
    place = Place(tmp_path, "dotenv")
    killed_in_test(place)
    place.path.write_text(f"KEY=deployed\nKEY__PREVIOUS=zero\nKEY__PREVIOUS_UNTIL={int(NOW) + DAY + 60}\n")
    with pytest.raises(StillInGrace):
        place.rotation.rotate("KEY", never)
    assert place.values() == ("deployed", "zero", None)


def test_a_forced_rotation_that_was_killed_is_finished_without_being_forced_again(place: Place) -> None:
    place.rotation.rotate("KEY", making("one"), grace=DAY)
    killed_in_test(place, "two", force=True)
    begin = [entry for entry in place.rotation.history("KEY") if entry["step"] == "begin"][-1]
    assert (begin["force"], begin["previous_found"], begin["previous_end"]) == (True, True, NOW + DAY)
    assert place.rotation.plan("KEY").refused is None
    assert place.rotation.rotate("KEY", never).resumed
    assert place.values() == ("two", "one", None)


def test_after_a_rotation_elsewhere_what_was_begun_here_does_not_stand_in_the_way_of_a_roll_back(place: Place) -> None:
    killed_in_test(place)
    place.now += 60
    elsewhere(place).rotate("KEY", making("theirs"), discard=True, grace=DAY)
    place.rotation.roll_back("KEY")
    assert place.values() == ("zero", "theirs", None)


# Pending, and staged by somebody else


def test_a_pending_value_that_was_not_staged_from_here_is_refused_and_the_ways_out_are_named(place: Place) -> None:
    elsewhere(place).stage("KEY", making("theirs"))
    with pytest.raises(PendingFound, match=r"take_pending=True .*discard=True"):
        place.rotation.rotate("KEY", never)
    assert place.values() == ("zero", None, "theirs")
    assert place.steps() == []
    place.rotation.rotate("KEY", never, take_pending=True)
    assert place.values() == ("theirs", "zero", None)


def test_what_was_published_from_here_is_taken(place: Place) -> None:
    outcome = place.rotation.stage("KEY", making("one"))
    assert (outcome.action, outcome.steps) == ("publish", ("begin", "staged", "end"))
    assert place.rotation.stage("KEY", never).changed is False
    assert place.rotation.stage("KEY", making("two"), discard=True).steps == ("begin", "discarded", "staged", "end")
    assert place.rotation.status("KEY").state == "pending"
    place.rotation.rotate("KEY", never)
    assert place.values() == ("two", "zero", None)


def test_a_pending_value_that_came_after_ours_was_given_up_is_not_ours(place: Place) -> None:
    killed_in_test(place)
    place.target.discard("KEY")
    place.rotation.discard("KEY")
    elsewhere(place).stage("KEY", making("theirs"))
    with pytest.raises(PendingFound):
        place.rotation.rotate("KEY", never)


def test_a_value_that_somebody_else_stages_first_is_not_promoted_for_ours(tmp_path: Path) -> None:
    class Contended(DotenvTarget):
        def stage(self, name: str, value: Callable[[], str | bytes]) -> None:
            super().stage(name, sealed("theirs"))
            super().stage(name, value)

    place = Place(tmp_path, "dotenv")
    with pytest.raises(Busy):
        place.using(Contended(place.path)).rotate("KEY", making("one"))
    assert place.values() == ("zero", None, "theirs")
    assert place.steps() == ["rotate:begin", "rotate:failed"]


def test_a_value_that_is_exchanged_while_ours_is_tested_is_not_promoted(tmp_path: Path) -> None:
    place = Place(tmp_path, "dotenv")

    def test(pending: Callable[[], str | bytes]) -> bool:
        place.path.write_text(place.path.read_text().replace("one", "theirs"))
        return True

    with pytest.raises(Busy):
        place.rotation.rotate("KEY", making("one"), test=test)
    assert place.values() == ("zero", None, "theirs")


# Ended by an exception


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_signal_while_it_is_tested_takes_back_what_was_staged(error: type[BaseException], place: Place) -> None:
    def test(pending: Callable[[], str | bytes]) -> bool:
        raise error

    with pytest.raises(error):
        place.rotation.rotate("KEY", making("one"), test=test)
    assert place.values() == ("zero", None, None)
    assert place.steps() == ["rotate:begin", "rotate:staged", "rotate:discarded", "rotate:failed"]
    assert place.rotation.status("KEY").state == "steady"


def test_a_promotion_that_is_refused_takes_back_what_was_staged(tmp_path: Path) -> None:
    class Refusing(DotenvTarget):
        def promote(self, name: str, previous_until: float) -> None:
            raise ConfigurationError("the right to promote is missing")

    place = Place(tmp_path, "dotenv")
    with pytest.raises(ConfigurationError, match="right to promote"):
        place.using(Refusing(place.path)).rotate("KEY", making("one"))
    assert place.values() == ("zero", None, None)
    assert place.steps()[-1] == "rotate:failed"


def test_what_was_promoted_before_it_ended_stays_and_is_ended_by_the_next_run(tmp_path: Path) -> None:
    class Late(DotenvTarget):
        def promote(self, name: str, previous_until: float) -> None:
            super().promote(name, previous_until)
            raise KeyboardInterrupt

    place = Place(tmp_path, "dotenv")
    with pytest.raises(KeyboardInterrupt):
        place.using(Late(place.path)).rotate("KEY", making("one"))
    assert place.values() == ("one", "zero", None)
    assert place.rotation.rotate("KEY", never).steps == ("promoted", "end")


def test_what_was_pending_before_stays_when_it_ends_by_an_exception(place: Place) -> None:
    place.target.stage("KEY", sealed("sender's"))

    def test(pending: Callable[[], str | bytes]) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.rotation.rotate("KEY", never, test=test, take_pending=True)
    assert place.values() == ("zero", None, "sender's")


# Promoted, and not ended


def _promoted(place: Place, value: str, **options: object) -> None:
    """A rotation that was killed after its promotion, before it was told."""
    place.rotation.rotate("KEY", making(value), **options)  # type: ignore[arg-type]
    path = Path(f"{place.path}.history.jsonl")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))


def test_a_value_that_is_given_is_current_at_the_end_or_it_is_said(place: Place) -> None:
    _promoted(place, "one")
    with pytest.raises(StillInGrace):
        place.rotation.rotate("KEY", making("two"), given=True)
    assert place.values() == ("one", "zero", None)
    outcome = place.rotation.rotate("KEY", making("two"), given=True, force=True)
    assert (outcome.resumed, outcome.changed) == (False, True)
    assert place.values() == ("two", "one", None)


def test_a_value_that_is_given_and_was_promoted_by_the_run_that_was_killed_is_only_ended(place: Place) -> None:
    _promoted(place, "one")
    outcome = place.rotation.rotate("KEY", making("one"), given=True)
    assert (outcome.resumed, outcome.steps) == (True, ("promoted", "end"))


def test_a_value_that_is_given_does_not_pass_for_another_that_is_pending(place: Place) -> None:
    killed_in_test(place)
    with pytest.raises(PendingFound, match="than the one given"):
        place.rotation.rotate("KEY", making("two"), given=True)
    assert place.values() == ("zero", None, "one")
    place.rotation.rotate("KEY", making("one"), given=True)
    assert place.values() == ("one", "zero", None)


def test_the_value_that_is_current_is_no_new_one(place: Place) -> None:
    with pytest.raises(ConfigurationError, match="is the current one"):
        place.rotation.rotate("KEY", making("zero"), given=True)
    assert place.steps() == []


def test_last_months_rotation_is_ended_and_this_months_goes_on(place: Place) -> None:
    _promoted(place, "one", grace=DAY)
    place.now += 30 * DAY
    assert [step.step for step in place.rotation.plan("KEY").steps] == ["stage", "promote"]
    outcome = place.rotation.rotate("KEY", making("two"), grace=DAY)
    assert (outcome.resumed, outcome.changed) == (False, True)
    assert place.values() == ("two", "one", None)
    assert place.steps() == [
        "rotate:begin", "rotate:staged", "rotate:promoted", "rotate:end",
        "rotate:begin", "rotate:staged", "rotate:promoted", "rotate:end",
    ]  # fmt: skip


# Rolled back


def test_a_previous_value_that_was_put_there_by_hand_is_rolled_back_to(tmp_path: Path) -> None:
    place = Place(tmp_path, "dotenv")
    place.rotation.rotate("KEY", making("one"))
    place.rotation.roll_back("KEY")
    place.path.write_text("KEY=by-hand\nKEY__PREVIOUS=before\n")
    assert place.rotation.roll_back("KEY").changed
    assert place.values() == ("before", "by-hand", None)


# By whichever name the place is called


def test_the_journal_of_a_file_is_one_by_whichever_path_the_file_is_reached(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    place = Place(tmp_path / "release", "dotenv")
    (tmp_path / "now").symlink_to("release")
    spec = f"dotenv:{tmp_path}/now/.env"
    Rotation(open_target(spec), journal=open_journal(spec)).rotate("KEY", making("one"))
    direct = f"dotenv:{place.path}"
    assert len(Rotation(open_target(direct), journal=open_journal(direct)).history("KEY")) == 4
    shutil.move(place.path.parent, tmp_path / "moved")
    moved = f"dotenv:{tmp_path}/moved/.env"
    history = Rotation(open_target(moved), journal=open_journal(moved)).history("KEY")
    assert [entry["step"] for entry in history] == ["begin", "staged", "promoted", "end"]


def test_a_journal_of_several_files_tells_those_of_one_name_apart(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "all.jsonl")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        place = Place(tmp_path / name, "dotenv")
        Rotation(place.target, journal=journal).rotate("KEY", making("one"))
        assert len(Rotation(place.target, journal=journal).history("KEY")) == 4


def test_a_directory_that_is_a_link_has_the_journal_of_what_it_leads_to(tmp_path: Path) -> None:
    place = Place(tmp_path, "files")
    (tmp_path / "link").symlink_to(place.path)
    assert open_journal(f"files:{tmp_path}/link").path == f"{place.path}.history.jsonl"
    assert str(open_target(f"files:{tmp_path}/link")) == f"files:{place.path}"


def test_a_publication_that_dies_at_any_operation_is_finished_by_the_next(tmp_path: Path) -> None:
    """The line before the change, and one value: whatever was staged is known as ours, and the next rotation takes it."""
    at = 0
    while True:
        at += 3
        (tmp_path / str(at)).mkdir()
        place, system = Place(tmp_path / str(at), "dotenv"), Failing(at)
        try:
            place.using(place.open(system), system).stage("KEY", making("one"))
        except Died:
            system.bury()
        staged = place.values()[2]
        healthy = place.using(place.open(Failing()), Failing())  # which waits for no disk
        assert staged is None or "publish:begin" in place.steps()
        healthy.stage("KEY", making("two") if staged is None else never)
        assert place.rotation.status("KEY").state == "pending"
        healthy.rotate("KEY", never)
        assert place.values() == (staged or "two", "zero", None)
        if system.failed is None:
            break
    assert at > 20
