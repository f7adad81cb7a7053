"""`authkit help`: a command's own help, or the exit codes."""

from __future__ import annotations

import click

from ._exits import EXITS, Wrong
from ._frame import Command
from ._options import json_option
from ._output import Output

TOPIC = "exit-codes"


@click.command("help", cls=Command)
@click.argument("topic", nargs=-1)
@json_option
@click.pass_context
def help_(context: click.Context, topic: tuple[str, ...], as_json: bool) -> None:
    """Explain a command, or the exit codes.

    TOPIC is a command, such as "secrets rotate", or exit-codes.
    """
    out = Output(as_json)
    if topic == (TOPIC,):
        out.table(("code", "name", "when"), [(str(code), name, when) for name, (code, when) in EXITS.items()])
        out.document({"exit_codes": [{"code": code, "name": name, "when": when} for name, (code, when) in EXITS.items()]})
        return
    found = context.find_root()
    for name in topic:
        group = found.command
        command = group.get_command(found, name) if isinstance(group, click.Group) else None
        if command is None:
            raise Wrong(f"the topics are {TOPIC}, and the commands that authkit --help names", context)
        found = click.Context(command, info_name=name, parent=found)
    text = found.get_help()
    if not as_json:
        click.echo(text)
    out.document({"topic": " ".join(topic), "help": text})
