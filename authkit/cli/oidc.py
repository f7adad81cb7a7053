"""`authkit oidc`: an OpenID Provider, and what it signs, looked at from here."""

from __future__ import annotations

from ._frame import Lazy

group = Lazy(
    "oidc",
    "Look at an OpenID Provider, its keys, or a token that it signed.",
    {
        "discover": ("oidc_discover:discover", "Show what an issuer says of itself, and what is wrong with that."),
        "keys": ("oidc_keys:keys", "List an issuer's keys: which are used here, and why not the others."),
        "verify": ("oidc_verify:verify", "Say whether a provider's token is valid, and if not, why."),
    },
)
