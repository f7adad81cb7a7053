"""`authkit oidc token`: a machine's access token, by the client credentials of RFC 6749 section 4.4. Printed once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from ._exits import Failed
from ._frame import Command
from ._oidc_client import client_of, client_options
from ._options import json_option
from ._output import Output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._oidc_client import Client


@click.command(cls=Command)
@client_options
@click.option("--audience", metavar="TEXT", help="The API that it is for, where the provider asks for it so: Auth0.")
@click.option("--resource", "resources", metavar="URL", multiple=True, help="The API that it is for (RFC 8707). Repeat it.")
@json_option
def token(
    issuer: str | None,
    client_id: str,
    secret_env: str | None,
    value_from: str | None,
    key_from: str | None,
    name: str | None,
    settings: tuple[str, ...],
    scopes: tuple[str, ...],
    audience: str | None,
    resources: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print an access token of a provider, for a machine.

    Whoever has it is let in: keep it out of files and logs. The client's secret is asked for, or read from a pipe, from
    --value-from or --client-secret-env; it is never an argument. Exits with 1 if the provider refuses it.
    """
    out = Output(as_json)
    client = client_of(issuer, client_id, secret_env, value_from, key_from, name, settings, must_show=True)
    with out.progress("asking the provider"):
        given = _given(client, scope=" ".join(scopes) or None, audience=audience, resource=resources or None)
    out.line(given["access_token"])
    expires = given.get("expires_in")
    out.document(
        {
            "token": given["access_token"],
            "token_type": given.get("token_type"),
            "issuer": client.provider.issuer,
            "client_id": client.id,
            "scopes": sorted(str(given.get("scope", " ".join(scopes))).split()),
            "expires_at": int(time.time()) + int(expires) if isinstance(expires, (int, float)) else None,
        }
    )


def _given(client: Client, **fields: Any) -> Mapping[str, Any]:
    from ..oidc import GrantRefused

    try:
        return client.token_endpoint().post("client_credentials", **fields)
    except GrantRefused as error:
        raise Failed(str(error)) from None
