"""What a token says of its issuer, before anything is verified. Only to choose which verifier judges it."""

from __future__ import annotations

from . import base64url
from .strict_json import parse_object
from .verify import MAX_TOKEN


def unverified_issuer(token: object) -> str | None:
    """The `iss` that `token` claims, or None where none can be read. Never raises.

    Anybody can write it: it may select one of the configured verifiers, which then judges the whole token, and nothing else.
    """
    if type(token) is not str or len(token) > MAX_TOKEN or token.count(".") != 2:
        return None
    start = token.index(".") + 1
    try:
        issuer = parse_object(base64url.decode(token[start : token.index(".", start)])).get("iss")
    except ValueError:
        return None
    return issuer if type(issuer) is str and issuer else None
