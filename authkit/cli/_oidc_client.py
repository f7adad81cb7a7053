"""What `authkit oidc login` and `token` are at a provider: a client, and what it shows of itself. No secret is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ._exits import Wrong
from ._values import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..oidc import TokenEndpoint
    from ..oidc._endpoints import Endpoints
    from ..secrets.versions import Sealed


class Client(NamedTuple):
    """`provider`: an `OIDCProvider`; `secret`, `key`: what it shows there; both None for a public client."""

    provider: Any
    id: str
    secret: Sealed | None
    key: Sealed | None

    def __repr__(self) -> str:
        return f"<Client {self.id!r}>"

    def endpoints(self) -> Endpoints:
        """Where the provider's are, as a login of a service finds them. Raises: `ConfigurationError`."""
        from ..oidc._endpoints import Endpoints

        return Endpoints(self.provider, {}, ())

    def token_endpoint(self) -> TokenEndpoint:
        from ..oidc import TokenEndpoint

        method = getattr(self.provider, "login_method", None) if self.secret is not None else None
        return TokenEndpoint(self.endpoints(), self.id, **self.shown(), method=method)

    def shown(self) -> dict[str, Any]:
        """`client_secret` or `key`, as those take them who ask the provider."""
        from ..secrets import Secret

        given = {"client_secret": self.secret, "key": self.key}
        return {name: Secret.of(str(value())) for name, value in given.items() if value is not None}


def client_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.argument("issuer", metavar="[ISSUER]", required=False),
        click.option("--client-id", required=True, metavar="TEXT", help="As it is registered at the provider."),
        click.option("--client-secret-env", "secret_env", metavar="NAME", help="The environment variable that has the secret."),
        click.option("--value-from", metavar="FILE", help="Read the client's secret from FILE, or from stdin if it is -."),
        click.option("--key-from", metavar="FILE", help="Its private key instead (PEM, JWK): private_key_jwt."),
        click.option("--provider", "name", metavar="NAME", help="auth0, okta, ... with its settings. AUTHKIT_PROVIDER."),
        click.option("--setting", "settings", metavar="NAME=TEXT", multiple=True, help="A setting of the provider's."),
        click.option("--scope", "scopes", metavar="NAME", multiple=True, help="A scope to ask for. Repeat it."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def client_of(
    issuer: str | None, client_id: str, secret_env: str | None, value_from: str | None, key_from: str | None,
    name: str | None, settings: tuple[str, ...], *, must_show: bool,
) -> Client:  # fmt: skip
    """`must_show`: without any option the secret is asked for. Raises: `Wrong`, `NotFound`, `ConfigurationError`."""
    from ..oidc import OIDCProvider
    from .oidc_verify import provider_of

    if key_from is not None and (secret_env is not None or value_from is not None):
        raise Wrong("a secret and --key-from: which is meant?")
    provider = provider_of(issuer, (client_id,), None, name, settings)
    if not isinstance(provider, OIDCProvider):
        raise Wrong("this provider is no OpenID Provider, and has neither ID tokens nor metadata")
    secret = key = None
    if key_from is not None:
        key = _text(told(key_from, None, ""))
    elif must_show or secret_env is not None or value_from is not None:
        secret = _text(told(value_from, secret_env, "Client secret"))
    return Client(provider, client_id, secret, key)


def _text(value: Sealed) -> Sealed:
    if not isinstance(value(), str):
        raise Wrong("a client's secret or key is text")
    return value
