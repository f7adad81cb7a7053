"""What authkit adds to a cold start, in ms over a bare Python. `python benchmarks/cold_start.py [--quick]`

Every subject is a fresh interpreter that finds its bytecode compiled, as pip leaves it; without, add a few times as much.
Subjects take turns, so that noise of the machine hits all alike; the medians are compared. On AWS Lambda AWS's own runtime
client is loaded before the function: the last line says what a function adds to that. Budgets, for a quiet machine:
`import authkit` 5 ms, to the first request guarded by an HS256 token 40 ms, over the runtime client 15 ms.
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

ISSUER = AUDIENCE = "https://api.example.com"
SECRET = "benchmark-3f8a1c5e9d7b2046-benchmark-6e1d"  # nothing but these tokens is signed with it
EVENT = Path(__file__).parent.parent / "tests" / "vectors" / "aws-events" / "ts-apigw-http-no-auth.json"

FIRST_REQUEST = """
from authkit import Tokens, require_auth

@require_auth(Tokens({secret!r}, issuer={issuer!r}, audience={issuer!r}))
def handler(event, context):
    return {{"statusCode": 200}}

answer = handler({event!r}, None)
assert answer["statusCode"] == 200, answer
"""
RUNTIME = "import awslambdaric.bootstrap, awslambdaric.lambda_runtime_client\n"  # what AWS's client has loaded by then
PYJWT = """
import jwt
claims = jwt.decode({token!r}, {secret!r}, ["HS256"], audience={issuer!r}, issuer={issuer!r})
"""


def programs() -> dict[str, str]:
    """Name -> program. Each is one process's whole life."""
    token = Tokens(SECRET, issuer=ISSUER, audience=AUDIENCE, access_ttl=86_400).issue("user-1")
    event = json.loads(EVENT.read_text())
    event["headers"]["authorization"] = f"Bearer {token}"
    names = {"secret": SECRET, "issuer": ISSUER, "token": token, "event": event}
    request = FIRST_REQUEST.format(**names)
    found = {
        "bare Python": "pass",
        "import authkit": "import authkit",
        "first guarded request": request,
        "PyJWT, one token by hand": PYJWT.format(**names),
    }
    if importlib.util.find_spec("awslambdaric") is not None:
        found["runtime client"] = RUNTIME
        found["runtime client, first guarded request"] = RUNTIME + request
    return found


def measure(programs: dict[str, str], rounds: int) -> dict[str, float]:
    """Name -> median ms of a process's life."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as directory:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = directory
        files = {}
        for place, (name, program) in enumerate(programs.items()):
            files[name] = Path(directory, f"subject_{place}.py")
            files[name].write_text(program)
        for place in range(rounds + 1):
            for name, file in files.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, str(file)], check=True, env=environment)
                if place:  # the first round compiles
                    times[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    found = measure(programs(), 3 if "--quick" in sys.argv else 60)
    bare = found["bare Python"]
    print(f"{'':42}{'ms':>8}{'over bare':>11}")
    for name, milliseconds in found.items():
        print(f"{name:42}{milliseconds:8.1f}{milliseconds - bare:11.1f}")
    if "runtime client" in found:
        added = found["runtime client, first guarded request"] - found["runtime client"]
        print(f"{'first guarded request over runtime client':50}{added:11.1f}")


if __name__ == "__main__":
    main()
