"""ADP-14: a library that is not installed is said by name, with what installs it, by the first use that needs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import authkit

# What comes before `use` still works without the library; `use` is what needs it.
EC_JWK = """{
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}"""
PEM = '"-----BEGIN PUBLIC KEY-----\\nMFkw\\n-----END PUBLIC KEY-----"'
HASHER = "from authkit.accounts import PasswordHasher\n"
USES = {
    ("cryptography", "a PEM key"): f"use = lambda: Key({PEM})",
    ("cryptography", "a JWK"): f"use = lambda: Key({EC_JWK})",
    ("cryptography", "a secret that looks like DER"): 'use = lambda: Key(b"\\x30\\x42\\x30" + bytes(range(64)))',
    ("cryptography", "a test's own key pair"): "from authkit.testing import TokenMint\nuse = lambda: TokenMint(alg='ES256')",
    ("jwt", "a JWK"): f"use = lambda: Key({EC_JWK})",
    ("argon2", "hashing"): f"{HASHER}use = lambda: PasswordHasher().hash('a good password')",
    ("argon2", "verifying"): f"{HASHER}use = lambda: PasswordHasher().verify('a good password', None)",
    ("dotenv", "a .env file"): "from authkit._envfile import read\nuse = lambda: read('.env')",
}
PROGRAM = """
import sys
sys.modules[{module!r}] = None  # what `import` then says is what it says of a library that is not there
import authkit
from authkit import ConfigurationError, Deny, require_auth, rate_limit
from authkit.tokens import Key, Tokens
assert Key("v7Q!c3Lz0pWn8RkT2xYb5HdJ9mSgA4uE").sign(b"data")  # HMAC needs none of them
{use}
try:
    use()
except ConfigurationError as error:
    print(error)
"""


@pytest.mark.parametrize(("module", "use"), USES, ids=[" ".join(key) for key in USES])
def test_the_first_use_of_a_missing_library_is_a_configuration_error_with_an_install_hint(
    tmp_path: Path, module: str, use: str
) -> None:
    env = tmp_path / ".env"
    env.write_text("A_NAME=value\n")
    env.chmod(0o600)
    program = PROGRAM.format(module=module, use=USES[module, use])
    paths = os.pathsep.join([str(Path(authkit.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f'{module} cannot be imported and is needed here: pip install "authkit-middleware"\n'
