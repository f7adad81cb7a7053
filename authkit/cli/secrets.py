"""`authkit secrets`: the commands on one secret, or on all of a place."""

from __future__ import annotations

from ._frame import Lazy

group = Lazy(
    "secrets",
    "Read, set and rotate secrets.",
    {
        "list": ("secrets_read:list_", "List the names of the secrets of a place."),
        "get": ("secrets_read:get", "Show one secret, masked unless --reveal."),
        "status": ("secrets_state:status", "Say where each secret stands in its rotation."),
        "history": ("secrets_state:history", "Show who changed a secret, and when."),
        "verify": ("secrets_read:verify", "Judge a secret's values, or compare one with it."),
        "set": ("secrets_change:set_", "Give a new secret its value."),
        "rotate": ("secrets_rotate:rotate", "Replace a secret while it is in use."),
        "rollback": ("secrets_change:rollback", "Bring the previous value back."),
        "discard": ("secrets_change:discard", "Drop the pending value."),
        "retire": ("secrets_change:retire", "Drop the previous value."),
    },
)
