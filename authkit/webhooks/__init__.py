"""Webhook signatures: schemes declared as data, and the few functions that sign and verify by them."""

from .builtin import schemes
from .event import WebhookEvent
from .scheme import Scheme
from .signing import asign, sign
from .verifier import Verifier, averify, verify

__all__ = ["Scheme", "Verifier", "WebhookEvent", "asign", "averify", "schemes", "sign", "verify"]
