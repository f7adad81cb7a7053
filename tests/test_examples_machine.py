"""The examples in which programs call programs."""

from __future__ import annotations

import httpx
import pytest
from botocore.credentials import Credentials

from authkit.signatures import SigV4Auth
from authkit.testing import lambda_event
from tests.conformance.servers import ROOT
from tests.servers.function_url import HOST, Caller, function_url
from tests.servers.runtime_api import lambda_function

EXAMPLES, REGION = ROOT / "examples", "eu-west-1"
SECRET, TOKEN = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEBYaD//////////EXAMPLE=="
ARN = "arn:aws:sts::111122223333:assumed-role/{}/session"
KEYS = {"ASIASHOP": Caller(SECRET, ARN.format("Shop"), TOKEN), "ASIAOTHER": Caller(SECRET, ARN.format("Other"), TOKEN)}


@pytest.fixture(autouse=True)
def as_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """What AWS gives the function of the shop; settings each has its own."""
    for name in ("AWS_PROFILE", "ORDERS_URL", "CALLERS"):
        monkeypatch.delenv(name, raising=False)
    env = {"AWS_ACCESS_KEY_ID": "ASIASHOP", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN, "AWS_REGION": REGION}
    for name, value in env.items():
        monkeypatch.setenv(name, value)


def test_one_function_calls_another_each_under_awss_own_runtime() -> None:
    """examples.lambda_iam_caller and examples.lambda_iam_orders, each with the settings that its first lines name."""
    env = {"AWS_REGION": REGION}
    callers = "arn:aws:iam::111122223333:role/service/Shop"
    with (
        lambda_function("lambda_iam_orders.orders", EXAMPLES, env={**env, "CALLERS": callers}, timeout=30) as orders,
        function_url(lambda event, _: orders.invoke(event).value, KEYS) as url,
        lambda_function("lambda_iam_caller.caller", EXAMPLES, env={**env, "ORDERS_URL": url}, timeout=30) as caller,
    ):
        assert caller.invoke({"item": "tea & cake"}).value == {"said": "tea & cake for Shop"}
        other = SigV4Auth(REGION, credentials=Credentials("ASIAOTHER", SECRET, TOKEN))
        assert httpx.post(f"{url}/orders?item=tea", auth=other, timeout=30).status_code == 401


def test_the_edge_signs_for_the_origin() -> None:
    """examples.lambda_edge_signer: at the edge there are no settings at all."""
    event = lambda_event("edge_origin")
    event["Records"][0]["cf"]["request"]["origin"]["custom"]["domainName"] = HOST
    with lambda_function("lambda_edge_signer.handler", EXAMPLES, timeout=30) as edge:
        request = edge.invoke(event).value
    assert request["headers"]["host"][0]["value"] == HOST
    assert "ASIASHOP" in request["headers"]["authorization"][0]["value"]
