"""The keys of load balancers, which AWS publishes one by one: fetched seldom, bounded, and kept standing."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from authkit._run import arun, run
from authkit.oidc.for_providers import ConfigurationError, KeysById

from ..oidc.issuer import rsa_pem
from .balancer import ALICE, ARN, KEYS, KID, alb_of, decided, private, public_pem, reason
from .world import Told, until

if TYPE_CHECKING:
    from typing import Any

    from authkit_providers import AlbOidc

    from authkit.testing import Clock

    from .balancer import Balancer


def test_keys_are_fetched_once_however_many_ask(balancer: Balancer, alb: AlbOidc) -> None:
    balancer.web.delay = 0.2
    token, found = balancer.sends(), []
    threads = [threading.Thread(target=lambda: found.append(decided(alb, token).subject)) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(found) == 8)
    for thread in threads:
        thread.join()
    assert balancer.web.asked == [f"{KEYS}/{KID}"]


def test_keys_that_do_not_exist_are_not_asked_for_again_for_a_while(balancer: Balancer, clock: Clock) -> None:
    alb, kid = alb_of(balancer), "11111111-2222-3333-4444-555555555555"
    for _ in range(20):
        assert reason(alb, balancer.sends({"kid": kid})) == "token_key"
    assert len(balancer.web.asked) == 1
    clock.advance(31)
    balancer.web.says(f"{KEYS}/{kid}", Told(body=public_pem(private)))
    assert decided(alb, balancer.sends({"kid": kid})).subject == ALICE


def test_keys_of_names_that_nobody_has_are_asked_for_a_few_times_a_second(balancer: Balancer, alb: AlbOidc) -> None:
    decided(alb, balancer.sends())
    found = [decided(alb, balancer.sends({"kid": f"{n:08x}-0000-0000-0000-000000000000"})) for n in range(50)]
    assert {one.status for one in found} == {401, 503}
    assert len(balancer.web.asked) <= 6
    assert decided(alb, balancer.sends()).subject == ALICE  # whom a key is known of waits for nobody


@pytest.mark.parametrize(
    "told",
    [Told(500), Told(429), Told(302, headers={"Location": "https://evil.example/"}), Told(body=b"<html>"), Told(body=b"")],
)
def test_keys_that_cannot_be_had_are_unavailable(balancer: Balancer, alb: AlbOidc, told: Told) -> None:
    balancer.web.says(f"{KEYS}/{KID}", told)
    found = decided(alb, balancer.sends())
    assert found.status == 503
    assert balancer.web.asked == [f"{KEYS}/{KID}"]


@pytest.mark.parametrize("body", [b"a shared secret of more than 32 bytes, which is no PEM", rsa_pem().encode()])
def test_keys_that_are_of_another_kind_are_none(balancer: Balancer, alb: AlbOidc, body: bytes) -> None:
    balancer.web.says(f"{KEYS}/{KID}", Told(body=body))
    assert decided(alb, balancer.sends()).status == 503


def test_keys_stay_in_use_while_their_server_is_down(balancer: Balancer, clock: Clock, alb: AlbOidc) -> None:
    decided(alb, balancer.sends())
    balancer.web.says(f"{KEYS}/{KID}", Told(500))
    clock.advance(86_401)
    assert decided(alb, balancer.sends()).subject == ALICE
    clock.advance(6 * 86_400)
    assert decided(alb, balancer.sends()).status == 503
    assert len(balancer.web.asked) == 3


def test_keys_that_are_taken_down_stop_working(balancer: Balancer, clock: Clock, alb: AlbOidc) -> None:
    decided(alb, balancer.sends())
    balancer.web.says(f"{KEYS}/{KID}", Told(403, b"<Error><Code>AccessDenied</Code></Error>"))
    clock.advance(86_401)
    assert reason(alb, balancer.sends()) == "token_key"


async def test_keys_are_bounded(balancer: Balancer, clock: Clock) -> None:
    keys = KeysById(KEYS, size=2, transport=balancer.web.transport, clock=clock, monotonic=clock, timeout=30)
    for number in range(5):
        kid = f"{number:08x}-0000-0000-0000-000000000000"
        balancer.web.says(f"{KEYS}/{kid}", Told(body=public_pem(private)))
        clock.advance(1)
        assert await arun(keys.find(kid)) is not None
    asked = len(balancer.web.asked)
    for number in range(5):
        await arun(keys.find(f"{number:08x}-0000-0000-0000-000000000000"))
        clock.advance(1)
    assert len(balancer.web.asked) > asked + 2  # those that were forgotten were asked for again


def test_keys_of_govcloud_are_elsewhere(balancer: Balancer) -> None:
    arn = ARN.replace("arn:aws:", "arn:aws-us-gov:").replace("eu-west-1", "us-gov-east-1")
    url = f"https://s3-us-gov-east-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-east-1/{KID}"
    balancer.web.says(url, Told(body=public_pem(private)))
    assert decided(alb_of(balancer, [ARN, arn]), balancer.sends({"signer": arn})).subject == ALICE
    assert balancer.web.asked == [url]


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [("url", "http://keys.example"), ("size", 0), ("size", True), ("ttl", 0), ("stale", 1), ("cooldown", 0), ("timeout", 0)],
)
def test_what_is_wrong_is_told_at_once(setting: str, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        KeysById(**{"url": KEYS, setting: wrong})


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_is_not_held_up_by_what_its_parent_was_asking(balancer: Balancer, clock: Clock) -> None:
    """Four questions at once are the most, and those of the parent never end in the child."""
    keys = KeysById(KEYS, transport=balancer.web.transport, clock=clock, monotonic=clock, timeout=30)
    arrived, go = threading.Semaphore(0), threading.Event()

    def slow(asked: object) -> Told:
        arrived.release()
        go.wait(30)
        return Told(404)

    unknown = [f"{number:08x}-0000-0000-0000-000000000000" for number in range(4)]
    for kid in unknown:
        balancer.web.says(f"{KEYS}/{kid}", slow)
    threads = [threading.Thread(target=lambda kid=kid: run(keys.find(kid))) for kid in unknown]
    for thread in threads:
        thread.start()
    for _ in unknown:
        assert arrived.acquire(timeout=30)
    clock.advance(10)
    child = os.fork()
    if not child:
        try:
            keys._budget.begin(False, clock())
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    go.set()
    for thread in threads:
        thread.join()
    assert status == 0
