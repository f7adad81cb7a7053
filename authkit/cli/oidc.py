"""`authkit oidc`: an OpenID Provider, and what it signs, looked at from here; and who it says that somebody is."""

from __future__ import annotations

from ._frame import Lazy

group = Lazy(
    "oidc",
    "Look at an OpenID Provider and its tokens; log in, or get one.",
    {
        "discover": ("oidc_discover:discover", "Show what an issuer says of itself, and what is wrong with that."),
        "keys": ("oidc_keys:keys", "List an issuer's keys: which are used here, and why not the others."),
        "verify": ("oidc_verify:verify", "Say whether a provider's token is valid, and if not, why."),
        "login": ("oidc_login:login", "Log in in your browser, and show who the provider says that you are."),
        "token": ("oidc_token:token", "Print an access token of a provider, for a machine."),
    },
)
