"""`authkit doctor`: what is wrong with the secrets of this service and with its issuer, and how to mend it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ._frame import Command
from ._options import Duration, Source, json_option
from ._output import Output

if TYPE_CHECKING:
    from collections.abc import Collection

    from ._finding import Finding

DEFAULT = "dotenv:.env"


@click.command(cls=Command)
@click.option(
    "--source",
    "sources",
    type=Source(),
    multiple=True,
    metavar="SOURCE",
    help="dotenv:PATH, env, aws:NAME[@region], ssm:PREFIX or files:DIR; several times for several. Default: .env and env.",
)
@click.option("--max-age", type=Duration(), default="90d", show_default=True, help="How old a secret may become.")
@click.option("--ignore", "ignored", multiple=True, metavar="NAME", help="A name that is no secret, whatever it says.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@json_option
def doctor(sources: tuple[str, ...], max_age: int, ignored: tuple[str, ...], strict: bool, as_json: bool) -> int:
    """Say what is wrong with the secrets, and how to mend it.

    Looks for sample and weak values, keys that cannot sign, a file that git or other users have, a place that does not answer,
    a clock that is wrong, and rotations that are due, interrupted or not cleared up; and asks the issuer that
    AUTHKIT_OIDC_ISSUER or AUTHKIT_PROVIDER names. Exits with 1 for an error.
    """
    from ._doctor_issuer import issuer
    from ._finding import plain, tell, worst

    out = Output(as_json)
    found: list[Finding] = []
    for source in sources or (DEFAULT, "env"):
        with out.progress(f"looking at {source}"):
            found += _examined(source, max_age, ignored, given=bool(sources))
    with out.progress("asking the issuer"):
        found += issuer()
    grave = worst(found)
    tell(out, found)
    if not found:
        out.line("nothing found", "good")
    out.document({"sources": list(sources or (DEFAULT, "env")), "worst": grave, "findings": plain(found)})
    return 1 if grave == "error" or (strict and grave == "warning") else 0


def _examined(source: str, max_age: int, ignored: Collection[str] = (), *, given: bool) -> list[Finding]:
    import os

    from ._doctor_clock import clock
    from ._doctor_files import files
    from ._doctor_place import place

    if not given and source == DEFAULT and not os.path.lexists(".env"):
        return []  # a service that has its secrets elsewhere lacks nothing
    now = time.time()
    found = [*files(source), *clock(source, now)]
    known = any(finding.severity == "error" for finding in found)
    if source.startswith("dotenv:") and os.path.islink(source[7:]):
        source = f"dotenv:{os.path.realpath(source[7:])}"  # a link can be read, though not rotated
    for finding in place(source, max_age, now, ignored):
        if not (known and finding.code == "refused" and finding.subject == source):  # its reason is told
            found.append(finding)
    return found
