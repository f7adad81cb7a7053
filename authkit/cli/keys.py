"""`authkit keys`: token keys, and the ring that a secret's versions are."""

from __future__ import annotations

from ._frame import Lazy

group = Lazy(
    "keys",
    "Make and rotate token keys, and publish their public halves.",
    {
        "new": ("keys_new:new", "Make a key, into a file or onto stdout."),
        "list": ("keys_ring:list_", "List the keys that the secrets of a place are."),
        "rotate": ("keys_ring:rotate", "Replace the signing key of a ring."),
        "jwks": ("keys_ring:jwks", "Print the public keys of a ring as a JWK Set."),
    },
)
