"""What a fresh interpreter loads for tokens of a secret: nothing heavy."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ["jwt", "cryptography", "json", "re", "inspect", "dataclasses", "typing", "asyncio", "logging", "secrets", "urllib"]

PROGRAM = f"""
import sys
before = set(sys.modules)
from authkit.tokens import Tokens
tokens = Tokens("4cK9-tests-only-0b7e5d2f8a61c3-Zq", issuer="i", audience="a")
def loaded():
    return [name for name in {HEAVY!r} if name in sys.modules and name not in before]
for text in ("", "a.b.c", "eyJhbGciOiJub25lIn0.e30."):
    try:
        tokens.verify(text)
    except Exception as error:
        assert type(error).__name__ == "InvalidToken", error
print("verify:", *loaded())
tokens.verify(tokens.issue("alice", scopes=["a"]))
print("issue:", *(name for name in loaded() if name not in ("json", "re")))
"""


def test_a_secret_loads_neither_cryptography_nor_pyjwt_and_verifying_not_even_json() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout == "verify:\nissue:\n", ran.stdout + ran.stderr
