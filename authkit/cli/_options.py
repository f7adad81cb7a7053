"""Options that several commands share, and how what is typed is read. No complaint repeats what was typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ._exits import Wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    TextType = click.ParamType[str]
    NumberType = click.ParamType[int]
else:
    TextType = NumberType = click.ParamType  # older ones are not generic

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
GRACE = "24h"  # how long a replaced value stays valid
TOKEN_KINDS = ("hmac", "rsa", "ec", "ed25519")
KINDS = (*TOKEN_KINDS, "webhook", "password")  # those of authkit.secrets.rotation.generate, which --help does not load
MAX_SECONDS = 10 * 366 * 86_400


class Source(TextType):
    """Where the secrets are. `dotenv` alone is the `.env` of this directory."""

    name = "source"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return "dotenv:.env" if value in ("dotenv", "dotenv:") else str(value)


class OneOf(TextType):
    """One of a few words."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self.name = "|".join(self.words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.words:
            raise Wrong(f"{_named(param)} is one of {', '.join(self.words)}", ctx)
        return str(value)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return self.name if param.param_type_name == "option" else (param.name or "").upper()

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


class Whole(NumberType):
    """A whole number within limits."""

    name = "number"

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not self.least <= int(text) <= self.most:
            raise Wrong(f"{_named(param)} is a whole number from {self.least} to {self.most}", ctx)
        return int(text)


class Duration(NumberType):
    """Seconds, written as a whole number with its unit: 90s, 15m, 24h, 7d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([0-9]{1,9})([smhd])", str(value), re.ASCII)
        seconds = int(found[1]) * SECONDS[found[2]] if found else -1
        if not 0 <= seconds <= MAX_SECONDS:
            raise Wrong(f"{_named(param)} is a whole number with its unit, such as 90s, 15m, 24h or 7d, at most ten years", ctx)
        return seconds


def _named(param: click.Parameter | None) -> str:
    if param is None:
        return "the value"
    return max(param.opts, key=len) if param.param_type_name == "option" else (param.name or "argument").upper()


def names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names kept on this machine; nobody wants a call to AWS for a press of the tab key."""
    source = ctx.params.get("source") or "dotenv:.env"
    if not source.startswith(("dotenv:", "files:")):
        return []
    from ..errors import AuthkitError
    from ..secrets.rotation.targets import open_target

    try:
        names = open_target(source).names()
    except AuthkitError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
source_option = click.option(
    "--source",
    type=Source(),
    default="dotenv:.env",
    show_default=True,
    metavar="SOURCE",
    help="dotenv:PATH, env, aws:NAME[@region], ssm:PREFIX or files:DIR.",
)
name_argument = click.argument("name", shell_complete=names)
force_option = click.option("--force", is_flag=True, help="Also if a value that may be in use is dropped.")
value_option = click.option(
    "--value-from", metavar="FILE", help="Read the value from FILE, or from stdin if it is -. One final newline is dropped."
)
