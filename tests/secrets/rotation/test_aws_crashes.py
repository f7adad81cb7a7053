"""A rotation on AWS that is killed at any of its calls: a valid current value at every moment, and run again the same end."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from authkit.secrets.parameterstore import ParameterStore
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.journal import Journal
from authkit.secrets.rotation.parameterstore import ParameterStoreTarget
from authkit.secrets.rotation.secretsmanager import SecretsManagerTarget
from authkit.secrets.secretsmanager import SecretsManager
from authkit.secrets.versions import sealed
from tests.secrets.rotation.aws_parts import CANARY, NEW, OLD, Killed, Mortal

if TYPE_CHECKING:
    from collections.abc import Callable

    from authkit.secrets import SecretSource, SecretVersions
    from authkit.secrets.rotation import RotationTarget
    from tests.servers.aws import StrictAws

BEFORE, PEPPER = f"{CANARY}-before", f"{CANARY}-pepper"
DAY = 86_400.0


class Place:
    """A secret at AWS with a previous value in its grace, and another secret beside it that nobody may touch."""

    def __init__(self, kind: str, aws: StrictAws, clients: dict[str, Any], journal: Path) -> None:
        self.kind, self.aws, self.journal = kind, aws, journal
        self.client = clients["ssm" if kind == "parameters" else "secretsmanager"]
        self.name = "app" if kind == "plain" else "JWT"
        if kind == "parameters":
            for name, value in (("JWT", BEFORE), ("PEPPER", PEPPER)):
                self.client.put_parameter(Name=f"/app/{name}", Value=value, Type="SecureString")
        else:
            text = BEFORE if kind == "plain" else json.dumps({"JWT": BEFORE, "PEPPER": PEPPER})
            self.client.create_secret(Name="app", SecretString=text)
        self.clock = itertools.count(1_000_000_000, 1).__next__

    def target(self, client: Any) -> RotationTarget:
        if self.kind == "parameters":
            return ParameterStoreTarget("/app/", client=client, sleep=lambda seconds: None)
        return SecretsManagerTarget("app", client=client, sleep=lambda seconds: None, clock=lambda: 1e9)

    def rotation(self, client: Any) -> Rotation:
        return Rotation(self.target(client), journal=Journal(str(self.journal)), clock=self.clock)

    def read(self, name: str | None = None) -> SecretVersions:
        """As a service reads it."""
        source: SecretSource = SecretsManager("app", client=self.client)
        if self.kind == "parameters":
            source = ParameterStore("/app/", client=self.client)
        versions = source.fetch(name or self.name)
        assert not isinstance(versions, str)
        return versions

    def leftovers(self) -> set[str]:
        """Labels or parameters that are there only while a rotation is under way."""
        if self.kind == "parameters":
            return {name for name in self.aws.parameters.values if name.endswith(("__PENDING", "__ROLLBACK"))}
        return set(self.aws.secrets.secrets["app"].labels) & {"AWSPENDING", "authkit-next"}


def _rotate(rotation: Rotation, name: str) -> object:
    return rotation.rotate(name, lambda: sealed(NEW), grace=DAY, test=lambda pending: True, force=True)


def _roll_back(rotation: Rotation, name: str) -> object:
    return rotation.roll_back(name, grace=DAY)


def _retire(rotation: Rotation, name: str) -> object:
    return rotation.retire(name)


def _create(rotation: Rotation, name: str) -> object:
    return rotation.create(name, sealed(NEW))


def _refused(rotation: Rotation, name: str) -> object:
    from authkit.secrets.rotation.outcome import NewValueRefused

    with pytest.raises(NewValueRefused):
        rotation.rotate(name, lambda: sealed(NEW), grace=DAY, test=lambda pending: False, force=True)
    return None


# What a service may see on the way, and what is there at the end: (current, previous). Before it is (OLD, BEFORE).
ACTIONS: dict[str, tuple[Callable[[Rotation, str], object], set[str], tuple[str, str | None]]] = {
    "rotate": (_rotate, {OLD, NEW}, (NEW, OLD)),
    "refused": (_refused, {OLD}, (OLD, BEFORE)),
    "roll_back": (_roll_back, {OLD, BEFORE}, (BEFORE, OLD)),
    "retire": (_retire, {OLD}, (OLD, None)),
    "create": (_create, {OLD, NEW}, (NEW, None)),
}


@pytest.fixture
def places(strict_aws: StrictAws, tmp_path: Path) -> Callable[[str], Place]:
    """Makes places, one after the other, each rotated once."""
    number, clients = itertools.count(), {service: strict_aws.client(service) for service in ("ssm", "secretsmanager")}

    def make(kind: str) -> Place:
        strict_aws.secrets.secrets.clear()
        strict_aws.parameters.values.clear()
        place = Place(kind, strict_aws, clients, tmp_path / f"{next(number)}.jsonl")
        place.rotation(place.client).rotate(place.name, lambda: sealed(OLD), grace=DAY)
        return place

    return make


def _check_on_the_way(place: Place, currents: set[str]) -> None:
    versions = place.read()
    assert versions.current in currents
    if place.kind != "plain":
        assert place.read("PEPPER").named() == (("current", PEPPER),)


def _check_at_the_end(place: Place, end: tuple[str, str | None]) -> None:
    versions = place.read()
    assert (versions.current, versions.previous, versions.pending) == (*end, None)
    assert place.leftovers() == set()


def _kill_at(places: Callable[[str], Place], kind: str, action: str, moments: slice) -> int:
    """How often it was killed, before or after a call was answered."""
    act, currents, end = ACTIONS[action]
    calls = _calls_of(places(kind), act, end)
    chosen = list(itertools.product(range(1, calls + 1), (False, True)))[moments]
    for k, after in chosen:
        place = places(kind)
        with pytest.raises(Killed):
            act(place.rotation(Mortal(place.client, k, after=after)), place.name)
        _check_on_the_way(place, currents)
        if action == "rotate" and place.read().current == NEW:
            assert place.read().previous == OLD
        act(place.rotation(place.client), place.name)
        _check_at_the_end(place, end)
    return len(chosen)


KINDS = pytest.mark.parametrize("kind", ["plain", "document", "parameters"])


@KINDS
@pytest.mark.parametrize("action", ACTIONS)
def test_killed_and_run_again_it_ends_in_the_same_place(places: Callable[[str], Place], kind: str, action: str) -> None:
    assert _kill_at(places, kind, action, slice(3, None, 19)) >= 1


@pytest.mark.soak
@KINDS
@pytest.mark.parametrize("action", ACTIONS)
def test_killed_at_every_call_and_run_again_it_ends_in_the_same_place(
    places: Callable[[str], Place], kind: str, action: str
) -> None:
    assert _kill_at(places, kind, action, slice(None)) >= 14


def _calls_of(place: Place, act: Callable[[Rotation, str], object], end: tuple[str, str | None]) -> int:
    client = Mortal(place.client, None, after=False)
    act(place.rotation(client), place.name)
    _check_at_the_end(place, end)
    return client.calls


@KINDS
def test_a_service_that_reads_meanwhile_always_finds_what_was_current_when_it_began(
    places: Callable[[str], Place], kind: str
) -> None:
    place, begun, done, checked, stop = places(kind), [OLD], [OLD], [0], threading.Event()

    def serve() -> None:
        while not stop.is_set():
            before = len(done)
            found = {value for _, value in place.read().named()}
            if len(begun) <= before + 1:  # else it was away for two rotations, and one grace covers one
                assert done[before - 1] in found
                checked[0] += 1

    reader = threading.Thread(target=serve)
    reader.start()
    for number in range(10):
        value = sealed(f"{NEW}-{number}")
        begun.append(f"{NEW}-{number}")
        place.rotation(place.client).rotate(place.name, lambda value=value: value, grace=DAY, force=True)  # type: ignore[misc]
        done.append(f"{NEW}-{number}")
    alive = reader.is_alive()
    stop.set()
    reader.join(10)
    assert alive
    assert checked[0] >= 10


PROGRAM = """
import os, signal, sys
from authkit.secrets.rotation.engine import Rotation
from authkit.secrets.rotation.journal import Journal
from authkit.secrets.rotation.secretsmanager import SecretsManagerTarget
from authkit.secrets.versions import sealed
from tests.secrets.rotation.aws_parts import NEW, Meddled
from tests.servers.aws import client

endpoint, journal, action = sys.argv[1:]
mortal = Meddled(client("secretsmanager", endpoint), action, lambda: os.kill(os.getpid(), signal.SIGKILL), after=True)
rotation = Rotation(SecretsManagerTarget("app", client=mortal), journal=Journal(journal))
rotation.rotate("JWT", lambda: sealed(NEW), test=lambda pending: True, force=True)
"""


@pytest.mark.parametrize("action", ["put_secret_value", "update_secret_version_stage"])
def test_a_process_that_is_killed_by_the_system_is_finished_by_the_next(places: Callable[[str], Place], action: str) -> None:
    place = places("document")
    command = [sys.executable, "-c", PROGRAM, place.aws.endpoint, str(place.journal), action]
    ended = subprocess.run(command, cwd=Path(__file__).parents[3], timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    _check_on_the_way(place, {OLD, NEW})
    assert place.leftovers()
    _rotate(place.rotation(place.client), "JWT")
    _check_at_the_end(place, (NEW, OLD))
