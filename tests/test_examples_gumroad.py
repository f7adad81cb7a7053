"""The handbook's case: a purchase at Gumroad becomes an account at Auth0 with a role, whatever happens in between."""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from authkit.testing import LambdaContext, lambda_event
from tests.servers.auth0_management import Auth0Server, auth0
from tests.servers.aws import client, keep
from tests.servers.runtime_api import lambda_function

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from types import ModuleType

    from tests.servers.aws import StrictAws

EXAMPLES = Path(__file__).parents[1] / "examples"
TOKEN = "canary-url/+ 7f3a&x=1"
SELLER, PRODUCT = "canary-seller-2-X8GHFaL0qLyzuSriD==", "r4qDRsQVn3U16i_2iNJcjA=="
ALICE = "Alice@Example.com"


def sale(number: int = 1, **fields: str) -> dict[str, str]:
    """What a ping says, in the names of Gumroad's own."""
    return {
        "seller_id": SELLER, "product_id": PRODUCT, "product_name": "Book", "permalink": "book", "email": ALICE,
        "product_permalink": "https://acme.gumroad.com/l/book", "price": "4900", "currency": "usd", "quantity": "1",
        "order_number": str(number), "sale_id": f"A-m3CDDC5dlrSdKZp{number}==", "sale_timestamp": "2026-11-21T18:00:00Z",
        "full_name": "Alice \u00c5.", "variants[Tier]": "Gold", "is_gift_receiver_purchase": "false", "refunded": "false",
        "disputed": "false", "dispute_won": "false", "resource_name": "sale", **fields,
    }  # fmt: skip


def event(said: dict[str, str] | bytes, token: str | None = TOKEN, kind: Any = "function_url") -> dict[str, Any]:
    body = said if isinstance(said, bytes) else urlencode(said).encode()
    query = "" if token is None else urlencode({"token": token})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return lambda_event(kind, "POST", "/gumroad", headers=headers, body=body, query=query)


@pytest.fixture
def tenant() -> Iterator[Auth0Server]:
    with auth0() as server:
        server.granted.add("delete:role_members")
        server.role("buyer")
        yield server


@pytest.fixture
def settings(tenant: Auth0Server, tmp_path: Path) -> dict[str, str]:
    return {
        "SECRETS": "prod/purchases",
        "AUTHKIT_STORE": f"sqlite:///{tmp_path}/purchases.db",
        "AUTH0_DOMAIN": tenant.domain,
        "AUTH0_URL": tenant.url,
        "AUTH0_CLIENT_ID": tenant.client_id,
        "AUTH0_ROLE": "buyer",
        "GUMROAD_SELLER": SELLER,
        "GUMROAD_PRODUCT": PRODUCT,
    }


def secret(tenant: Auth0Server) -> str:
    return json.dumps({"GUMROAD_TOKEN": TOKEN, "AUTH0_CLIENT_SECRET": tenant.client_secret})


def kept_at_moto(moto: str, tenant: Auth0Server) -> None:
    aws = client("secretsmanager", moto)
    keep(aws, "prod/purchases", secret(tenant))
    aws.get_secret_value(SecretId="prod/purchases")  # what moto does for the first time takes long


@pytest.fixture
def example(
    tenant: Auth0Server, settings: dict[str, str], strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    strict_aws.secrets.answer("CreateSecret", {"Name": "prod/purchases", "SecretString": secret(tenant)})
    for name, value in {**settings, "AWS_ENDPOINT_URL_SECRETS_MANAGER": strict_aws.endpoint}.items():
        monkeypatch.setenv(name, value)
    sys.modules.pop("examples.gumroad_auth0", None)
    module = importlib.import_module("examples.gumroad_auth0")
    patient(module)
    return module


def patient(module: ModuleType) -> None:
    """The example has to answer within Gumroad's five seconds; a test runs where everything may take ten times as long."""
    api = module.people._api
    assert api._timeout + api._patience < 5
    api._timeout, api._patience = 30.0, 60.0
    api._credentials._endpoint._timeout = 30.0


def deliver(module: ModuleType, said: dict[str, str] | bytes, token: str | None = TOKEN, kind: Any = "function_url") -> int:
    return int(module.handler(event(said, token, kind), LambdaContext(remaining_ms=60_000))["statusCode"])


def roles(tenant: Auth0Server) -> set[str]:
    [user] = tenant.users
    return tenant.roles_of(user)


class TestPurchase:
    @pytest.mark.parametrize("kind", ["function_url", "v2", "v1", "alb"])
    def test_who_buys_gets_an_account_and_the_role(self, example: ModuleType, tenant: Auth0Server, kind: Any) -> None:
        assert deliver(example, sale(), kind=kind) == 200
        [user] = tenant.users.values()
        assert (user["email"], user["email_verified"], user["name"]) == ("alice@example.com", False, "Alice \u00c5.")
        assert roles(tenant) == {"buyer"}
        assert tenant.mail == ["alice@example.com"]

    def test_who_has_an_account_gets_the_role(self, example: ModuleType, tenant: Auth0Server) -> None:
        tenant.sign_up(ALICE, verified=True)
        assert deliver(example, sale()) == 200
        assert roles(tenant) == {"buyer"}
        assert tenant.named("POST /users") == 0

    def test_a_second_purchase_makes_no_second_account(self, example: ModuleType, tenant: Auth0Server) -> None:
        assert [deliver(example, sale(number)) for number in (1, 2, 3)] == [200, 200, 200]
        assert roles(tenant) == {"buyer"}
        assert tenant.named("POST /users") == 1

    def test_a_ping_without_a_kind_is_a_sale(self, example: ModuleType, tenant: Auth0Server) -> None:
        said = sale()
        del said["resource_name"]
        assert deliver(example, said) == 200
        assert roles(tenant) == {"buyer"}

    def test_who_registered_with_the_address_of_a_buyer_gets_nothing(
        self, example: ModuleType, tenant: Auth0Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        mallory = tenant.sign_up(ALICE)
        assert deliver(example, sale()) == 503
        assert tenant.roles_of(mallory) == set()
        assert "email_unverified" in caplog.text
        assert sale()["sale_id"] in caplog.text
        tenant.users[mallory]["email_verified"] = True  # it was Alice, and now she has shown it
        assert deliver(example, sale()) == 200
        assert roles(tenant) == {"buyer"}


class TestOnce:
    def test_a_ping_that_comes_again_does_nothing(self, example: ModuleType, tenant: Auth0Server) -> None:
        assert deliver(example, sale()) == 200
        asked = list(tenant.asked)
        assert [deliver(example, sale(price="5000")) for _ in range(3)] == [200, 200, 200]
        assert tenant.asked == asked

    def test_two_at_the_same_time_are_one(self, example: ModuleType, tenant: Auth0Server) -> None:
        reached, gone_on = threading.Event(), threading.Event()
        tenant.before["GET /users-by-email"] = lambda: (reached.set(), gone_on.wait(60))
        answers: list[int] = []
        first = threading.Thread(target=lambda: answers.append(deliver(example, sale())))
        first.start()
        assert reached.wait(60)
        assert deliver(example, sale()) == 409  # Gumroad does not ping again after it: the other one has it
        gone_on.set()
        first.join(60)
        assert answers == [200]
        assert deliver(example, sale()) == 200
        assert (tenant.named("POST /users"), roles(tenant)) == (1, {"buyer"})

    def test_many_at_the_same_time_are_one(self, example: ModuleType, tenant: Auth0Server) -> None:
        answers: list[int] = []
        threads = [threading.Thread(target=lambda: answers.append(deliver(example, sale()))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(answers) == 8
        assert set(answers) <= {200, 409}
        assert 200 in answers
        assert (tenant.named("POST /users"), tenant.named("POST /oauth/token"), roles(tenant)) == (1, 1, {"buyer"})

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("what", ["GET /roles", "GET /users-by-email", "POST /users", "POST /users/{id}/roles"])
    def test_what_fails_is_done_when_it_comes_again(
        self, example: ModuleType, tenant: Auth0Server, what: str, after: bool
    ) -> None:
        tenant.fail(what, 503, after=after)
        assert deliver(example, sale()) == 503
        tenant.mend()
        assert deliver(example, sale()) == 200
        assert (len(tenant.users), roles(tenant)) == (1, {"buyer"})

    def test_nobody_at_auth0_is_503(self, example: ModuleType, tenant: Auth0Server) -> None:
        tenant.close()
        assert deliver(example, sale()) == 503


def test_each_ping_is_one_event_of_the_audit(example: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    """Though two guards see it, one within the other."""
    caplog.set_level(logging.INFO, "authkit.audit")
    statuses = [
        deliver(example, sale(), "x"),
        deliver(example, sale()),
        deliver(example, sale()),
        deliver(example, sale(2, email="")),
    ]
    told = [json.loads(record.message) for record in caplog.records if record.name == "authkit.audit"]
    assert [one["status"] for one in told] == statuses == [401, 200, 200, 503]
    assert [one["reason"] for one in told] == ["signature_mismatch", None, "already_handled", None]


class TestMoneyBack:
    def test_a_refund_takes_the_role_and_a_dispute_that_is_won_gives_it_again(
        self, example: ModuleType, tenant: Auth0Server
    ) -> None:
        seen = []
        for kind, fields in (
            ("sale", {}),
            ("dispute", {"disputed": "true"}),
            ("dispute", {"disputed": "true"}),
            ("dispute_won", {"disputed": "true", "dispute_won": "true"}),
            ("refund", {"refunded": "true"}),
            ("sale", {}),  # Gumroad again: it is known
        ):
            assert deliver(example, sale(resource_name=kind, **fields)) == 200
            seen.append(roles(tenant))
        assert seen == [{"buyer"}, set(), set(), {"buyer"}, set(), set()]

    @pytest.mark.parametrize(
        "fields",
        [{"refunded": "true"}, {"disputed": "true"}, {"is_preorder_authorization": "true"}],
        ids=lambda given: next(iter(given)),
    )
    def test_what_is_not_paid_gives_nothing(self, example: ModuleType, tenant: Auth0Server, fields: dict[str, str]) -> None:
        assert deliver(example, sale(**fields)) == 200
        assert tenant.asked == []

    @pytest.mark.parametrize(("kind", "field"), [("refund", "refunded"), ("dispute", "disputed")])
    def test_a_sale_that_failed_gives_nothing_once_the_money_is_back(
        self, example: ModuleType, tenant: Auth0Server, kind: str, field: str
    ) -> None:
        """Gumroad pings the sale again as it was: nothing was paid back then."""
        tenant.fail("POST /users/{id}/roles", 503)
        assert deliver(example, sale()) == 503
        tenant.mend()
        assert deliver(example, sale(resource_name=kind, **{field: "true"})) == 200
        assert deliver(example, sale()) == 200
        assert roles(tenant) == set()

    def test_money_that_is_back_while_the_sale_is_handled_waits_for_it(self, example: ModuleType, tenant: Auth0Server) -> None:
        reached, gone_on = threading.Event(), threading.Event()
        tenant.before["POST /users"] = lambda: (reached.set(), gone_on.wait(60))
        answers: list[int] = []
        first = threading.Thread(target=lambda: answers.append(deliver(example, sale())))
        first.start()
        assert reached.wait(60)
        back = sale(resource_name="refund", refunded="true")
        assert deliver(example, back) == 503
        gone_on.set()
        first.join(60)
        assert (answers, roles(tenant)) == ([200], {"buyer"})
        assert (deliver(example, back), roles(tenant)) == (200, set())

    def test_a_part_of_the_money_takes_nothing_and_all_of_it_later_does(self, example: ModuleType, tenant: Auth0Server) -> None:
        """Gumroad pings a partial refund in the same way, with `refunded` still false, and the rest with the same `sale_id`."""
        assert deliver(example, sale()) == 200
        for refunded, left in (("false", {"buyer"}), ("false", {"buyer"}), ("true", set())):
            assert deliver(example, sale(resource_name="refund", refunded=refunded)) == 200
            assert roles(tenant) == left

    def test_a_refund_of_somebody_without_an_account_is_done(self, example: ModuleType, tenant: Auth0Server) -> None:
        assert deliver(example, sale(resource_name="refund", refunded="true")) == 200
        assert tenant.users == {}

    @pytest.mark.parametrize("kind", ["cancellation", "subscription_ended", "subscription_updated", "something new", ""])
    def test_other_kinds_are_none_of_ours(self, example: ModuleType, tenant: Auth0Server, kind: str) -> None:
        assert deliver(example, sale(resource_name=kind)) == 200
        assert tenant.asked == []


class TestNotOurs:
    def test_a_test_gives_nothing_and_is_not_remembered(self, example: ModuleType, tenant: Auth0Server) -> None:
        """Gumroad's button sends the last real sale again, with its `sale_id`: that one may still be on its way."""
        said = sale(test="true")
        del said["resource_name"]
        assert deliver(example, said) == 200
        assert tenant.asked == []
        assert deliver(example, sale()) == 200
        assert roles(tenant) == {"buyer"}

    def test_another_product_is_another_s_business(self, example: ModuleType, tenant: Auth0Server) -> None:
        assert deliver(example, sale(product_id="another==")) == 200
        assert tenant.asked == []

    @pytest.mark.parametrize("seller", ["", "another==", SELLER + " ", SELLER.upper()])
    def test_another_seller_is_refused(self, example: ModuleType, tenant: Auth0Server, seller: str) -> None:
        assert deliver(example, sale(seller_id=seller)) == 403
        assert tenant.asked == []

    @pytest.mark.parametrize(
        "body",
        [b"", b"\xff\xfe", b"{}", b"seller_id", b"a=1&" * 2000, b"seller_id=a&seller_id=b",
         urlencode({"seller_id": SELLER}).encode() * 2, urlencode([("seller_id", SELLER)] * 2).encode(),
         json.dumps(sale()).encode(), b"\x00" * 100, b"%" * 100, b"seller_id%5B%5D=" + SELLER.encode()],
        ids=range(12),
    )  # fmt: skip
    def test_a_body_that_is_no_ping_is_refused(self, example: ModuleType, tenant: Auth0Server, body: bytes) -> None:
        assert deliver(example, body) == 403
        assert tenant.asked == []

    def test_whatever_is_sent_is_answered_and_gives_nobody_a_role(
        self, example: ModuleType, tenant: Auth0Server, rng: random.Random
    ) -> None:
        tenant.fail("*", 503)
        good = urlencode(sale()).encode()
        seen = set()
        for _ in range(300):
            body = bytearray(good)
            for _ in range(rng.randint(1, 4)):
                place, cut = rng.randrange(len(body)), rng.choice((0, 1, 1, 40))
                body[place : place + cut] = rng.choice((b"", b"&", b"=", b"%", b"%00", b"\xff", rng.randbytes(3)))
            seen.add(deliver(example, bytes(body)))
        assert seen == {200, 403, 503}
        assert (tenant.users, tenant.members) == ({}, set())

    @pytest.mark.parametrize(
        "email", ["", "alice", "a@b", "alice@example.com,mallory@example.com", "alice@example.com\r\nbcc:x"]
    )
    def test_an_address_that_is_none_waits_for_somebody_to_look_at_it(
        self, example: ModuleType, tenant: Auth0Server, email: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert deliver(example, sale(email=email)) == 503
        assert tenant.users == {}
        assert "email_malformed" in caplog.text

    def test_two_addresses_are_none(self, example: ModuleType, tenant: Auth0Server) -> None:
        body = urlencode(sale()) + "&email=mallory%40example.com"
        assert deliver(example, body.encode()) == 503
        assert tenant.users == {}

    @pytest.mark.parametrize("token", [None, "", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\u00e9"])
    def test_without_the_token_nobody_is_asked_anything(
        self, example: ModuleType, tenant: Auth0Server, token: str | None
    ) -> None:
        assert deliver(example, sale(), token) == 401
        assert deliver(example, sale(token=TOKEN), token) == 401  # not in the body
        assert tenant.asked == []
        assert deliver(example, sale()) == 200  # and nothing was remembered


class TestSecrets:
    def test_they_are_fetched_once_for_many_purchases(
        self, example: ModuleType, tenant: Auth0Server, strict_aws: StrictAws
    ) -> None:
        assert deliver(example, sale()) == 200
        fetched = dict(strict_aws.calls)
        assert fetched["GetSecretValue", "AWSCURRENT"] == 1
        for number in range(2, 50):
            assert deliver(example, sale(number)) == 200
        assert dict(strict_aws.calls) == fetched
        assert tenant.named("POST /oauth/token") == 1

    def test_while_they_cannot_be_had_it_is_503(self, example: ModuleType, tenant: Auth0Server, strict_aws: StrictAws) -> None:
        strict_aws.fail("*", "InternalServiceError")
        assert deliver(example, sale()) == 503
        assert tenant.asked == []

    def test_nothing_that_is_secret_or_somebody_s_is_logged(
        self, example: ModuleType, tenant: Auth0Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        answers = [deliver(example, sale(number)) for number in range(3)]
        tenant.fail("POST /users/{id}/roles", 503)
        answers.append(deliver(example, sale(9)))
        assert answers == [200, 200, 200, 503]
        values = ("alice@", "alice%40", "canary", *tenant.passwords.values())
        assert [value for value in values if value in caplog.text.lower()] == []


class TestLambda:
    def test_a_purchase_under_aws_own_runtime_client(
        self, moto: str, tenant: Auth0Server, settings: dict[str, str], capfd: pytest.CaptureFixture[str]
    ) -> None:
        """With Secrets Manager and DynamoDB played by moto, over HTTP."""
        from authkit.stores import DynamoStore

        kept_at_moto(moto, tenant)
        DynamoStore("purchases", region="us-east-1", endpoint=moto).create_table()
        env = {**settings, "AWS_ENDPOINT_URL": moto, "AUTHKIT_STORE": "dynamodb://purchases"}
        with lambda_function("gumroad_auth0.handler", EXAMPLES, env=env, timeout=60) as function:
            answers = [function.invoke(one, wait=60) for one in (event(sale(), "another"), event(sale()), event(sale()))]
        assert [(answer.failed, answer.value["statusCode"]) for answer in answers] == [(False, 401), (False, 200), (False, 200)]
        assert (tenant.named("POST /users"), roles(tenant)) == (1, {"buyer"})
        out, err = capfd.readouterr()
        for value in (TOKEN, tenant.client_secret, *tenant.tokens, *tenant.passwords.values(), ALICE.lower()):
            assert value not in out + err

    def test_killed_in_the_middle_it_is_done_when_it_comes_again(
        self, moto: str, tenant: Auth0Server, settings: dict[str, str]
    ) -> None:
        """The account is made and the role is not: after the function's time is over the sale is deliverable again."""
        kept_at_moto(moto, tenant)
        env = {**settings, "AWS_ENDPOINT_URL": moto}
        reached, killed = threading.Event(), threading.Event()

        def hang() -> None:
            reached.set()
            killed.wait(60)
            raise ConnectionResetError  # what it asked for last is not carried out

        tenant.before["POST /users/{id}/roles"] = hang
        with lambda_function("gumroad_auth0.handler", EXAMPLES, env=env, timeout=3) as function:

            def invoke() -> None:
                with pytest.raises(RuntimeError, match="ended"):
                    function.invoke(event(sale()), wait=60)

            invoked = threading.Thread(target=invoke)
            invoked.start()
            assert reached.wait(60)
            assert function.process is not None
            os.kill(function.process.pid, signal.SIGKILL)
            invoked.join(60)
            assert not invoked.is_alive()
        tenant.before.clear()
        killed.set()
        assert roles(tenant) == set()
        with lambda_function("gumroad_auth0.handler", EXAMPLES, env=env, timeout=60) as function:
            statuses = [function.invoke(event(sale()), wait=60).value["statusCode"]]
            end = time.monotonic() + 60
            while statuses[-1] == 409 and time.monotonic() < end:
                time.sleep(0.2)
                statuses.append(function.invoke(event(sale()), wait=60).value["statusCode"])
        assert statuses[-1] == 200
        assert set(statuses[:-1]) <= {409}
        assert (tenant.named("POST /users"), len(tenant.users), roles(tenant)) == (1, 1, {"buyer"})

    @pytest.mark.soak
    def test_killed_at_any_moment_each_sale_is_done_once(
        self, moto: str, tenant: Auth0Server, settings: dict[str, str], rng: random.Random
    ) -> None:
        kept_at_moto(moto, tenant)
        env = {**settings, "AWS_ENDPOINT_URL": moto}
        kills = 60
        cut_short = 0
        for number in range(kills):
            ping = event(sale(number, email=f"p{number}@example.com"))
            with lambda_function("gumroad_auth0.handler", EXAMPLES, env=env, timeout=2) as function:
                assert function.invoke(event(sale(), "another"), wait=60).value["statusCode"] == 401  # it is up
                answers: list[Any] = []

                def invoke(function: Any = function, ping: Any = ping, answers: list[Any] = answers) -> None:
                    with contextlib.suppress(RuntimeError):
                        answers.append(function.invoke(ping, wait=60).value["statusCode"])

                invoked = threading.Thread(target=invoke)
                invoked.start()
                time.sleep(rng.uniform(0, 0.08))
                assert function.process is not None
                os.kill(function.process.pid, signal.SIGKILL)
                invoked.join(60)
            cut_short += not answers
            with lambda_function("gumroad_auth0.handler", EXAMPLES, env=env, timeout=60) as function:
                status = 409
                while status == 409:
                    time.sleep(0.2)
                    status = function.invoke(ping, wait=60).value["statusCode"]
            assert status == 200
        assert cut_short > kills / 4
        assert sorted(user["email"] for user in tenant.users.values()) == sorted(
            f"p{number}@example.com" for number in range(kills)
        )
        assert len(tenant.mail) == kills
        assert all(tenant.roles_of(user) == {"buyer"} for user in tenant.users)
