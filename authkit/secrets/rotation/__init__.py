"""Replacing a secret while it is in use: new ones made, staged, tested, promoted, and the old ones retired."""

from .target import Busy, RotationTarget

__all__ = ["Busy", "RotationTarget"]
