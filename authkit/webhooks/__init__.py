"""Webhook signatures: schemes declared as data, and the few functions that sign and verify by them."""

from .builtin import schemes
from .event import WebhookEvent
from .replay import Replay
from .scheme import Scheme
from .signing import SignedDelivery, asign, asigned, sign, signed
from .verifier import Verifier, averify, verify

__all__ = [
    "Replay",
    "Scheme",
    "SignedDelivery",
    "Verifier",
    "WebhookEvent",
    "asign",
    "asigned",
    "averify",
    "schemes",
    "sign",
    "signed",
    "verify",
]
