"""`python -m benchmarks [--json] [--seconds N] [names]`: ours beside the peers', and which targets this run met.

A benchmark runs in an interpreter of its own, so that none pays for what another has loaded. The exit code says whether
every benchmark ran, not whether its targets were met: this measures, on a machine that may be doing other things.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import platform
import subprocess
import sys
import warnings
from typing import Any

from ._table import Row, Table, Target
from ._timing import YARDSTICK, load

# Name -> seconds that its measurements may take, not counting what it loads and issues. All of it stays under five minutes.
BUDGETS = {
    "guard_overhead": 20.0,
    "on_flask": 20.0,
    "on_fastapi": 25.0,
    "on_starlette": 20.0,
    "on_django": 20.0,
    "tokens": 50.0,
    "revocation": 12.0,
    "limits": 12.0,
    "redis_limits": 15.0,
    "networks": 12.0,
    "secrets": 12.0,
    "webhooks": 16.0,
    "credentials": 8.0,
    "oidc": 20.0,
    "login": 12.0,
    "logins": 40.0,
    "cold_start": 35.0,
    "cli": 12.0,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BUDGETS))
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--seconds", type=float, help="measure each benchmark for so long")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = arguments.names or list(BUDGETS)
    for name in names:
        if name not in BUDGETS:
            parser.error(f"{name!r} is not one of {', '.join(BUDGETS)}")
    if arguments.in_process:
        return _run(names[0], arguments.seconds)
    return _run_all(names, arguments.seconds, arguments.json)


def _run(name: str, seconds: float | None) -> int:
    """Run one benchmark here, and print its tables as JSON."""
    logging.getLogger("authkit").setLevel(logging.ERROR)  # that a subject refuses a request without a token is no news
    warnings.simplefilter("ignore")  # a peer's deprecations are its own affair
    module = importlib.import_module(f"{__package__}.{name}")
    tables = module.tables(BUDGETS[name] if seconds is None else seconds)
    print(json.dumps([table.plain() for table in tables]))
    return 0


def _run_all(names: list[str], seconds: float | None, as_json: bool) -> int:
    system = {"python": platform.python_version(), "machine": platform.machine(), "load before": load()}
    if not as_json:
        print(f"Python {system['python']} on {system['machine']}, load {system['load before']}\n", flush=True)
    found: dict[str, list[Any]] = {}
    failed = []
    for name in names:
        command = [sys.executable, "-m", __package__, "--in-process", name]
        if seconds is not None:
            command += ["--seconds", str(seconds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            failed.append(name)
            print(f"{name} failed\n", file=sys.stderr)
            continue
        found[name] = json.loads(done.stdout)
        if not as_json:
            for table in map(_table, found[name]):
                print(table.text(), end="\n\n", flush=True)
    if as_json:
        print(json.dumps({**system, "load after": load(), "yardstick_us": YARDSTICK, "benchmarks": found}, indent=2))
    else:
        _summary([target for tables in found.values() for table in tables for target in _table(table).targets])
    return 1 if failed else 0


def _table(plain: dict[str, Any]) -> Table:
    rows = [Row(**row) for row in plain["rows"]]
    targets = [Target(target["what"], target["figure"], target["limit"]) for target in plain["targets"]]
    return Table(plain["title"], rows, targets, plain["unit"])


def _summary(targets: list[Target]) -> None:
    missed = [target for target in targets if not target.met]
    print(f"{len(targets) - len(missed)} of {len(targets)} targets met in this run, at load {load()}")
    for target in missed:
        print(f"  not met: {target.what}: {target.figure:.2f}, at most {target.limit:g}")


if __name__ == "__main__":
    sys.exit(main())
