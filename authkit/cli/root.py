"""`authkit`: the groups of commands."""

from __future__ import annotations

import click

from ._frame import Lazy


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from .. import __version__

        click.echo(f"authkit {__version__}")
        context.exit()


group = Lazy(
    "authkit",
    "Secrets, keys, tokens, passwords, API keys, users, limits and the store: looked at, and changed while they are in use.",
    {
        "secrets": ("secrets:group", "Read, set and rotate secrets."),
        "keys": ("keys:group", "Make and rotate token keys, and publish their public halves."),
        "token": ("token:group", "Issue a token, look into one, or say why one is refused."),
        "oidc": (
            "oidc:group",
            "Look at an OpenID Provider and its tokens; log in, or get one.",
        ),
        "password": ("password:group", "Hash a password, or check one against a hash."),
        "apikeys": ("apikeys:group", "Make, list, rotate and revoke API keys."),
        "users": ("users:group", "Add, list, disable and delete users, and end their sessions."),
        "limits": ("limits:group", "Say what a limit has left for somebody, or forget what was used."),
        "store": ("store:group", "Look at the store that processes share, or take one into use."),
        "webhook": ("webhook:group", "Sign, send and verify webhooks by hand, and list the schemes."),
        "explain": ("explain:explain", "Say which check refuses a captured request, and why."),
        "doctor": ("doctor:doctor", "Say what is wrong with the secrets, and how to mend it."),
        "completion": ("completion:completion", "Print the completion script of a shell."),
        "help": ("help:help_", "Explain a command, or the exit codes."),
    },
    epilog="Exit codes: authkit help exit-codes",
    params=[click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print it.")],
)
