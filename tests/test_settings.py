"""Settings: from the environment, then from `.env` in the working directory, when first needed."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from authkit.errors import ConfigurationError
from authkit.settings import Settings

ROOT = str(Path(__file__).parent.parent)


def _env(folder: Path, content: str, mode: int = 0o600) -> str:
    path = folder / ".env"
    path.write_text(content)
    path.chmod(mode)
    return str(folder)


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    settings = Settings({"A": "environment"}, _env(tmp_path, "A=file\nB=file\n"))
    assert settings.get("A") == "environment"
    assert settings.get("B") == "file"
    assert settings.get("C") is None


def test_empty_in_the_environment_means_not_set_and_the_file_does_not_fill_it(tmp_path: Path) -> None:
    settings = Settings({"A": "", "AUTHKIT_ENV": " "}, _env(tmp_path, "A=file\nAUTHKIT_ENV=test\nB=\n"))
    assert settings.get("A") is None
    assert settings.get("B") is None
    assert settings.environment() == "production"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="AUTHKIT_ISSUER is not set"):
        Settings({}, str(tmp_path)).require("AUTHKIT_ISSUER")
    assert Settings({"AUTHKIT_ISSUER": "i"}, str(tmp_path)).require("AUTHKIT_ISSUER") == "i"


@pytest.mark.parametrize("environment", ["production", "development", "test"])
def test_the_environment_is_one_of_three(environment: str, tmp_path: Path) -> None:
    assert Settings({"AUTHKIT_ENV": environment}, str(tmp_path)).environment() == environment
    assert Settings({}, _env(tmp_path, f"AUTHKIT_ENV={environment}\n")).environment() == environment


def test_unset_counts_as_production(tmp_path: Path) -> None:
    assert Settings({}, str(tmp_path)).environment() == "production"


@pytest.mark.parametrize("value", ["prod", "Production", " production", "dev", "staging"])
def test_any_other_environment_is_an_error_that_does_not_repeat_it(value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^AUTHKIT_ENV is one of production, development, test$"):
        Settings({"AUTHKIT_ENV": value}, str(tmp_path)).environment()


def test_the_file_is_not_looked_at_while_the_environment_has_it_all(tmp_path: Path) -> None:
    settings = Settings({"A": "a"}, _env(tmp_path, "A=canary\n", 0o666))
    assert settings.get("A") == "a"
    with pytest.raises(ConfigurationError, match="can be written"):
        settings.get("B")
    with pytest.raises(ConfigurationError, match="can be written"):
        settings.get("B")


def test_a_file_that_others_can_read_is_refused_unless_it_is_development(tmp_path: Path) -> None:
    for content in ("A=a\n", "A=a\nAUTHKIT_ENV=production\n"):
        with pytest.raises(ConfigurationError, match="can be read by every user"):
            Settings({}, _env(tmp_path, content, 0o644)).get("A")
    with pytest.raises(ConfigurationError, match="can be read by every user"):
        Settings({"AUTHKIT_ENV": "production"}, _env(tmp_path, "A=a\nAUTHKIT_ENV=test\n", 0o644)).get("A")
    with pytest.warns(UserWarning, match="can be read by every user"):
        assert Settings({}, _env(tmp_path, "A=a\nAUTHKIT_ENV=test\n", 0o644)).get("A") == "a"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Settings({"AUTHKIT_ENV": "development"}, _env(tmp_path, "A=a\n", 0o644)).get("A") == "a"


def test_a_line_that_does_not_parse_is_an_error_for_what_it_might_mean(tmp_path: Path) -> None:
    settings = Settings({}, _env(tmp_path, 'B=b\nA="canary\n'))
    assert settings.get("B") == "b"
    with pytest.raises(ConfigurationError, match=r"A cannot be read from .*line 2"):
        settings.get("A")


def test_without_a_file_python_dotenv_is_not_loaded(tmp_path: Path) -> None:
    program = """
import sys
from authkit import settings
print(settings.environment(), settings.get("AUTHKIT_ISSUER"), "dotenv" in sys.modules, "authkit._envfile" in sys.modules)
open(".env", "w").write("AUTHKIT_ISSUER=late")
print(settings.get("AUTHKIT_ISSUER"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True, env={"PYTHONPATH": ROOT}
    )
    assert done.stdout == "production None False False\nNone\n"
