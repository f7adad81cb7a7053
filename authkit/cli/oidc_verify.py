"""`authkit oidc verify`: whether a provider's token is valid here, and if not, which check refused it. It never prints it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigurationError
from ._exits import EXITS, Wrong
from ._frame import Command
from ._options import json_option
from ._output import Output
from ._token import token_of, token_options
from ._verdict import document, tell

if TYPE_CHECKING:
    from ..decision import Principal
    from ..secrets.versions import Sealed
    from ..tokens.why import Why


@click.command(cls=Command)
@token_options
@click.option("--issuer", metavar="URL", help="As its tokens write it in iss. Default: AUTHKIT_OIDC_ISSUER.")
@click.option("--audience", "audiences", metavar="TEXT", multiple=True, help="Default: AUTHKIT_AUDIENCE.")
@click.option("--token-type", metavar="TYP", help="Of its access tokens: at+jwt (default), or JWT. AUTHKIT_OIDC_TOKEN_TYPE.")
@click.option("--provider", "name", metavar="NAME", help="auth0, okta, cognito, ... with its settings. AUTHKIT_PROVIDER.")
@click.option("--setting", "told", metavar="NAME=TEXT", multiple=True, help="A setting of the provider's, for this run.")
@json_option
def verify(
    value_from: str | None,
    token_env: str | None,
    issuer: str | None,
    audiences: tuple[str, ...],
    token_type: str | None,
    name: str | None,
    told: tuple[str, ...],
    as_json: bool,
) -> int:
    """Say whether a provider's token is valid, and if not, why.

    As a service with these settings does it. The token is asked for, or read from a pipe, from --value-from or --token-env; it
    is never an argument, because other users see those. Exits with 1 if it is refused, with 5 if the issuer does not answer.
    """
    out = Output(as_json)
    token = token_of(value_from, token_env)
    provider = provider_of(issuer, audiences, token_type, name, told)
    with out.progress("asking the issuer"):
        principal, refused = judged(provider, token)
    audience: list[str] = sorted(getattr(provider, "audiences", ()))
    tell(out, principal, refused, " ".join(audience), "not looked up: only the issuer knows")
    out.document(document(principal, refused, getattr(provider, "issuer", None), audience))
    return EXITS["ok" if refused is None else "failed"][0]


def judged(provider: Any, token: Sealed) -> tuple[Principal | None, Why | None]:
    """Who it is for, or why not. Its locals hold the token, so what it raises has no traceback through it that is shown."""
    from .._run import run
    from .._verifiers import asked
    from ..errors import InvalidToken
    from ._oidc_why import why_refused

    verifying = asked(getattr(provider, "verifier", provider))  # of what reads a token in a header of its own

    async def judging() -> Principal:
        return await verifying(str(token()))

    try:
        return run(judging()), None
    except InvalidToken as error:
        return None, why_refused(error.reason, str(token()), provider, time.time())


def provider_of(
    issuer: str | None, audiences: tuple[str, ...], token_type: str | None, name: str | None, told: tuple[str, ...]
) -> Any:
    """The provider that is named, with its settings: those that were told, then the environment's. Raises: `Wrong`,
    `ConfigurationError`."""
    from .. import settings
    from ..guards._configured import _discovered, _named

    given = _pairs(told)
    if issuer is not None and name is not None:
        raise Wrong("an issuer and --provider: which is meant?")
    given.update({"AUTHKIT_AUDIENCE": ",".join(audiences)} if audiences else {})
    given.update({"AUTHKIT_OIDC_TOKEN_TYPE": token_type} if token_type else {})

    def get(setting: str) -> str | None:
        return given[setting] if setting in given else settings.get(setting)

    name = name or (None if issuer is not None else get("AUTHKIT_PROVIDER"))
    if name is not None:
        return _named(lambda setting: name if setting == "AUTHKIT_PROVIDER" else get(setting))
    issuer = issuer or get("AUTHKIT_OIDC_ISSUER")
    if issuer is None:
        raise Wrong("no issuer is named: give it or --provider, or set AUTHKIT_OIDC_ISSUER or AUTHKIT_PROVIDER")
    if len(audiences) > 1:
        from ..oidc import OIDCProvider

        return OIDCProvider(issuer, audience=audiences, token_type=get("AUTHKIT_OIDC_TOKEN_TYPE"))
    try:
        return _discovered(lambda setting: issuer if setting == "AUTHKIT_OIDC_ISSUER" else get(setting))
    except ConfigurationError as error:
        raise ConfigurationError(f"{error} (--audience)" if "AUTHKIT_AUDIENCE" in str(error) else str(error)) from None


def _pairs(told: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for each in told:
        name, equals, text = each.partition("=")
        if not equals or not name.startswith("AUTHKIT_"):
            raise Wrong("--setting is NAME=TEXT, with a name like AUTHKIT_AUTH0_DOMAIN")
        if name.endswith("_SECRET"):  # other users see the arguments
            raise Wrong(f"{name} is a secret: set it in the environment or in .env")
        found[name] = text
    return found
