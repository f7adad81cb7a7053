"""One run of the command: its streams, its signals, and how it ends."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import click

from . import root
from ._exits import EXITS, Terminated, ended

COMPLETE = "_AUTHKIT_COMPLETE"  # what the completion scripts set


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code. Nothing is raised."""
    _prepare()
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
        return _closed() or code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more on its way out
        return EXITS["closed"][0]
    except click.exceptions.Exit as done:
        return done.exit_code
    except (Exception, KeyboardInterrupt, Terminated) as error:
        name, message = ended(error)
        return _complain(name, message, as_json="--json" in arguments)


def _invoke(arguments: list[str]) -> int:
    instruction = os.environ.get(COMPLETE)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(root.group, {}, "authkit", COMPLETE, instruction)
    with root.group.make_context("authkit", list(arguments)) as context:
        code = root.group.invoke(context)
        return code if isinstance(code, int) else 0


def _closed() -> int:
    """The exit code where the output was lost on the way, else 0."""
    output = sys.modules.get(f"{__package__}._output")
    if output is None or not output.lost:
        return 0
    if output.lost[0]:  # with nobody at the other end of a pipe there is nobody to tell
        sys.stderr.write(f"authkit: the output could not be written ({output.lost[0]}); nothing else failed\n")
    return EXITS["closed"][0]


def _complain(name: str, message: str, *, as_json: bool) -> int:
    from ._output import Output, printable

    try:
        sys.stderr.write(f"authkit: {printable(message)}\n")
        Output(as_json).document({"error": name, "message": message})
        sys.stdout.flush()
    except OSError:  # nobody is listening; the code still says it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXITS[name][0]


def _prepare() -> None:
    import signal
    import warnings

    def stop(*_: Any) -> None:
        raise Terminated

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        from ._output import printable

        sys.stderr.write(f"authkit: warning: {printable(str(message))}\n")

    try:
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, stop)  # so that temporary files and locks are left in order
    except ValueError:  # not the main thread, so not our process either
        pass
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    warnings.showwarning = show
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no failure
