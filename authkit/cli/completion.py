"""`authkit completion`: what a shell needs to complete our command lines."""

from __future__ import annotations

import click

from ._frame import Command
from ._options import OneOf, json_option
from ._output import Output

SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Command)
@click.argument("shell", type=OneOf(SHELLS))
@json_option
def completion(shell: str, as_json: bool) -> None:
    """Print the completion script of a shell.

    SHELL is bash, zsh or fish. For bash: eval "$(authkit completion bash)" in ~/.bashrc.
    """
    from click.shell_completion import ShellComplete, get_completion_class

    from ._run import COMPLETE
    from .root import group

    kind = get_completion_class(shell)
    assert kind is not None, shell
    script = ShellComplete.source(kind(group, {}, "authkit", COMPLETE))  # bash's own asks a bash for its version first
    if not as_json:
        click.echo(script, nl=False)
    Output(as_json).document({"shell": shell, "script": script})
