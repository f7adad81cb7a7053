"""The Lambda function that Secrets Manager calls: AWS's four steps, its guards, and every step once more."""

from __future__ import annotations

import io
import itertools
import json
import urllib.request
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from authkit.errors import ConfigurationError, SecretNotFound, SecretUnavailable
from authkit.secrets import SecretVersions
from authkit.secrets.rotation._member_versions import RotatedVersions
from authkit.secrets.rotation.aws_lambda import STEPS, RotationFunction, rotation_handler
from authkit.secrets.rotation.outcome import RotationRefused, StillInGrace
from authkit.secrets.secretsmanager import SecretsManager
from tests.secrets.rotation.aws_parts import CANARY, NEW, NEWER, OLD, Killed, Mortal, labelled, shown
from tests.servers.aws import client
from tests.servers.runtime_api import lambda_function

if TYPE_CHECKING:
    from tests.servers.aws import StrictAws

TOKEN, OTHER = "1" * 36, "2" * 36
TWO = {"JWT_SECRET": OLD, "port": 5432, "PEPPER": f"{CANARY}-pepper"}
EXAMPLES = Path(__file__).parents[3] / "examples"


def _event(step: str, **more: Any) -> dict[str, Any]:
    return {"SecretId": "app", "ClientRequestToken": TOKEN, "Step": step, **more}


def _function(aws: StrictAws, **options: Any) -> RotationFunction:
    return rotation_handler(client=aws.client(), sleep=lambda seconds: None, clock=lambda: 1e9, **options)


@pytest.fixture
def plain(strict_aws: StrictAws) -> StrictAws:
    """A secret whose rotation AWS has begun."""
    strict_aws.client().create_secret(Name="app", SecretString=OLD, ClientRequestToken=OTHER)
    strict_aws.secrets.start_rotation("app", TOKEN)
    return strict_aws


@pytest.fixture
def document(strict_aws: StrictAws) -> StrictAws:
    """A JSON secret whose rotation AWS has begun."""
    strict_aws.client().create_secret(Name="app", SecretString=json.dumps(TWO), ClientRequestToken=OTHER)
    strict_aws.secrets.start_rotation("app", TOKEN)
    return strict_aws


def test_four_steps_give_a_new_value_and_keep_the_old_one_as_previous(plain: StrictAws) -> None:
    function = _function(plain, kind="password", grace=60)
    for step in STEPS:
        assert function(_event(step), object()) is None
    found = labelled(plain)
    assert set(found) == {"AWSCURRENT", "AWSPREVIOUS"}
    assert found["AWSPREVIOUS"] == OLD
    assert len(found["AWSCURRENT"]) == 43
    assert plain.secrets.secrets["app"].labels["AWSCURRENT"] == TOKEN
    assert SecretsManager("app", client=plain.client()).fetch("app").previous_until == 1_000_000_060


def test_one_member_of_a_document_is_rotated_and_the_others_stay(document: StrictAws) -> None:
    for step in STEPS.values():  # as AWS's user guide spells them
        _function(document, member="JWT_SECRET")(_event(step))
    current = labelled(document)["AWSCURRENT"]
    assert list(current) == list(TWO)
    assert {**current, "JWT_SECRET": OLD} == TWO
    assert current["JWT_SECRET"] != OLD


def test_every_step_may_be_repeated(plain: StrictAws) -> None:
    function = _function(plain)
    made = set()
    for step in STEPS:
        for _ in range(3):
            function(_event(step))
            made.add(plain.secrets.secrets["app"].versions[TOKEN].text)
    assert len(made) == 1
    assert set(labelled(plain)) == {"AWSCURRENT", "AWSPREVIOUS"}


def test_a_pending_value_that_is_there_is_kept(plain: StrictAws) -> None:
    plain.client().put_secret_value(SecretId="app", SecretString=NEW, ClientRequestToken=TOKEN, VersionStages=["AWSPENDING"])
    for step in STEPS:
        _function(plain)(_event(step))
    assert labelled(plain) == {"AWSCURRENT": NEW, "AWSPREVIOUS": OLD}


def test_a_rotation_token_is_in_no_crash_report(plain: StrictAws) -> None:
    plain.deny("PutSecretValue")
    with pytest.raises(ConfigurationError, match="PutSecretValue") as error:
        _function(plain)(_event("createSecret", RotationToken=CANARY * 3))
    assert CANARY not in shown(error.value)


@pytest.mark.parametrize(
    ("arrange", "says"),
    [
        (lambda aws: setattr(aws.secrets.secrets["app"], "rotation_enabled", False), "not enabled"),
        (lambda aws: setattr(aws.secrets.secrets["app"], "rotation_enabled", None), "not enabled"),
        (lambda aws: aws.secrets.secrets["app"].labels.pop("AWSPENDING"), "none of the versions"),
        (lambda aws: aws.secrets.secrets["app"].labels.update({"AWSPENDING": OTHER, "mine": TOKEN}), "not the pending one"),
    ],
)
@pytest.mark.parametrize("step", STEPS)
def test_a_secret_that_is_not_being_rotated_to_this_version_is_refused(
    plain: StrictAws, arrange: Any, says: str, step: str
) -> None:
    arrange(plain)
    before = dict(plain.secrets.secrets["app"].labels)
    with pytest.raises(RotationRefused, match=says):
        _function(plain)(_event(step))
    assert plain.secrets.secrets["app"].labels == before


@pytest.mark.parametrize("step", STEPS)
def test_a_version_that_is_current_already_was_finished_before(plain: StrictAws, step: str) -> None:
    for one in STEPS:
        _function(plain)(_event(one))
    plain.calls.clear()
    _function(plain)(_event(step))
    assert {action for action in plain.calls if isinstance(action, str)} == {"DescribeSecret"}


@pytest.mark.parametrize("step", ["setSecret", "finishSecret"])
def test_a_pending_version_without_a_value_goes_no_further(plain: StrictAws, step: str) -> None:
    with pytest.raises(RotationRefused, match="createSecret"):
        _function(plain)(_event(step))
    assert labelled(plain)["AWSCURRENT"] == OLD


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "createSecret",
        {},
        _event("deleteSecret"),
        _event("__call__"),
        _event("createSecret", Step=None),
        _event("createSecret", SecretId=7),
        _event("createSecret", SecretId=""),
        _event("createSecret", ClientRequestToken="short"),
        _event("createSecret", ClientRequestToken=CANARY * 9),
        _event("createSecret", RotationToken={"a": 1}),
    ],
)
def test_an_event_of_another_shape_is_refused_before_anything_is_asked(plain: StrictAws, event: Any) -> None:
    plain.calls.clear()
    with pytest.raises(RotationRefused) as error:
        _function(plain)(event)
    assert not plain.calls
    assert CANARY not in str(error.value)


def test_the_rotation_token_is_passed_on(plain: StrictAws) -> None:
    _function(plain)(_event("createSecret", RotationToken="proof-of-origin" * 3))
    ((_, asked),) = [one for one in plain.asked if one[0] == "PutSecretValue"]
    assert asked["RotationToken"] == "proof-of-origin" * 3
    assert asked["VersionStages"] == ["AWSPENDING"]


def test_what_others_changed_since_the_pending_version_was_made_is_not_undone(document: StrictAws) -> None:
    function = _function(document, member="JWT_SECRET")
    function(_event("createSecret"))
    document.client().put_secret_value(SecretId="app", SecretString=json.dumps({**TWO, "PEPPER": NEWER}))
    with pytest.raises(RotationRefused, match="PEPPER"):
        function(_event("finishSecret"))
    assert labelled(document)["AWSCURRENT"]["PEPPER"] == NEWER


def test_a_document_wants_a_member_and_a_member_wants_a_document(document: StrictAws) -> None:
    for member, says in ((None, "say which member"), ("NONE", "no JSON object with a member"), ("port", "that is text")):
        with pytest.raises(ConfigurationError, match=says):
            _function(document, member=member)(_event("createSecret"))


class Told(RotationFunction):
    """Remembers what its methods were given."""

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client=client, sleep=lambda seconds: None, **options)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.value: Any = NEW
        self.verdict: Any = True
        self.error: Exception | None = None

    def _say(self, method: str, versions: SecretVersions) -> None:
        self.told.append((method, dict(versions.named())))
        if self.error is not None:
            raise self.error

    def create_secret(self, versions: SecretVersions) -> Any:
        self._say("create", versions)
        return self.value

    def set_secret(self, versions: SecretVersions) -> None:
        self._say("set", versions)

    def test_secret(self, versions: SecretVersions) -> bool:
        self._say("test", versions)
        return self.verdict

    def finish_secret(self, versions: SecretVersions) -> None:
        self._say("finish", versions)


def test_up_to_four_methods_are_yours_and_see_the_versions(document: StrictAws) -> None:
    function = Told(document.client(), member="JWT_SECRET")
    for step in STEPS:
        function(_event(step))
    both = {"current": OLD, "pending": NEW}
    assert function.told == [("create", {"current": OLD}), ("set", both), ("test", both), ("finish", both)]
    assert labelled(document)["AWSCURRENT"] == {**TWO, "JWT_SECRET": NEW}


class Login(RotationFunction):
    """Logs in with the name that stands beside the password."""

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__("password", client=client, member="JWT_SECRET", sleep=lambda seconds: None, **options)
        self.seen: list[object] = []

    def set_secret(self, versions: RotatedVersions) -> None:
        self.seen += [versions.document()["port"], versions.document("pending")["JWT_SECRET"] == versions.pending]

    def test_secret(self, versions: RotatedVersions) -> bool:
        self.seen += [versions.document("pending")["PEPPER"], repr(versions)]
        versions.document("previous")  # there is none
        return True


def test_the_methods_see_the_other_members_of_the_document_and_nothing_shows_them(document: StrictAws) -> None:
    function = Login(document.client())
    for step in ("createSecret", "setSecret"):
        function(_event(step))
    with pytest.raises(ConfigurationError, match="no previous version") as error:
        function(_event("testSecret"))
    assert function.seen == [5432, True, TWO["PEPPER"], "<RotatedVersions>"]
    assert CANARY not in shown(error.value)


def test_a_secret_that_is_no_document_has_none(plain: StrictAws) -> None:
    class Asking(RotationFunction):
        def test_secret(self, versions: RotatedVersions) -> bool:
            return bool(versions.document())

    function = Asking(client=plain.client(), sleep=lambda seconds: None)
    function(_event("createSecret"))
    with pytest.raises(ConfigurationError, match="no current version that is a JSON object") as error:
        function(_event("testSecret"))
    assert CANARY not in shown(error.value)


@pytest.mark.parametrize("with_a_value", [False, True], ids=["empty", "a copy of the current one"])
def test_the_test_alone_by_which_aws_tries_the_function_tests_the_current_value(plain: StrictAws, with_a_value: bool) -> None:
    """RotateImmediately=false: AWS makes a pending version, calls testSecret, and drops the version."""
    if with_a_value:
        plain.client().put_secret_value(
            SecretId="app", SecretString=OLD, ClientRequestToken=TOKEN, VersionStages=["AWSPENDING"]
        )
    function = Told(plain.client())
    function(_event("testSecret"))
    assert function.told == [("test", {"current": OLD, "pending": OLD})]
    assert labelled(plain)["AWSCURRENT"] == OLD


@pytest.mark.parametrize("member", [None, "JWT_SECRET"])
def test_a_rotation_within_the_grace_of_the_last_one_is_refused_unless_forced(
    strict_aws: StrictAws, member: str | None
) -> None:
    text = OLD if member is None else json.dumps(TWO)
    strict_aws.client().create_secret(Name="app", SecretString=text, ClientRequestToken=OTHER)
    options: dict[str, Any] = {"member": member, "client": strict_aws.client(), "sleep": lambda seconds: None, "grace": 60}
    strict_aws.secrets.start_rotation("app", TOKEN)
    for step in STEPS:
        rotation_handler(clock=lambda: 1e9, **options)(_event(step))
    third = "3" * 36
    strict_aws.secrets.start_rotation("app", third)
    event = _event("createSecret", ClientRequestToken=third)
    with pytest.raises(StillInGrace):
        rotation_handler(clock=lambda: 1e9 + 59, **options)(event)
    assert strict_aws.secrets.secrets["app"].versions[third].text is None
    rotation_handler(clock=lambda: 1e9 + 59, force=True, **options)(event)
    assert strict_aws.secrets.secrets["app"].versions[third].text is not None
    for step in STEPS:
        rotation_handler(clock=lambda: 1e9 + 60, **options)(_event(step, ClientRequestToken=third))
    assert strict_aws.secrets.secrets["app"].labels["AWSCURRENT"] == third


@pytest.mark.parametrize("verdict", [False, None, 1, "yes"])
def test_anything_but_true_is_no_passed_test(plain: StrictAws, verdict: Any) -> None:
    function = Told(plain.client())
    function.verdict = verdict
    function(_event("createSecret"))
    with pytest.raises(RotationRefused, match="test"):
        function(_event("testSecret"))


@pytest.mark.parametrize("value", ["", " ", None, 5, OLD])
def test_a_method_that_gives_no_new_value_is_refused(plain: StrictAws, value: Any) -> None:
    function = Told(plain.client())
    function.value = value
    with pytest.raises(RotationRefused):
        function(_event("createSecret"))
    assert plain.calls["PutSecretValue"] == 0


@pytest.mark.parametrize("step", STEPS)
def test_what_a_method_raises_is_told_by_its_type_and_place_alone(plain: StrictAws, step: str) -> None:
    function = Told(plain.client())
    if step != "createSecret":
        function(_event("createSecret"))
    function.error = ValueError(f"the vendor does not like {NEW}")
    with pytest.raises(RotationRefused, match=r"ValueError at .*test_aws_lambda") as error:
        function(_event(step))
    assert CANARY not in shown(error.value)
    assert labelled(plain)["AWSCURRENT"] == OLD


def test_an_error_of_ours_that_a_method_raises_is_passed_on(plain: StrictAws) -> None:
    function = Told(plain.client())
    function.error = SecretUnavailable("the vendor is away")
    with pytest.raises(SecretUnavailable, match="the vendor is away"):
        function(_event("createSecret"))


def test_a_secret_without_a_current_value_is_not_rotated(strict_aws: StrictAws) -> None:
    strict_aws.client().create_secret(Name="app")
    strict_aws.secrets.start_rotation("app", TOKEN)
    with pytest.raises(SecretNotFound, match="current"):
        _function(strict_aws)(_event("createSecret"))


def test_a_secret_that_is_not_there_and_an_aws_that_is_down_are_told_apart(plain: StrictAws) -> None:
    with pytest.raises(SecretNotFound):
        _function(plain)(_event("createSecret", SecretId="none"))
    plain.fail("DescribeSecret", "InternalServiceError")
    with pytest.raises(SecretUnavailable):
        _function(plain)(_event("createSecret"))


@pytest.mark.parametrize("wrong", [{"kind": "rot13"}, {"length": 3}, {"member": ""}, {"grace": -1}, {"region": "Mars"}])
def test_a_literal_that_is_wrong_is_refused_when_the_function_is_loaded(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        rotation_handler(**wrong)


def test_killed_at_any_call_and_invoked_again_it_ends_in_the_same_place(strict_aws: StrictAws) -> None:
    clients, killed = strict_aws.client(), 0
    for step in STEPS:
        for k, after in itertools.product(range(1, 8), (False, True)):
            strict_aws.secrets.secrets.clear()
            clients.create_secret(Name="app", SecretString=json.dumps(TWO), ClientRequestToken=OTHER)
            strict_aws.secrets.start_rotation("app", TOKEN)
            for one in STEPS:
                mortal = Mortal(clients, k if one == step else None, after=after)
                try:
                    rotation_handler(member="JWT_SECRET", client=mortal)(_event(one))
                except Killed:
                    killed += 1
                    assert labelled(strict_aws)["AWSCURRENT"]["PEPPER"] == TWO["PEPPER"]
                    rotation_handler(member="JWT_SECRET", client=clients)(_event(one))
            found = labelled(strict_aws)
            assert set(found) == {"AWSCURRENT", "AWSPREVIOUS"}
            assert strict_aws.secrets.secrets["app"].labels["AWSCURRENT"] == TOKEN
            assert found["AWSPREVIOUS"] == TWO
    assert killed == 32


def _rotate_secret_at_moto(endpoint: str) -> None:
    """RotateSecret, with a function that moto believes in and does not run."""
    told = json.dumps({"lambda": {"use_docker": False}}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/config", told, method="POST"), timeout=10).close()
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    role = client("iam", endpoint).create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    function = client("lambda", endpoint).create_function(
        FunctionName="rotate", Runtime="python3.11", Role=role, Handler="app.handler", Code={"ZipFile": code.getvalue()}
    )
    client("secretsmanager", endpoint).rotate_secret(
        SecretId="app",
        ClientRequestToken=TOKEN,
        RotationLambdaARN=function["FunctionArn"],
        RotationRules={"AutomaticallyAfterDays": 30},
    )


@pytest.mark.parametrize("handler", ["jwt_handler", "vendor_handler"])
def test_the_example_rotates_under_aws_own_runtime_client(moto: str, handler: str, capfd: pytest.CaptureFixture[str]) -> None:
    secrets = client("secretsmanager", moto)
    first = json.dumps(TWO if handler == "jwt_handler" else {"username": "app", "password": OLD})
    secrets.create_secret(Name="app", SecretString=first)
    _rotate_secret_at_moto(moto)
    env = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": moto}
    with lambda_function(f"secret_rotation_lambda.{handler}", EXAMPLES, env=env, timeout=30) as function:
        for step in STEPS:
            answer = function.invoke(_event(step))
            assert (answer.failed, answer.value) == (False, None)
        refused = function.invoke(_event("createSecret", ClientRequestToken="3" * 36))
    assert (refused.failed, refused.value["errorType"]) == (True, "RotationRefused")
    current = secrets.get_secret_value(SecretId="app", VersionStage="AWSCURRENT")
    assert current["VersionId"] == TOKEN
    assert current["VersionStages"] == ["AWSCURRENT"]
    assert current["SecretString"] != first
    assert secrets.get_secret_value(SecretId="app", VersionStage="AWSPREVIOUS")["SecretString"] == first
    out, err = capfd.readouterr()
    assert CANARY not in out + err
    assert current["SecretString"] not in out + err
