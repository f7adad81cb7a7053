"""How a command ends: the names and numbers of `authkit.cli`, and which of them an exception means."""

from __future__ import annotations

import click

from ..errors import AuthkitError, SecretNotFound, Unavailable

EXITS = {
    "ok": (0, "done, and nothing found"),
    "failed": (1, "a finding of level error, a value that does not verify, or a test that failed: the old value stays"),
    "usage": (2, "wrong options, or a setting or a place that is refused as it is"),
    "refused": (3, "a value that may still be in use would be dropped, and neither --force nor a yes was given"),
    "not_found": (4, "there is no secret, version, limit, user or file of that name"),
    "unavailable": (5, "the place does not answer or cannot be written: history says how far it came"),
    "busy": (6, "another rotation of the same place is under way"),
    "internal": (70, "a defect in authkit"),
    "interrupted": (130, "by the keyboard"),
    "closed": (141, "the output could not be written; what was to be done is done"),
    "terminated": (143, "by a signal"),
}


class Wrong(click.UsageError):
    """A command line that cannot be meant. The message names the option and never repeats what was typed: it may be a value."""


class Failed(AuthkitError):
    """What was tested did not hold."""


class Refused(AuthkitError):
    """A value that may be in use would be dropped."""


class NotFound(AuthkitError):
    """There is no version or file of that name."""


class Terminated(BaseException):
    """SIGTERM came."""


def ended(error: BaseException) -> tuple[str, str]:
    """The name of the exit that `error` means, and what to say: one line that holds no value."""
    from ..secrets.rotation import Busy
    from ..secrets.rotation.outcome import NewValueRefused, RotationRefused

    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return "interrupted", "interrupted"
    if isinstance(error, Terminated):
        return "terminated", "terminated"
    if isinstance(error, click.ClickException):
        return "usage", _usage(error)
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (Busy, "busy"),
        (Failed, "failed"),
        (NewValueRefused, "failed"),
        (Refused, "refused"),
        (RotationRefused, "refused"),
        (NotFound, "not_found"),
        (SecretNotFound, "not_found"),
        (Unavailable, "unavailable"),
        (AuthkitError, "usage"),
    )
    for kind, name in kinds:
        if isinstance(error, kind):
            return name, str(error)
    if isinstance(error, OSError):
        import os

        # Not str(error): a wrapped one may carry anything.
        place = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, (str, bytes)) else ""
        return "unavailable", f"{os.strerror(error.errno) if error.errno else type(error).__name__}{place}"
    return "internal", f"{type(error).__name__} in {_place(error)}: this is a defect in authkit, please report it"


def _usage(error: click.ClickException) -> str:
    # click repeats what was typed: somebody who puts the value itself on the line must not find it in a log of errors
    message = "this command line cannot be read"
    if isinstance(error, Wrong):
        message = error.format_message()
    elif isinstance(error, click.MissingParameter) and error.param is not None:
        message = f"{_named(error.param)} is missing"
    elif isinstance(error, click.BadParameter) and error.param is not None:
        message = f"{_named(error.param)} cannot be what was given"
    elif isinstance(error, click.NoSuchOption):
        message = "there is no such option"
        if error.option_name.lstrip("-").replace("-", "").isalpha() and len(error.option_name) <= 20:
            message += f": {error.option_name}"
    elif isinstance(error, click.BadOptionUsage):
        message = f"{error.option_name} is not used like that"
    context = error.ctx if isinstance(error, click.UsageError) else None
    return message if context is None else f"{message} (see {context.command_path} --help)"


def _named(param: click.Parameter) -> str:
    return max(param.opts, key=len) if param.param_type_name == "option" else (param.name or "argument").upper()


def _place(error: BaseException) -> str:
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return "?" if step is None else f"{step.tb_frame.f_globals.get('__name__', '?')}:{step.tb_lineno}"
