"""Secret: a handle that gives its value to nobody who does not ask for it by name."""

from __future__ import annotations

import asyncio
import copy
import sys
import warnings
from typing import TYPE_CHECKING

import pytest

from authkit._run import run
from authkit.errors import ConfigurationError
from authkit.secrets import Environment, Secret, Secrets, SecretSource, SecretVersions

if TYPE_CHECKING:
    pass

CANARY = "canary-7f3a9c51e0"


def test_a_literal_reveals_what_it_was_made_of() -> None:
    assert Secret.of("väl").reveal() == "väl"
    assert Secret.of("väl").reveal_bytes() == "väl".encode()
    assert Secret.of(b"bytes").reveal() == "bytes"
    assert asyncio.run(Secret.of("a").areveal()) == "a"
    assert asyncio.run(Secret.of("a").areveal_bytes()) == b"a"
    assert asyncio.run(Secret.of("a").aversions()).current == "a"


def test_a_literal_of_which_nothing_ends_is_the_same_for_ever_and_no_other_secret_is() -> None:
    assert Secret.of("a-1").is_fixed
    assert Secret.of(SecretVersions("a-1", previous="a-0", pending="a-2")).is_fixed
    assert not Secret.of(SecretVersions("a-1", previous="a-0", previous_until=4_000_000_000)).is_fixed
    fetched = Secrets(Environment({"A": "a-1"}))["A"]
    assert not fetched.is_fixed
    assert fetched.versions().current == "a-1"
    assert not fetched.is_fixed


@pytest.mark.parametrize(
    "value", [None, "", " \t\n", b"", b"  ", "\ufeff", "\u200b \ufeff", "\0", b"\0" * 64, b"\xef\xbb\xbf\r\n", 5, object()]
)
def test_a_literal_that_is_no_secret_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError):
        Secret.of(value)  # type: ignore[arg-type]


def test_binary_is_not_guessed_into_text_and_the_error_holds_none_of_it() -> None:
    secret = Secret.of(b"\xff\xfe" + CANARY.encode())
    with pytest.raises(ConfigurationError) as raised:
        secret.reveal()
    assert raised.value.__context__ is None
    assert secret.reveal_bytes() == b"\xff\xfe" + CANARY.encode()


def test_text_that_utf8_cannot_say_is_an_error_that_holds_none_of_it() -> None:
    secret = Secret.of("\ud800" + CANARY)
    with pytest.raises(ConfigurationError) as raised:
        secret.reveal_bytes()
    assert raised.value.__context__ is None
    assert not secret.matches("\ud800" + CANARY)
    assert not secret.matches("")


def test_bytes_that_the_environment_could_not_decode_come_out_as_they_were() -> None:
    assert Secret.of("a\udcff").reveal_bytes() == b"a\xff"


def test_matches_takes_current_previous_and_pending_and_nothing_else() -> None:
    secret = Secret.of(SecretVersions("now", "before", "next"))
    assert all(secret.matches(value) for value in ("now", "before", "next", b"now", b"next"))
    assert not any(secret.matches(value) for value in ("", "no", "now ", "noww", "NOW", b"", "\ud800", "ñow"))
    assert not secret.matches(None)  # type: ignore[arg-type]
    assert asyncio.run(secret.amatches("before"))


def test_matches_takes_previous_only_until_its_end() -> None:
    now = [99.0]
    secret = Secret.of(SecretVersions("now", "before", None, 100), clock=lambda: now[0])
    assert secret.matches("before")
    held = secret.versions()
    assert held is secret.versions()
    now[0] = 100.0
    assert not secret.matches("before")
    assert secret.versions() is not held
    assert secret.versions() is secret.versions()


def test_handles_are_compared_without_io() -> None:
    class Broken(SecretSource):
        def fetch(self, name: str) -> str:
            raise AssertionError("asked")

    secrets, others = Secrets(Broken()), Secrets(Broken())
    assert secrets["A"] == secrets["A"]
    assert hash(secrets["A"]) == hash(secrets["A"])
    assert secrets["A"] != secrets["B"]
    assert secrets["A"] != others["A"]
    assert secrets["A"] != "A"
    assert Secret.of("a") != Secret.of("a")


def test_a_copy_of_a_secret_is_the_secret() -> None:
    for masked in (Secret.of(CANARY), SecretVersions(CANARY), Secrets(Environment({"A": CANARY}))):
        assert copy.copy(masked) is masked
        assert copy.deepcopy(masked) is masked
        assert copy.deepcopy({"a": [masked]})["a"][0] is masked


async def test_reveal_that_has_to_fetch_on_a_running_loop_warns_once_and_names_its_twin() -> None:
    secrets = Secrets(Environment({"A": "a", "B": "b", "C": "c"}))
    with pytest.warns(RuntimeWarning, match=r"the secret A is fetched on a running event loop.* await areveal\(\)") as warned:
        assert secrets["A"].reveal() == "a"
    assert [warning.filename for warning in warned] == [__file__]
    secrets.refresh()
    assert secrets["A"].reveal() == "a"  # a second warning would be an error here
    with pytest.warns(RuntimeWarning, match="the secret B .* await aversions"):
        assert secrets["B"].versions().current == "b"
    with pytest.warns(RuntimeWarning, match="the secret C .* await amatches"):
        assert secrets["C"].matches("c")


async def test_what_is_at_hand_or_awaited_warns_of_nothing() -> None:
    secrets = Secrets(Environment({"A": "a", "B": "b"}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert await secrets["A"].areveal() == "a"
        assert secrets["A"].reveal() == "a"
        assert await asyncio.to_thread(secrets["B"].reveal) == "b"


def test_a_secret_is_loaded_by_whoever_drives_the_guard() -> None:
    secret = Secrets(Environment({"A": "a"}))["A"]
    assert run(secret.load()).current == "a"
    assert run(secret.load()) is secret.versions()


def test_importing_the_secrets_loads_nothing_heavy() -> None:
    import subprocess

    heavy = "('dotenv', 'boto3', 'asyncio', 'logging', 'dataclasses', 'typing', 'hmac')"
    # what an editable installation has loaded before is not counted
    program = (
        f"import sys; old = {{*sys.modules}}; import authkit.secrets; print(sorted(({{*sys.modules}} - old) & {{*{heavy}}}))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_bytes_of_any_kind_match() -> None:
    for kind in (bytes, bytearray, memoryview):
        assert Secret.of("canary").matches(kind(b"canary"))
        assert not Secret.of("canary").matches(kind(b"other"))
