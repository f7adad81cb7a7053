"""Tokens of our own: issuing, verifying, refreshing and revoking JWTs (RFC 7519, RFC 9068), and the keys for it."""

from __future__ import annotations

from ._peek import unverified_issuer
from ._tokens import Tokens
from .grant import Grant
from .keys import Key
from .pair import TokenPair
from .ring import KeyRing

__all__ = ["Grant", "Key", "KeyRing", "TokenPair", "Tokens", "unverified_issuer"]
