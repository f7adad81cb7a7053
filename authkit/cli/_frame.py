"""Commands that are loaded when they are asked for, and that keep to themselves what was typed by mistake."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from ._exits import Wrong


class Command(click.Command):
    """A command whose complaints repeat nothing of the command line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True  # what click says of them would repeat them
        rest = super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            raise Wrong("there are more arguments than this command takes; a value is never one of them", ctx)
        return rest


class Lazy(click.Group):
    """A group that knows of each command its place ("module:name") and one line of help, and loads none to show them."""

    def __init__(self, name: str, help: str, places: dict[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(
            name, help=help, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]}, **more
        )
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.places:
            return None
        module, _, name = self.places[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(f"{__package__}.{module}"), name)
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and args[0] not in self.places:
            raise Wrong(f"the commands are {', '.join(self.places)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.places.items()])
