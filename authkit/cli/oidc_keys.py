"""`authkit oidc keys`: the keys of an issuer, those that are used here and those that are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import Unavailable
from ._exits import Failed
from ._frame import Command
from ._options import json_option
from ._output import Output

if TYPE_CHECKING:
    from ._oidc_asked import Asked
    from ._oidc_keys import Published

LONGEST = 60  # characters shown of a kid


@click.command(cls=Command)
@click.argument("url", metavar="ISSUER")
@json_option
def keys(url: str, as_json: bool) -> int:
    """List an issuer's keys: which are used here, and why not the others.

    ISSUER is asked for its metadata first; where there is none, it is taken for the address of the keys themselves.
    Exits with 1 if no key verifies tokens here, with 5 if nobody answers.
    """
    from ._finding import plain, tell, worst
    from ._oidc_keys import of_keys, published

    out = Output(as_json)
    with out.progress("asking the issuer"):
        found = _found(url)
    members = found.said.get("keys")
    listed = published(members if isinstance(members, list) else [])
    findings = list(of_keys(url, found))
    if listed:
        out.table(("kid", "kty", "alg", "use", "bits", "here"), [_row(key) for key in listed])
    tell(out, findings)
    out.document(
        {
            "issuer": url,
            "jwks_uri": found.url,
            "keys": [_plain(key) for key in listed],
            "worst": worst(findings),
            "findings": plain(findings),
        }
    )
    return 1 if worst(findings) == "error" else 0


def _found(place: str) -> Asked:
    from .._fetch import checked_url
    from ..oidc.discovery import WELL_KNOWN, Discovery
    from ._oidc_asked import asked
    from ._oidc_findings import UNASKED, of_metadata

    checked_url("ISSUER", place)
    if "?" in place or WELL_KNOWN in place:  # no issuer has them
        return asked(place, "its keys")
    try:
        metadata = asked(Discovery(place).url, "its metadata")
    except Unavailable as first:
        try:
            return asked(place, "its keys")
        except Unavailable:
            raise first from None
    for finding in of_metadata(place, metadata):
        if finding.code in UNASKED and finding.severity == "error":
            raise Failed(f"{finding.message}; {finding.mend}")
    return asked(str(metadata.said["jwks_uri"]), "its keys")


def _row(key: Published) -> tuple[str, ...]:
    kid = key.kid if key.kid is None or len(key.kid) <= LONGEST else key.kid[:LONGEST] + "..."
    here = " ".join(key.algs) if key.algs else f"left out: {key.why}"
    return kid or "-", key.kty or "-", key.alg or "-", key.use or "-", str(key.bits or "-"), here


def _plain(key: Published) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "kty": key.kty,
        "alg": key.alg,
        "use": key.use,
        "bits": key.bits,
        "algorithms": list(key.algs),
        "left_out": key.why or None,
    }
