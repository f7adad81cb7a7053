"""Nonces of ours in proofs (RFC 9449 section 9): asked for, good for a while, under a secret that is rotated."""

from __future__ import annotations

import pytest

from authkit import ConfigurationError, Request, Response, chain
from authkit.errors import SecretUnavailable
from authkit.secrets import Secret, Secrets, SecretSource, SecretVersions
from tests.oidc.dpop_parts import API, Scene, error

ONE, TWO = "nonce-secret-" + "1" * 32, "nonce-secret-" + "2" * 32


def ask(scene: Scene, nonce: str | None, *, path: str = "/orders") -> Response:
    return scene.ask(scene.key.proof("GET", API + path, scene.token, nonce), path=path)


@pytest.fixture
def scene() -> Scene:
    return Scene(nonce=ONE)


def test_a_proof_without_a_nonce_is_asked_for_one(scene: Scene) -> None:
    asked = ask(scene, None)
    assert (asked.status, error(asked)) == (401, "use_dpop_nonce")
    assert asked.headers["www-authenticate"].startswith('DPoP error="use_dpop_nonce", algs="ES256')
    answer = ask(scene, asked.headers["dpop-nonce"])
    assert answer.status == 200
    assert "dpop-nonce" not in answer.headers


def test_every_refusal_of_a_proof_brings_a_nonce(scene: Scene) -> None:
    for answer in (scene.ask("x"), scene.ask([]), scene.ask(token=scene.tokens.issue("bob"))):
        assert answer.status == 401
        assert ask(scene, answer.headers["dpop-nonce"]).status == 200


def test_a_nonce_is_good_for_its_time_and_a_newer_one_comes_before_its_end(scene: Scene) -> None:
    nonce = ask(scene, None).headers["dpop-nonce"]
    scene.clock.advance(149)
    assert "dpop-nonce" not in ask(scene, nonce).headers
    scene.clock.advance(2)
    answer = ask(scene, nonce)
    assert answer.status == 200
    newer = answer.headers["dpop-nonce"]
    assert newer != nonce
    scene.clock.advance(149)
    refused = ask(scene, nonce)
    assert error(refused) == "use_dpop_nonce"
    assert ask(scene, newer).status == 200


@pytest.mark.parametrize("nonce", ["", "x", "A" * 29, "A" * 30, "A" * 31, "=" * 30, "é" * 30, "A" * 10_000, "-" * 64])
def test_what_is_no_nonce_of_ours_is_answered_with_one(scene: Scene, nonce: str) -> None:
    answer = ask(scene, nonce) if len(nonce) < 1000 else scene.ask(scene.forged(nonce=nonce))
    assert answer.status == 401
    assert ask(scene, answer.headers["dpop-nonce"]).status == 200


@pytest.mark.parametrize("nonce", [None, 7, [], {}, True])
def test_a_nonce_that_is_no_text_is_none(scene: Scene, nonce: object) -> None:
    assert error(scene.ask(scene.forged(nonce=nonce))) == "use_dpop_nonce"


def test_each_character_of_a_nonce_counts(scene: Scene) -> None:
    nonce = ask(scene, None).headers["dpop-nonce"]
    for place in range(len(nonce)):
        other = "A" if nonce[place] != "A" else "B"
        assert error(ask(scene, nonce[:place] + other + nonce[place + 1 :])) == "use_dpop_nonce"


def test_a_nonce_of_another_server_is_none() -> None:
    other = Scene(nonce=TWO)
    assert error(ask(Scene(nonce=ONE), ask(other, None).headers["dpop-nonce"])) == "use_dpop_nonce"


def test_processes_with_one_secret_take_each_others_nonces() -> None:
    assert ask(Scene(nonce=ONE), ask(Scene(nonce=ONE), None).headers["dpop-nonce"]).status == 200


def test_a_replay_is_refused_with_a_nonce_too(scene: Scene) -> None:
    nonce = ask(scene, None).headers["dpop-nonce"]
    proof = scene.key.proof("GET", API + "/orders", scene.token, nonce)
    assert [scene.ask(proof).status, scene.ask(proof).status] == [200, 401]


def test_a_rotated_secret_makes_new_nonces_and_still_takes_the_old_ones() -> None:
    former = ask(Scene(nonce=Secret.of(ONE)), None).headers["dpop-nonce"]
    rotated = Scene(nonce=Secret.of(SecretVersions(TWO, ONE)))
    assert ask(rotated, former).status == 200
    newer = ask(rotated, None).headers["dpop-nonce"]
    assert ask(Scene(nonce=TWO), newer).status == 200
    assert error(ask(Scene(nonce=TWO), former)) == "use_dpop_nonce"


class _Down(SecretSource):
    def fetch(self, name: str) -> str:
        raise SecretUnavailable("no answer")


def test_a_secret_that_cannot_be_had_is_503() -> None:
    assert ask(Scene(nonce=Secrets(_Down())["NONCE"]), None).status == 503


def test_a_secret_that_is_too_short_is_told_before_the_first_request() -> None:
    scene = Scene(nonce=Secret.of("short"))
    from authkit import require_auth

    with pytest.raises(ConfigurationError, match="nonce"):
        chain(require_auth(scene.dpop)).prepare()


def test_who_sends_no_dpop_is_not_bothered(scene: Scene) -> None:
    token = scene.tokens.issue("bob")
    assert scene.handler(Request.build("GET", "/orders", {"authorization": f"Bearer {token}"})).status == 200


def test_its_repr_shows_no_secret(scene: Scene) -> None:
    assert ONE not in repr(vars(scene.dpop)) + repr(scene.dpop)
