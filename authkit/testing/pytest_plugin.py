"""The fixtures of `authkit.testing` for pytest. Every name begins with `authkit_`; nothing is loaded before one is used."""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from . import Clock, FakeIssuer, TokenMint, WebhookSender

_MARK = "authkit(**settings): what authkit_issuer and authkit_mint are made with: audience=, alg=, issuer=, path=, ..."
_OF_MINT = ("issuer", "audience", "alg", "key", "store")
_OF_ISSUER = ("path", "audience", "client_id", "alg", "token_type")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def authkit_clock() -> Clock:
    """The present time, which stands still until the test moves it; what the other fixtures go by."""
    import time

    from . import Clock

    return Clock(float(int(time.time())))


@pytest.fixture
def authkit_issuer(request: pytest.FixtureRequest, authkit_clock: Clock) -> Iterator[FakeIssuer]:
    """A `FakeIssuer` that answers for as long as the test runs."""
    from . import FakeIssuer

    with FakeIssuer(clock=authkit_clock, **_told(request, _OF_ISSUER)) as issuer:
        yield issuer


@pytest.fixture
def authkit_mint(request: pytest.FixtureRequest, authkit_clock: Clock) -> TokenMint:
    """A `TokenMint` with a key of its own."""
    from . import TokenMint

    return TokenMint(clock=authkit_clock, **_told(request, _OF_MINT))


@pytest.fixture
def authkit_webhooks(authkit_clock: Clock) -> Callable[..., WebhookSender]:
    """A `WebhookSender` of a scheme: `authkit_webhooks("stripe")`, with a secret of its own or the one that is given."""
    from . import WebhookSender

    def sender(scheme: Any, secret: str | None = None, **options: Any) -> WebhookSender:
        return WebhookSender(scheme, secret, clock=authkit_clock, **options)

    return sender


@pytest.fixture
def authkit_as() -> Callable[..., Any]:
    """`as_principal`: `with authkit_as("alice", roles=["admin"]):`, for code below a guard."""
    from . import as_principal

    return as_principal


def _told(request: pytest.FixtureRequest, known: tuple[str, ...]) -> dict[str, Any]:
    """The settings of the marks, the nearest first. Raises: `pytest.UsageError` for one that no fixture has."""
    told: dict[str, Any] = {}
    for mark in request.node.iter_markers("authkit"):
        if mark.args or set(mark.kwargs) - {*_OF_MINT, *_OF_ISSUER}:
            raise pytest.UsageError(
                f"pytest.mark.authkit takes {', '.join(sorted({*_OF_MINT, *_OF_ISSUER}))}, each by its name"
            )
        told = {**mark.kwargs, **told}
    return {name: value for name, value in told.items() if name in known}
