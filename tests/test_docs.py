"""Every Python snippet of the documentation runs: the blocks of one page are one program, in a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import authkit

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(program: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """The program, in a process and a folder of its own."""
    script = tmp_path / "snippets.py"
    script.write_text(program)
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("AUTHKIT_")}, "AUTHKIT_ENV": "test"}
    environment["JWT_SECRET"] = "only here, for what a page reads: 7f3a"
    environment["PYTHONPATH"] = str(Path(authkit.__file__).parents[1])  # the very library under test
    command = [sys.executable, "-W", "error:::__main__", str(script)]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_snippets_of_a_page_run(page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    program = "\n\n".join(_BLOCK.findall(text))
    if not program:
        assert "```py" not in text
        return
    found = run(program, tmp_path)
    assert found.returncode == 0, found.stderr


VISIT = """
import asyncio, httpx

async def visit():
    alice = {"username": "alice", "password": "correct horse battery staple"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url) as client:
        assert (await client.get("/hello")).status_code == 401
        assert (await client.post("/auth/login", json=alice)).status_code == 401
        assert (await client.post("/auth/register", json=alice)).status_code == 201
        pair = (await client.post("/auth/login", json=alice)).json()
        bearer = {"authorization": "Bearer " + pair["access_token"]}
        assert (await client.get("/hello", headers=bearer)).json() == {"hello": "alice"}
        assert (await client.post("/auth/logout", headers=bearer)).status_code == 204
        assert (await client.get("/hello", headers=bearer)).status_code == 401

asyncio.run(visit())
"""


def test_the_first_page_goes_from_login_to_a_private_hello_in_fifteen_lines(tmp_path: Path) -> None:
    [block] = [found for found in _BLOCK.findall((ROOT / "README.md").read_text()) if "Accounts(" in found]
    assert len([line for line in block.splitlines() if line]) <= 15
    found = run(block + VISIT, tmp_path)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("page", [*PAGES, ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target
