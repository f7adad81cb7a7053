"""`open_routes` of a Django project: functions, classes, `method_decorator`, included URLconfs, middleware."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("django_project.py")

OPEN = [
    ["/inherits/", ["GET"]], ["/old/(?P<id>\\d+)/$", []], ["/on-method/", ["POST"]], ["/open/", []], ["/plain/", ["GET"]],
    ["/shadowed/", ["GET"]], ["/shop/<int:id>/", []],
]  # fmt: skip


def run(*middleware):
    done = subprocess.run(
        [sys.executable, "-P", str(PROGRAM), *middleware],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_open_view_is_found_answers_a_stranger_and_the_others_do_not():
    found = run()
    assert found["routes"] == OPEN
    assert found["answers"] == [200]
    assert found["closed"] == [401]
    assert found["same"] == [True] * 4
    assert found["behind"] == 0


def test_a_guard_in_middleware_covers_all_but_what_except_for_names():
    found = run("security.but")
    assert [path for path, _ in found["routes"]] == ["/open/", "/shop/<int:id>/"]
    assert found["answers"] == [200]
    assert run("security.api")["routes"] == []


def test_a_shadow_in_middleware_covers_nothing():
    assert run("security.shadow")["routes"] == OPEN
