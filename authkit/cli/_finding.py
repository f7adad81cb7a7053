"""`Finding`: one thing that is wrong, how bad it is, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ._output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

SEVERITIES = ("error", "warning", "note")


class Finding(NamedTuple):
    """`severity`: "error" (exit code 1), "warning" or "note". `code` is stable. `subject`: a name or a place. No value."""

    severity: str
    code: str
    subject: str
    message: str
    mend: str


def tell(out: Output, findings: Sequence[Finding]) -> None:
    """The findings for people, the worst first."""
    for severity, tone in zip(SEVERITIES, ("bad", "warn", "faint"), strict=True):
        for finding in findings:
            if finding.severity == severity:
                out.line(f"{severity}: {finding.subject}: {finding.message} [{finding.code}]", tone)
                out.line(f"    {finding.mend}")


def plain(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """The findings for programs, the worst first."""
    return [finding._asdict() for finding in sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))]


def worst(findings: Sequence[Finding]) -> str | None:
    """The gravest severity there is."""
    return next((severity for severity in SEVERITIES if any(found.severity == severity for found in findings)), None)
