"""An adapter loads its own framework, and nobody loads an adapter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

FRAMEWORKS = {"starlette", "django", "rest_framework", "flask", "flask_login", "mcp", "fastapi", "aiohttp"}
PROGRAM = """
import json, sys
{program}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def loaded(program: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(program=program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout)) & FRAMEWORKS


def test_the_library_and_the_package_load_no_framework() -> None:
    assert loaded("import authkit, authkit.adapters, authkit.oidc.gateway, authkit.oidc.metadata") == set()


@pytest.mark.parametrize(
    ("name", "frameworks"),
    [
        ("starlette", {"starlette"}),
        ("django", {"django"}),
        ("drf", {"django", "rest_framework"}),
        ("flask_login", {"flask"}),
        ("mcp", {"mcp", "starlette"}),
    ],
)
def test_an_adapter_loads_its_own_framework(name: str, frameworks: set[str]) -> None:
    assert loaded(f"import authkit.adapters.{name}") == frameworks
