"""The command against AWS: moto over real HTTP, and a strict stub for throttling, missing rights and lost answers."""

from __future__ import annotations

import http.server
import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from authkit.cli._doctor_clock import clock as examined
from tests.cli.command import Said, authkit, start
from tests.servers.aws import AWS_ENV, client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.aws import StrictAws

OLD = "o1Dtl-5hGm9v2Yk7PqL4dXwZ8rTbNfJb"
NAME = "prod/app"


def run(place: Path, endpoint: str, *words: str, stdin: str | None = None) -> Said:
    state = {"XDG_STATE_HOME": str(place / "state"), "AWS_ENDPOINT_URL": endpoint}
    return authkit(*words, cwd=place, stdin=stdin, **AWS_ENV, **state)


def keep(endpoint: str, **members: str) -> None:
    client("secretsmanager", endpoint).create_secret(Name=NAME, SecretString=json.dumps(members))


def stages(endpoint: str) -> set[str]:
    found = client("secretsmanager", endpoint).describe_secret(SecretId=NAME)["VersionIdsToStages"]
    return {stage for labels in found.values() for stage in labels}


def test_a_member_of_a_json_secret_is_rotated_retired_and_rolled_back(moto: str, tmp_path: Path) -> None:
    keep(moto, API_KEY=OLD, OTHER="as it was")
    where = ("--source", f"aws:{NAME}")
    assert run(tmp_path, moto, "secrets", "list", *where).out.split() == ["API_KEY", "OTHER"]
    said = run(tmp_path, moto, "secrets", "rotate", "API_KEY", *where)
    assert said.code == 0, said.err
    assert "AWSPENDING" not in stages(moto)
    new = run(tmp_path, moto, "secrets", "get", "API_KEY", "--reveal", *where).out.strip()
    assert new != OLD
    assert run(tmp_path, moto, "secrets", "get", "API_KEY", "--reveal", "--version", "previous", *where).out.strip() == OLD
    assert run(tmp_path, moto, "secrets", "get", "OTHER", "--reveal", *where).out.strip() == "as it was"
    assert run(tmp_path, moto, "secrets", "rollback", "API_KEY", *where).code == 0
    assert run(tmp_path, moto, "secrets", "get", "API_KEY", "--reveal", *where).out.strip() == OLD
    assert run(tmp_path, moto, "secrets", "retire", "API_KEY", "--force", *where).code == 0
    said = run(tmp_path, moto, "secrets", "status", "API_KEY", "--json", *where)
    assert said.json["secrets"][0]["versions"] == ["current"]
    actions = [
        line["action"] for line in run(tmp_path, moto, "secrets", "history", "API_KEY", "--json", *where).json["changes"]
    ]
    assert list(dict.fromkeys(actions)) == ["rotate", "roll_back", "retire"]
    assert OLD not in "".join(path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file())


def test_what_was_changed_elsewhere_has_the_history_that_aws_keeps(moto: str, tmp_path: Path) -> None:
    keep(moto, API_KEY=OLD)
    (tmp_path / "elsewhere").mkdir()
    where = ("API_KEY", "--source", f"aws:{NAME}")
    assert run(tmp_path / "elsewhere", moto, "secrets", "rotate", *where).code == 0
    changes = run(tmp_path, moto, "secrets", "history", *where, "--json").json["changes"]
    assert sorted(change["labels"] for change in changes) == ["AWSCURRENT", "AWSPREVIOUS"]  # made within one second
    said = run(tmp_path, moto, "secrets", "history", *where)
    assert "AWSCURRENT" in said.out
    assert OLD not in said.all


def test_of_two_machines_none_drops_or_promotes_what_the_other_has_made(moto: str, tmp_path: Path) -> None:
    keep(moto, API_KEY=OLD)
    one, two = tmp_path / "one", tmp_path / "two"
    for machine in (one, two):
        machine.mkdir()
    words = ("secrets", "rotate", "API_KEY", "--source", f"aws:{NAME}")
    state = {"XDG_STATE_HOME": str(one / "state"), "AWS_ENDPOINT_URL": moto}
    wait = "sh -c 'touch in; while [ ! -e go ]; do sleep 0.05; done'"
    first = start(*words, "--test", wait, cwd=one, **AWS_ENV, **state)
    try:
        end = time.monotonic() + 30
        while not (one / "in").exists() and time.monotonic() < end:
            time.sleep(0.02)
        refused = run(two, moto, *words)
        assert (refused.code, "--take-pending" in refused.err) == (3, True)
        assert run(two, moto, *words, "--discard").code == 0
        (one / "go").touch()
        assert first.wait(timeout=30) == 6
    finally:
        first.kill()
        first.communicate()
    theirs = run(two, moto, "secrets", "get", "API_KEY", "--reveal", "--source", f"aws:{NAME}").out
    assert run(one, moto, *words).code == 3
    assert run(one, moto, *words, "--dry-run").code == 3
    assert run(one, moto, "secrets", "get", "API_KEY", "--reveal", "--source", f"aws:{NAME}").out == theirs
    previous = ("secrets", "get", "API_KEY", "--reveal", "--version", "previous", "--source", f"aws:{NAME}")
    assert run(one, moto, *previous).out.strip() == OLD


def test_a_parameter_is_rotated(moto: str, tmp_path: Path) -> None:
    client("ssm", moto).put_parameter(Name="/app/API_KEY", Value=OLD, Type="SecureString")
    where = ("--source", "ssm:/app/")
    said = run(tmp_path, moto, "secrets", "rotate", "API_KEY", *where)
    assert said.code == 0, said.err
    assert run(tmp_path, moto, "secrets", "get", "API_KEY", "--reveal", "--version", "previous", *where).out.strip() == OLD
    assert run(tmp_path, moto, "secrets", "list", *where).out.split() == ["API_KEY"]


def test_a_missing_right_is_named_and_nothing_has_changed(strict_aws: StrictAws, tmp_path: Path) -> None:
    keep(strict_aws.endpoint, API_KEY=OLD)
    strict_aws.deny("PutSecretValue")
    said = run(tmp_path, strict_aws.endpoint, "secrets", "rotate", "API_KEY", "--source", f"aws:{NAME}")
    assert said.code == 2
    assert "secretsmanager:PutSecretValue" in said.err
    assert said.err.count("\n") == 1
    assert OLD not in said.all
    assert stages(strict_aws.endpoint) == {"AWSCURRENT"}


def test_what_is_not_there_and_what_does_not_answer_have_codes_of_their_own(strict_aws: StrictAws, tmp_path: Path) -> None:
    where = ("--source", f"aws:{NAME}")
    assert run(tmp_path, strict_aws.endpoint, "secrets", "get", "API_KEY", *where).code == 4
    strict_aws.close()
    said = run(tmp_path, strict_aws.endpoint, "secrets", "get", "API_KEY", "--json", *where)
    assert (said.code, said.json["error"]) == (5, "unavailable")
    assert "Traceback" not in said.err


def test_throttled_it_tries_again(strict_aws: StrictAws, tmp_path: Path) -> None:
    keep(strict_aws.endpoint, API_KEY=OLD)
    strict_aws.fail("PutSecretValue", "ThrottlingException", times=2)
    assert run(tmp_path, strict_aws.endpoint, "secrets", "rotate", "API_KEY", "--source", f"aws:{NAME}").code == 0
    assert stages(strict_aws.endpoint) == {"AWSCURRENT", "AWSPREVIOUS"}


def test_killed_and_run_again_it_leaves_no_pending_behind(strict_aws: StrictAws, tmp_path: Path) -> None:
    keep(strict_aws.endpoint, API_KEY=OLD)
    words = ("secrets", "rotate", "API_KEY", "--source", f"aws:{NAME}")
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "AWS_ENDPOINT_URL": strict_aws.endpoint}
    process = start(*words, "--test", "sleep 30", cwd=tmp_path, **AWS_ENV, **state)
    end = time.monotonic() + 30
    while "AWSPENDING" not in stages(strict_aws.endpoint) and time.monotonic() < end:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    said = run(tmp_path, strict_aws.endpoint, *words, "--json")
    assert (said.code, said.json["resumed"]) == (0, True), said.err
    assert stages(strict_aws.endpoint) == {"AWSCURRENT", "AWSPREVIOUS"}


def test_doctor_looks_at_aws_and_says_when_it_cannot(strict_aws: StrictAws, tmp_path: Path) -> None:
    keep(strict_aws.endpoint, API_KEY="changeme")
    said = run(tmp_path, strict_aws.endpoint, "doctor", "--source", f"aws:{NAME}", "--json")
    assert [(found["subject"], found["code"]) for found in said.json["findings"]] == [("API_KEY", "sample")]
    strict_aws.close()
    said = run(tmp_path, strict_aws.endpoint, "doctor", "--source", f"aws:{NAME}", "--json")
    assert (said.code, [found["code"] for found in said.json["findings"]]) == (1, ["unreachable"])


class Clock(http.server.BaseHTTPRequestHandler):
    """Answers anything, with a Date that is off by `off` seconds."""

    off = 0.0

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.off)

    def do_HEAD(self) -> None:
        self.send_response(400)
        self.end_headers()

    do_POST = do_HEAD

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def clock(off: float) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Off", (Clock,), {"off": off}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("off", "severity", "says"),
    [(-100.0, "warning", "1m"), (620.0, "error", "10m"), (0.0, None, "")],
    ids=["ahead", "behind", "right"],
)
def test_a_clock_that_is_not_awss_is_found(
    off: float, severity: str | None, says: str, aws_env: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clock(off) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        found = list(examined(f"aws:{NAME}@eu-west-1", time.time()))
    assert [finding.severity for finding in found] == ([] if severity is None else [severity])
    assert all(finding.code == "clock_skew" for finding in found)
    assert not found or f"{says} " in found[0].message
    assert not found or ("ahead" if off < 0 else "behind") in found[0].message


def test_without_the_library_the_way_to_install_it_is_told(tmp_path: Path) -> None:
    for name in ("boto3", "botocore"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not here')\n")
    said = authkit("secrets", "get", "X", "--source", "aws:app@eu-west-1", cwd=tmp_path, cold=True, PYTHONPATH=str(tmp_path))
    assert said.code == 2
    assert 'pip install "authkit-middleware[aws]"' in said.err
    assert said.err.count("\n") == 1
