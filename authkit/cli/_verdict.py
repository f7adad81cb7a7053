"""How it is told whether a token is good: in lines, and in the document of `--json`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ._ages import moment

if TYPE_CHECKING:
    from ..decision import Principal
    from ..tokens.why import Why
    from ._output import Output


def tell(out: Output, principal: Principal | None, refused: Why | None, audience: str, revocation: str) -> None:
    """Whom it is for, or which check refused it, and why."""
    if principal is not None:
        expires = principal.claims.get("exp")
        rows = [
            ("subject", principal.subject),
            ("issuer", principal.issuer or ""),
            ("audience", audience or "-"),
            ("scopes", " ".join(sorted(principal.scopes)) or "-"),
            ("roles", " ".join(sorted(principal.roles)) or "-"),
            ("expires", moment(expires, time.time()) if isinstance(expires, (int, float)) else "-"),
            ("revocation", revocation),
        ]
        out.line("valid", "good")
        out.table(("what", "value"), rows)
    elif refused is not None:
        out.line(f"refused by the check of the {refused.check} ({refused.reason})", "bad")
        for heading, text in (("found", refused.says), ("likely", refused.cause), ("mend", refused.mend)):
            out.line(f"  {heading + ':':8}{text}")


def document(
    principal: Principal | None, refused: Why | None, issuer: str | None, audience: str | list[str], **more: object
) -> dict[str, Any]:
    return {
        "valid": refused is None,
        "reason": refused and refused.reason,
        "check": refused and refused.check,
        "found": refused and refused.says,
        "likely": refused and refused.cause,
        "mend": refused and refused.mend,
        "subject": principal and principal.subject,
        "issuer": issuer,
        "audience": audience,
        "scopes": sorted(principal.scopes) if principal else None,
        "roles": sorted(principal.roles) if principal else None,
        "expires_at": principal and principal.claims.get("exp"),
        **more,
    }
