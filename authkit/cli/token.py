"""`authkit token`: the access tokens of this service, by hand."""

from __future__ import annotations

from ._frame import Lazy

group = Lazy(
    "token",
    "Issue a token, look into one, or say why one is refused.",
    {
        "issue": ("token_issue:issue", "Print an access token for a subject."),
        "inspect": ("token_read:inspect", "Show what a token says. Nothing is verified."),
        "verify": ("token_read:verify", "Say whether a token is valid, and if not, why."),
    },
)
