"""`authkit oidc discover`: what an issuer says of itself, and what of it would not do here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ._frame import Command
from ._options import json_option
from ._output import Output

if TYPE_CHECKING:
    from ._oidc_asked import Asked

LONGEST = 300  # characters shown of anything that an issuer says
_SHOWN = (
    ("algorithms", "id_token_signing_alg_values_supported"),
    ("response types", "response_types_supported"),
    ("grants", "grant_types_supported"),
    ("scopes", "scopes_supported"),
    ("client authentication", "token_endpoint_auth_methods_supported"),
    ("PKCE", "code_challenge_methods_supported"),
    ("DPoP", "dpop_signing_alg_values_supported"),
)


@click.command(cls=Command)
@click.argument("url", metavar="ISSUER")
@json_option
def discover(url: str, as_json: bool) -> int:
    """Show what an issuer says of itself, and what is wrong with that.

    Asks ISSUER/.well-known/openid-configuration and the keys that it names, as a service does: https only, and http on this
    machine; 1 MiB and 5 seconds each; no redirect to another host. Exits with 1 for an error, with 5 if it does not answer.
    """
    from ..oidc import Discovery
    from ._finding import plain, tell, worst
    from ._oidc_asked import asked
    from ._oidc_findings import UNASKED, of_metadata
    from ._oidc_keys import of_issuer

    out = Output(as_json)
    with out.progress("asking the issuer"):
        found = asked(Discovery(url).url, "its metadata")
        findings = list(of_metadata(url, found))
        if not any(finding.code in UNASKED and finding.severity == "error" for finding in findings):
            findings += of_issuer(url, str(found.said["jwks_uri"]))
    rows = _rows(found)
    out.table(("what", "value"), rows)
    tell(out, findings)
    if not findings:
        out.line("nothing found", "good")
    out.document(_document(url, found, worst(findings), plain(findings)))
    return 1 if worst(findings) == "error" else 0


def _rows(found: Asked) -> list[tuple[str, str]]:
    from ._oidc_findings import ENDPOINTS, names

    said = found.said
    rows = [("asked", found.url), ("issuer", str(said.get("issuer", "-")))]
    rows += [(name, str(said[name])) for name in ENDPOINTS if said.get(name) is not None]
    rows += [(title, " ".join(names(said[name])) or "-") for title, name in _SHOWN if name in said]
    return [(title, text if len(text) <= LONGEST else text[:LONGEST] + "...") for title, text in rows]


def _document(issuer: str, found: Asked, grave: str | None, findings: list[dict[str, str]]) -> dict[str, Any]:
    from ._oidc_findings import ENDPOINTS, names

    said = found.said
    return {
        "issuer": issuer,
        "asked": found.url,
        "says": said.get("issuer"),
        "endpoints": {name: said[name] for name in ENDPOINTS if name in said},
        "algorithms": names(said.get("id_token_signing_alg_values_supported")),
        "worst": grave,
        "findings": findings,
    }
