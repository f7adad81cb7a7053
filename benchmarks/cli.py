"""How long `authkit --help` takes, from start to end of the process, in ms.

Measured as `cold_start` measures: fresh interpreters in turns, with their bytecode compiled. What a bare Python takes is in
the figures, because whoever types the command waits for it too. The budget is for a quiet machine: what four modules of the
standard library take says how fast this one is.
"""

from __future__ import annotations

from ._table import Role, Row, Table, Target
from .cold_start import BARE, STANDARD, STANDARD_WHEN_QUIET, measure

COMMAND = """
import os, sys
sys.stdout = open(os.devnull, "w")
{program}
"""
OURS = """
from authkit.cli import main
assert main({words!r}) == 0
"""
PEER = """
sys.argv = ["dotenv", "--help"]
from dotenv.__main__ import cli
cli(standalone_mode=False)
"""
HELP, PEER_HELP, CLICK = "authkit --help", "python-dotenv's dotenv --help", "import click, which both use"
BUDGET = 150.0  # ms
ROLES: dict[str, Role] = {PEER_HELP: "peer", CLICK: "base", STANDARD: "base"}


def tables(seconds: float) -> list[Table]:
    programs = {
        BARE: "pass",
        STANDARD: "import json, hmac, dataclasses, logging",
        HELP: COMMAND.format(program=OURS.format(words=["--help"])),
        "authkit secrets rotate --help": COMMAND.format(program=OURS.format(words=["secrets", "rotate", "--help"])),
        PEER_HELP: COMMAND.format(program=PEER),
        CLICK: "import click",
    }
    found, bare = measure(programs, seconds)
    speed = STANDARD_WHEN_QUIET / (found.us(STANDARD) / 1000)
    whole = found.ratio(HELP, STANDARD) * STANDARD_WHEN_QUIET + bare * 1000 * speed
    rows = [
        Row(name, bare * 1000 + found.us(name) / 1000, ROLES.get(name, "ours"))
        for name in programs
        if name not in (BARE, STANDARD)
    ]
    target = Target(f"{HELP}, the whole process, ms where {STANDARD} take {STANDARD_WHEN_QUIET:g}", whole, BUDGET)
    return [Table(f"The command: whole processes; a bare Python takes {bare * 1000:.1f} ms", rows, [target], unit="ms")]
