"""What is loaded for the tokens of others: nothing heavy before a key is wanted, and no JOSE but our own after."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import sys, json
before = set(sys.modules)
{program}
print(json.dumps(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})))
"""


def loaded(program: str) -> set[str]:
    path = [entry for entry in sys.path if entry]
    code = f"import sys; sys.path[:] = {path!r}\n" + PROGRAM.format(program=program)
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_itself_alone() -> None:
    assert loaded("import authkit.oidc") == {"__future__", "authkit"}


def test_a_provider_that_has_asked_nobody_has_loaded_nothing_heavy() -> None:
    program = "from authkit.oidc import OIDCProvider\nOIDCProvider('https://issuer.example', audience='a')"
    heavy = {
        "httpx",
        "cryptography",
        "jwt",
        "asyncio",
        "ssl",
        "socket",
        "logging",
        "dataclasses",
        "typing",
        "concurrent",
        "inspect",
    }
    assert not loaded(program) & heavy


def test_every_public_name_is_there() -> None:
    import authkit.oidc
    import authkit.oidc.for_providers

    for module in (authkit.oidc, authkit.oidc.for_providers):
        assert all(getattr(module, name).__name__ == name for name in module.__all__)
        assert set(module.__all__) <= set(dir(module))
        assert set(module.__all__) == set(module._PLACES)
