"""What is loaded by the time the first guarded request is answered: on Lambda every module is paid for in milliseconds.

Times are for `benchmarks/cold_start.py`; here a fresh interpreter says which modules it has loaded, which no noise can change.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from authkit import Tokens
from authkit.testing import lambda_event

SECRET = "cold-start-tests-only-7c1f5e0a9b3d4826"
ISSUER = "https://api.example.com"

# Measured cold: boto3 119 ms, jwt 94, httpx 87, asyncio 33; and json, hmac, dataclasses and logging together 31.
HEAVY = {
    "typing", "dataclasses", "inspect", "asyncio", "logging", "ipaddress", "urllib", "re", "enum", "base64", "json.encoder",
    "concurrent", "email", "http", "socket", "ssl", "secrets", "random", "datetime", "decimal", "uuid", "pathlib", "tempfile",
    "jwt", "cryptography", "argon2", "httpx", "dotenv", "boto3", "botocore", "redis",
    "starlette", "fastapi", "flask", "django", "aiohttp", "werkzeug",
}  # fmt: skip

PROGRAM = """
import sys
before = set(sys.modules)
{program}
sys.stdout.write("\\n".join(sorted(set(sys.modules) - before)))
"""
GUARDED = """
from authkit import Tokens, require_auth

@require_auth(Tokens({secret!r}, issuer={issuer!r}, audience={issuer!r}))
def handler(event, context):
    return {{"statusCode": 200}}

answer = handler({event!r}, None)
assert answer["statusCode"] == {status}, answer
"""


def loaded(program: str) -> set[str]:
    """The modules that `program` loads and bare Python does not. `-S`: what a site loads is not ours to answer for."""
    path = [entry for entry in sys.path if entry]
    program = f"import sys; sys.path[:] = {path!r}\n" + PROGRAM.format(program=program)
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules if name in HEAVY or name.partition(".")[0] in HEAVY}


def guarded(event: dict[str, Any], status: int = 200) -> str:
    return GUARDED.format(secret=SECRET, issuer=ISSUER, event=event, status=status)


def test_importing_authkit_loads_itself_alone() -> None:
    assert loaded("import authkit") == {"__future__", "authkit"}


@pytest.mark.parametrize("kind", ["v1", "v2", "alb", "lattice", "edge"])
def test_the_first_guarded_request_on_lambda_loads_nothing_heavy(kind: Any) -> None:
    token = Tokens(SECRET, issuer=ISSUER, audience=ISSUER).issue("user-1", scopes=["orders:read"], roles=["admin"])
    modules = loaded(guarded(lambda_event(kind, headers={"authorization": f"Bearer {token}"})))
    assert heavy(modules) == set()
    hosts = {name for name in modules if name.startswith("authkit.hosts.") and not name.startswith("authkit.hosts._")}
    assert hosts == {"authkit.hosts.function", "authkit.hosts.aws_lambda"}
    assert not {
        name for name in modules if name.startswith(("authkit.oidc", "authkit.stores", "authkit.webhooks", "authkit.accounts"))
    }


def test_a_refusal_loads_json_besides_which_lambda_has_loaded_anyway() -> None:
    found = heavy(loaded(guarded(lambda_event("v2"), status=401)))
    assert {name.partition(".")[0] for name in found} <= {"json", "re", "enum"}


def test_an_authorizer_loads_nothing_heavy() -> None:
    token = Tokens(SECRET, issuer=ISSUER, audience=ISSUER).issue("user-1")
    arn = "arn:aws:execute-api:eu-west-1:123456789012:api1234567/prod/GET/"
    event = {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": arn}
    program = f"""
from authkit import Tokens, require_auth
handler = require_auth(Tokens({SECRET!r}, issuer={ISSUER!r}, audience={ISSUER!r})).authorizer()
assert handler({json.dumps(event)}, None)["principalId"] == "user-1"
"""
    assert heavy(loaded(program)) == set()


def test_accounts_load_nothing_heavy_before_somebody_logs_in() -> None:
    """`re` is the reading of forwarded addresses. What is not asked for, second factors say, is not loaded at all."""
    program = f"""
from authkit import Tokens
from authkit.accounts import Accounts, MemoryUsers
from authkit.stores import MemoryStore
Accounts(MemoryUsers(), Tokens({SECRET!r}, issuer={ISSUER!r}, audience={ISSUER!r}, store=MemoryStore()))
"""
    modules = loaded(program)
    assert {name.partition(".")[0] for name in heavy(modules)} <= {"re", "enum"}
    unasked = {f"authkit.accounts.{name}" for name in ("totp", "_second_step", "_enrolment", "_links", "_reset")}
    assert not unasked & modules


def test_a_signed_request_loads_nothing_heavy() -> None:
    """An HMAC key: what key pairs want is loaded by the first of them, httpx by a client, webhooks by the HMAC of gateways."""
    program = """
from authkit import require_signature
from authkit.signatures import sign
key = b"only here, for a cold start: 7f3a91c0"
handler = require_signature({{"a": key}}, authority="api.example")(lambda event, context: {{"statusCode": 200}})
headers = sign(key, "GET", "https://api.example/", keyid="a")
assert handler({event!r} | {{"headers": headers}}, None)["statusCode"] == 200
""".format(event=lambda_event("v2"))
    modules = loaded(program)
    assert {name.partition(".")[0] for name in heavy(modules)} <= {"re", "enum"}
    assert not {name for name in modules if name.startswith(("authkit.webhooks", "authkit.stores", "httpx"))}


def test_api_keys_in_memory_load_nothing_heavy_and_no_table_that_is_not_asked_for() -> None:
    program = """
from authkit import require_api_key
from authkit.apikeys import ApiKeys, MemoryKeys
keys = ApiKeys(MemoryKeys())
made = keys.new("robot")
handler = require_api_key(keys)(lambda event, context: {{"statusCode": 200}})
assert handler({event!r} | {{"headers": {{"x-api-key": made.reveal()}}}}, None)["statusCode"] == 200
""".format(event=lambda_event("v2"))
    modules = loaded(program)
    assert {name.partition(".")[0] for name in heavy(modules)} <= {"json", "re", "enum"}
    assert not {name for name in modules if name.endswith((".sqlite_keys", ".dynamo_keys")) or name == "sqlite3"}
