"""Tokens of our own: issuing and verifying JWTs (RFC 7519, RFC 9068), and the keys for it."""

from __future__ import annotations

from ._peek import unverified_issuer
from ._tokens import Tokens
from .keys import Key
from .ring import KeyRing

__all__ = ["Key", "KeyRing", "Tokens", "unverified_issuer"]
