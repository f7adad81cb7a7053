"""The whole query can be covered wherever the host tells it as it was sent; elsewhere it is refused, and the log says why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authkit import Guard, require_signature
from authkit.signatures import SignatureVerifier, Signer
from authkit.testing import Clock

from . import frameworks as frameworks  # adds its hosts to the table
from .cases import NOW, SECRET
from .exchange import Handler, Sent
from .hosts import HOSTS
from .judging import Heard

# Their events hold parameters, not the query: API Gateway REST and VPC Lattice decoded ones, ALB encoded ones in a map.
PARAMETERS_ONLY = {"lambda_rest_v1", "lambda_alb", "lambda_alb_multi", "lambda_lattice"}
SIGNER = Signer(SECRET, keyid="client-a", clock=Clock(NOW))


@pytest.fixture
def audit() -> Iterator[Heard]:
    heard = Heard()
    yield heard
    heard.leave()


def guarded() -> Guard:
    return require_signature(SignatureVerifier({"client-a": SECRET}, clock=Clock(NOW)), authority="api.example")


def sent(path: str, query: str) -> Sent:
    url = f"https://api.example{path}" + (f"?{query}" if query else "")
    return Sent(path=path, query=query, headers=tuple(SIGNER.sign("GET", url).items()))


@pytest.mark.parametrize("query", ["a=1&b=%7e+%20x&b=2&c&&=%2B"])
@pytest.mark.parametrize("host", sorted(HOSTS))
def test_the_whole_query_is_covered_as_it_was_sent_or_refused(host: str, query: str, audit: Heard) -> None:
    query = query.replace("&c&&", "&c=&") if "alb" in host else query  # what the table's own events can hold
    handler = Handler()
    got = HOSTS[host].call(HOSTS[host].make(guarded(), handler), sent("/orders/7", query))
    if host in PARAMETERS_ONLY:
        assert (got.status, handler.entered) == (401, 0)
        assert '"reason":"query_not_exact"' in audit.lines[0]
    else:
        assert (got.status, handler.entered) == (200, 1)


def test_the_hosts_that_tell_parameters_only_are_in_the_table() -> None:
    assert set(HOSTS) >= PARAMETERS_ONLY
