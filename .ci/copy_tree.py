"""Copy the tree, without the source folders of the two packages, to the directory named first.

In a checkout: what git tracks or would track. Elsewhere (an unpacked source archive): everything but what tools left behind.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = {"authkit", "providers"}
LEFT_BEHIND = {".git", ".venv", "build", "dist", "__pycache__", "node_modules"}


def files(root: Path) -> list[str]:
    if (root / ".git").exists():
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(listing, cwd=root, capture_output=True, check=True).stdout.decode()
        return [name for name in listed.split("\0") if name]
    found = (path.relative_to(root) for path in root.rglob("*"))
    return [str(path) for path in found if not LEFT_BEHIND.intersection(path.parts)]


def main(target: Path) -> None:
    root = Path(__file__).resolve().parent.parent
    for name in files(root):
        source = root / name
        if Path(name).parts[0] not in SOURCES and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
