"""What authkit adds to a cold start, in ms over a bare Python.

Every subject is a fresh interpreter that finds its bytecode compiled, as pip leaves it; without, add a few times as much.
Subjects take turns, so that noise of the machine hits all alike; the medians are compared. On AWS Lambda AWS's own runtime
client is loaded before the function. Budgets, for a quiet machine: `import authkit` 5 ms, to the first request guarded by an
HS256 token 40 ms, over the runtime client 15 ms. What four modules of the standard library take says how fast this one is.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from authkit import Tokens

from ._table import Role, Row, Table, Target
from ._timing import AUDIENCE, ISSUER, SECRET, Rounds

ROOT = Path(__file__).parent.parent
EVENT = ROOT / "tests" / "vectors" / "aws-events" / "ts-apigw-http-no-auth.json"

FIRST_REQUEST = """
from authkit import Tokens, require_auth

@require_auth(Tokens({secret!r}, issuer={issuer!r}, audience={issuer!r}))
def handler(event, context):
    return {{"statusCode": 200}}

answer = handler({event!r}, None)
assert answer["statusCode"] == 200, answer
"""
RUNTIME = "import awslambdaric.bootstrap, awslambdaric.lambda_runtime_client\n"  # what AWS's client has loaded by then
BARE, RUNTIME_NAME = "bare Python", "runtime client"
STANDARD, STANDARD_WHEN_QUIET = "json, hmac, dataclasses, logging", 31.0  # ms over bare Python
PYJWT = """
import jwt
claims = jwt.decode({token!r}, {secret!r}, ["HS256"], audience={issuer!r}, issuer={issuer!r})
"""


ORDER = (
    "first guarded request",
    "import authkit",
    "PyJWT, one token by hand",
    RUNTIME_NAME,
    f"{RUNTIME_NAME}, first guarded request",
    STANDARD,
)


_ROLES: dict[str, Role] = {STANDARD: "base", "PyJWT, one token by hand": "peer", RUNTIME_NAME: "base"}


def programs() -> dict[str, str]:
    """Name -> program. Each is one process's whole life."""
    token = Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, access_ttl=86_400).issue("user-1")
    event = json.loads(EVENT.read_text())
    event["headers"]["authorization"] = f"Bearer {token}"
    names = {"secret": SECRET, "issuer": ISSUER, "token": token, "event": event}
    request = FIRST_REQUEST.format(**names)
    found = {
        BARE: "pass",
        STANDARD: "import json, hmac, dataclasses, logging",
        "import authkit": "import authkit",
        "first guarded request": request,
        "PyJWT, one token by hand": PYJWT.format(**names),
    }
    if importlib.util.find_spec("awslambdaric") is not None:
        found[RUNTIME_NAME] = RUNTIME
        found[f"{RUNTIME_NAME}, first guarded request"] = RUNTIME + request
    return found


def measure(programs: dict[str, str], seconds: float) -> tuple[Rounds, float]:
    """What each program takes more than the first one, and the median seconds of that."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as directory:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = directory
        environment["PYTHONPATH"] = str(ROOT)
        files = {}
        for place, (name, program) in enumerate(programs.items()):
            files[name] = Path(directory, f"subject_{place}.py")
            files[name].write_text(program)
        for file in files.values():  # compiles
            subprocess.run([sys.executable, str(file)], check=True, env=environment)
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(times[BARE]) < 3:
            for name, file in files.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, str(file)], check=True, env=environment)
                times[name].append(time.perf_counter() - start)
    bare = times.pop(BARE)
    more = {name: [took - least for took, least in zip(values, bare, strict=True)] for name, values in times.items()}
    return Rounds(more), statistics.median(bare)


def tables(seconds: float) -> list[Table]:
    found, bare = measure(programs(), seconds)
    unit = f"ms where {STANDARD} take {STANDARD_WHEN_QUIET:g}"
    targets = [
        Target(f"import authkit, {unit}", found.ratio("import authkit", STANDARD) * STANDARD_WHEN_QUIET, 5),
        Target(f"first guarded request, {unit}", found.ratio("first guarded request", STANDARD) * STANDARD_WHEN_QUIET, 40),
    ]
    if RUNTIME_NAME in found:
        more = found.more(f"{RUNTIME_NAME}, first guarded request", RUNTIME_NAME, STANDARD) * STANDARD_WHEN_QUIET
        targets.append(Target(f"first guarded request over the runtime client, {unit}", more, 15))
    rows = [Row(name, found.us(name) / 1000, _ROLES.get(name, "ours")) for name in ORDER if name in found]
    return [Table(f"Cold start: over a bare Python, which takes {bare * 1000:.1f} ms", rows, targets, unit="ms")]
