"""The `authkit` command: secrets, keys, limits and stores changed while they are in use, and what is wrong said in time.

Exit codes, which are public API (`authkit help exit-codes` prints them):

    0  ok            done, and nothing found
    1  failed        a finding of level error, a value that does not verify, or a test that failed: the old value stays
    2  usage         wrong options, or a setting or a place that is refused as it is
    3  refused       a value that may still be in use would be dropped, and neither --force nor a yes was given
    4  not_found     there is no secret, version, limit, user or file of that name
    5  unavailable   the place does not answer or cannot be written: history says how far it came
    6  busy          another rotation of the same place is under way
   70  internal      a defect in authkit
  130  interrupted   by the keyboard
  141  closed        the output could not be written; what was to be done is done
  143  terminated    by a signal

Whatever fails says so in one line on stderr, without a traceback and without a value. With `--json` every command prints one
JSON document on stdout, a failure `{"error": name, "message": text}`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (default: the process's own) and return its exit code."""
    import sys

    from .._needs import needs
    from ..errors import ConfigurationError

    try:
        needs("click", "authkit-middleware[cli]")
    except ConfigurationError as missing:
        sys.stderr.write(f"authkit: {missing}\n")
        return 2
    try:
        from ._run import run

        return run(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt:  # before or after what `run` looks after
        sys.stderr.write("authkit: interrupted\n")
        return 130
