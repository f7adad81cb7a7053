"""The examples in which programs call programs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.credentials import Credentials

from authkit.signatures import SigV4Auth
from authkit.testing import LambdaContext, lambda_event
from tests.conformance.servers import ROOT
from tests.servers.function_url import HOST, Caller, function_url
from tests.servers.runtime_api import lambda_function

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

SECRET, TOKEN = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEBYaD//////////EXAMPLE=="
ARN = "arn:aws:sts::111122223333:assumed-role/{}/session"
KEYS = {"ASIASHOP": Caller(SECRET, ARN.format("Shop"), TOKEN), "ASIAOTHER": Caller(SECRET, ARN.format("Other"), TOKEN)}


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    made: list[ModuleType] = []

    def orders(event: Any, context: Any) -> Any:
        return made[0].orders(event, context)

    with function_url(orders, KEYS) as url:
        for name, value in {
            "ORDERS_URL": url, "AWS_REGION": "eu-west-1", "CALLERS": "arn:aws:iam::111122223333:role/service/Shop",
            "AWS_ACCESS_KEY_ID": "ASIASHOP", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN,
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        import examples.lambda_iam_caller

        made.append(importlib.reload(examples.lambda_iam_caller))
        yield made[0]
        made[0].client.close()


class TestLambdaIamCaller:
    def test_the_function_that_may_call_is_known(self, example: ModuleType) -> None:
        assert example.caller({"item": "tea & cake"}, LambdaContext()) == {"said": "tea & cake for Shop"}

    def test_another_one_is_refused(self, example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAOTHER")
        example.client.close()
        example = importlib.reload(example)
        with pytest.raises(httpx.HTTPStatusError, match="401"):
            example.caller({"item": "tea"}, LambdaContext())

    def test_the_edge_signs_for_the_origin(self, example: ModuleType) -> None:
        event = lambda_event("edge_origin")
        event["Records"][0]["cf"]["request"]["origin"]["custom"]["domainName"] = HOST
        request = example.edge(event, LambdaContext())
        assert request["headers"]["host"][0]["value"] == HOST
        assert "ASIASHOP" in request["headers"]["authorization"][0]["value"]

    def test_one_function_calls_another_each_under_awss_own_runtime(self, example: ModuleType) -> None:
        env = {"AWS_REGION": "eu-west-1"}
        with (
            lambda_function("examples/lambda_iam_caller.orders", ROOT, env=env, timeout=30) as orders,
            function_url(lambda event, _: orders.invoke(event).value, KEYS) as url,
            lambda_function("examples/lambda_iam_caller.caller", ROOT, env={**env, "ORDERS_URL": url}, timeout=30) as caller,
        ):
            assert caller.invoke({"item": "tea"}).value == {"said": "tea for Shop"}
            other = SigV4Auth("eu-west-1", credentials=Credentials("ASIAOTHER", SECRET, TOKEN))
            assert httpx.post(f"{url}/orders?item=tea", auth=other, timeout=30).status_code == 401
