"""Somebody else writes between two of our calls to Secrets Manager: nothing of theirs is lost, and we are told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError
from authkit.secrets.rotation import Busy
from authkit.secrets.rotation.secretsmanager import SecretsManagerTarget
from authkit.secrets.versions import sealed
from tests.secrets.rotation.aws_parts import CANARY, NEW, NEWER, OLD, Meddled, labelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.aws import StrictAws

UNTIL = 2_000_000_000
THEIRS = f"{CANARY}-theirs"
TWO = {"JWT": OLD, "PEPPER": f"{CANARY}-pepper"}


def _target(client: Any) -> SecretsManagerTarget:
    return SecretsManagerTarget("app", client=client, sleep=lambda seconds: None, clock=lambda: 1e9)


@pytest.fixture
def plain(strict_aws: StrictAws) -> StrictAws:
    strict_aws.client().create_secret(Name="app", SecretString=OLD)
    return strict_aws


@pytest.fixture
def document(strict_aws: StrictAws) -> StrictAws:
    strict_aws.client().create_secret(Name="app", SecretString=json.dumps(TWO))
    return strict_aws


def _put(aws: StrictAws, text: str, *labels: str) -> Callable[[], object]:
    return lambda: aws.client().put_secret_value(
        SecretId="app", SecretString=text, VersionStages=list(labels or ["AWSCURRENT"])
    )


def test_a_current_value_that_changes_before_a_stage_ends_it_and_leaves_no_pending(plain: StrictAws) -> None:
    with pytest.raises(Busy):
        _target(Meddled(plain.client(), "put_secret_value", _put(plain, THEIRS))).stage("app", sealed(NEW))
    assert labelled(plain) == {"AWSCURRENT": THEIRS, "AWSPREVIOUS": OLD}


def test_a_pending_value_that_is_replaced_right_after_a_stage_ends_it(plain: StrictAws) -> None:
    target = _target(Meddled(plain.client(), "put_secret_value", _put(plain, THEIRS, "AWSPENDING"), after=True))
    with pytest.raises(Busy):
        target.stage("app", sealed(NEW))
    assert labelled(plain) == {"AWSCURRENT": OLD, "AWSPENDING": THEIRS}


def test_whoever_stages_first_on_the_same_version_has_the_pending_value(plain: StrictAws) -> None:
    other = _target(plain.client())
    target = _target(Meddled(plain.client(), "put_secret_value", lambda: other.stage("app", sealed(THEIRS))))
    target.stage("app", sealed(NEW))
    assert labelled(plain) == {"AWSCURRENT": OLD, "AWSPENDING": THEIRS}


def test_whoever_has_promoted_meanwhile_leaves_nothing_to_stage_on(plain: StrictAws) -> None:
    def rotate() -> None:
        _target(plain.client()).stage("app", sealed(THEIRS))
        _target(plain.client()).promote("app", UNTIL)

    with pytest.raises(Busy):
        _target(Meddled(plain.client(), "put_secret_value", rotate)).stage("app", sealed(NEW))
    assert labelled(plain) == {"AWSCURRENT": THEIRS, "AWSPREVIOUS": OLD}


def test_a_current_value_that_changes_before_a_promotion_stays_and_the_pending_one_too(document: StrictAws) -> None:
    target = _target(document.client())
    target.stage("JWT", sealed(NEW))
    theirs = {**TWO, "PEPPER": THEIRS}
    with pytest.raises(Busy):
        _target(Meddled(document.client(), "tag_resource", _put(document, json.dumps(theirs)))).promote("JWT", UNTIL)
    assert labelled(document)["AWSCURRENT"] == theirs
    target.promote("JWT", UNTIL)
    current = labelled(document)["AWSCURRENT"]
    assert (current["JWT"], current["PEPPER"]) == (NEW, THEIRS)
    assert set(labelled(document)) == {"AWSCURRENT", "AWSPREVIOUS"}


def test_a_promotion_that_somebody_else_finishes_is_finished(plain: StrictAws) -> None:
    _target(plain.client()).stage("app", sealed(NEW))
    other = _target(plain.client())
    _target(Meddled(plain.client(), "tag_resource", lambda: other.promote("app", UNTIL))).promote("app", UNTIL)
    assert labelled(plain) == {"AWSCURRENT": NEW, "AWSPREVIOUS": OLD}


def test_a_value_staged_on_a_version_that_has_lost_every_label_is_still_known_for_what_it_is(document: StrictAws) -> None:
    target = _target(document.client())
    target.stage("JWT", sealed(NEW))
    for pepper in ("1", THEIRS):
        _put(document, json.dumps({**TWO, "PEPPER": pepper}))()
    target.promote("JWT", UNTIL)
    assert {name: labelled(document)["AWSCURRENT"][name] for name in TWO} == {"JWT": NEW, "PEPPER": THEIRS}


def test_a_create_does_not_take_the_place_of_what_somebody_else_has_created(strict_aws: StrictAws) -> None:
    def create() -> object:
        return strict_aws.client().create_secret(Name="app", SecretString=THEIRS)

    with pytest.raises(Busy):
        _target(Meddled(strict_aws.client(), "create_secret", create)).create("app", sealed(NEW))
    target = _target(strict_aws.client())
    strict_aws.secrets.secrets.clear()
    with target.locked("app"):
        create()
        with pytest.raises(Busy):
            target.create("app", sealed(NEW))
    assert labelled(strict_aws) == {"AWSCURRENT": THEIRS}


def test_a_secret_made_without_a_value_gets_its_first_one(strict_aws: StrictAws) -> None:
    strict_aws.client().create_secret(Name="app")
    _target(strict_aws.client()).create("JWT", sealed(NEW))
    with pytest.raises(ConfigurationError):
        _target(strict_aws.client()).create("NONE", sealed(" "))
    assert labelled(strict_aws) == {"AWSCURRENT": {"JWT": NEW}}


def test_a_pending_version_of_another_make_is_in_the_way_until_it_is_discarded(document: StrictAws) -> None:
    target = _target(document.client())
    _put(document, "no document", "AWSPENDING")()
    with pytest.raises(Busy, match="no JSON object"):
        target.stage("JWT", sealed(NEW))
    _put(document, json.dumps({"PEPPER": TWO["PEPPER"]}), "AWSPENDING")()
    with pytest.raises(ConfigurationError, match="no text as JWT"):
        target.promote("JWT", UNTIL)
    target.discard("JWT")
    document.secrets.start_rotation("app", "9" * 36)
    document.secrets.secrets["app"].rotation_enabled = None  # what a failed rotation leaves, and is then turned off
    target.stage("JWT", sealed(NEWER))
    target.promote("JWT", UNTIL)
    assert labelled(document)["AWSCURRENT"]["JWT"] == NEWER


@pytest.mark.parametrize("label", ["AWSCURRENT", "AWSPENDING"])
def test_a_label_that_aws_does_not_let_go_is_no_quarrel_with_somebody_else(plain: StrictAws, label: str) -> None:
    target = _target(plain.client())
    target.stage("app", sealed(NEW))
    plain.fail("UpdateSecretVersionStage", "InvalidRequestException", stage=label)
    with pytest.raises(ConfigurationError, match=label):
        target.promote("app", UNTIL)
