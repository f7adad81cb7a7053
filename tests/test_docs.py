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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_snippets_of_a_page_run(page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    program = "\n\n".join(_BLOCK.findall(text))
    if not program:
        assert "```py" not in text
        return
    script = tmp_path / "snippets.py"
    script.write_text(program)
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("AUTHKIT_")}, "AUTHKIT_ENV": "test"}
    environment["PYTHONPATH"] = str(Path(authkit.__file__).parents[1])  # the very library under test
    command = [sys.executable, "-W", "error:::__main__", str(script)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("page", [*PAGES, ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target
