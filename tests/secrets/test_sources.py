"""open_source: a source by what a user types, and the sources of other distributions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from authkit.errors import ConfigurationError
from authkit.secrets import Secrets
from authkit.secrets.sources import open_source

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        ("env", "Environment()"),
        ("env:", "Environment()"),
        ("dotenv", "Dotenv('.env')"),
        ("dotenv:/srv/app/.env", "Dotenv('/srv/app/.env')"),
        ("files:/run/secrets", "MountedFiles('/run/secrets')"),
        ("aws", "SecretsManager()"),
        ("aws:prod/app", "SecretsManager('prod/app')"),
        ("aws:prod/app@eu-west-1", "SecretsManager('prod/app', region='eu-west-1')"),
        ("aws:me@example.com", "SecretsManager('me@example.com')"),
        ("aws:me@example.com@us-gov-west-1", "SecretsManager('me@example.com', region='us-gov-west-1')"),
        ("aws:@eu-west-1", "SecretsManager(region='eu-west-1')"),
        (
            "aws:arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf",
            "SecretsManager('arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf', region='eu-west-1')",
        ),
        ("ssm:/app/prod", "ParameterStore('/app/prod/')"),
        ("ssm:/app/prod/@eu-west-1", "ParameterStore('/app/prod/', region='eu-west-1')"),
    ],
)
def test_a_spec_names_a_source(spec: str, source: str) -> None:
    assert str(open_source(spec)) == source


@pytest.mark.parametrize(
    "spec",
    [
        "",
        ":",
        "nothing",
        "nothing:canary",
        "env:canary",
        "files:",
        "ssm:",
        "ssm:app/canary",
        "aws:a canary",
        "ENV",
        " env",
        "a b:c",
    ],
)
def test_a_spec_that_names_none_is_refused_and_its_rest_is_not_repeated(spec: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        open_source(spec)
    assert "canary" not in str(raised.value)


def test_a_source_is_read_through_its_spec(tmp_path: Path) -> None:
    (tmp_path / "A").write_text("a\n")
    assert Secrets(open_source(f"files:{tmp_path}"))["A"].reveal() == "a"


# Sources of other distributions

PLUGIN = """
from authkit.errors import ConfigurationError, SecretNotFound
from authkit.secrets import SecretSource

class Vault(SecretSource):
    def __init__(self, rest):
        self._rest = rest

    def fetch(self, name):
        if name != "A":
            raise SecretNotFound(name)
        return "from the vault at " + self._rest

def fails(rest):
    raise RuntimeError("cannot connect to " + rest)

def refuses(rest):
    raise ConfigurationError("a vault has an address")

def gives_nothing(rest):
    return None
"""


def _install(site: Path, distribution: str, entries: str) -> None:
    """As pip leaves it: a module, and a dist-info that names its entry points."""
    site.mkdir(exist_ok=True)
    (site / f"{distribution}.py").write_text(PLUGIN)
    info = site / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[authkit.secret_sources]\n{entries}\n")


def _open(site: Path, spec: str) -> str:
    """What a fresh interpreter says of it, with `site` among its packages."""
    program = f"""
import sys
sys.path[:0] = [{str(site)!r}]
from authkit.secrets import Secrets
from authkit.secrets.sources import open_source
try:
    source = open_source({spec!r})
except Exception as error:
    print(type(error).__name__, error, error.__cause__, error.__context__)
else:
    print(type(source).__name__, Secrets(source)["A"].reveal())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout.strip()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Packages among which one offers sources."""
    offers = {"vault": "Vault", "env": "fails", "bad": "fails", "no": "refuses", "none": "gives_nothing", "gone": "Missing"}
    _install(tmp_path / "site", "my_vault", "\n".join(f"{kind} = my_vault:{what}" for kind, what in offers.items()))
    return tmp_path / "site"


def test_another_distribution_brings_a_source_by_an_entry_point(site: Path) -> None:
    assert _open(site, "vault:https://vault.example") == "Vault from the vault at https://vault.example"


def test_what_an_add_on_raises_is_told_by_kind_and_never_in_its_words(site: Path) -> None:
    told = _open(site, "bad:https://token-canary@vault.example")
    assert told == "ConfigurationError the source bad cannot be opened (RuntimeError), from my_vault:fails None None"
    assert _open(site, "no:x").startswith("ConfigurationError the source no cannot be opened (a vault has an address)")
    assert _open(site, "gone:x").startswith("ConfigurationError the source gone cannot be opened (AttributeError)")
    assert (
        _open(site, "none:x")
        == "ConfigurationError the source none gave no SecretSource, from my_vault:gives_nothing None None"
    )


def test_an_unknown_kind_lists_those_that_are_known(site: Path) -> None:
    told = _open(site, "valut:x")
    assert "no source valut is known" in told
    assert "vault:..." in told


def test_no_add_on_takes_the_place_of_a_kind_of_ours(site: Path) -> None:
    assert _open(site, "env:x") == "ConfigurationError env: takes nothing after it None None"


def test_two_distributions_that_offer_one_kind_are_refused(site: Path) -> None:
    _install(site, "other_vault", "vault = other_vault:Vault")
    assert _open(site, "vault:x") == "ConfigurationError two distributions offer a source vault None None"
