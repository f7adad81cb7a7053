"""The catalogue of bad tokens: one thing wrong in each, the signature right wherever the wrong thing is not the signature."""

from __future__ import annotations

from . import _bad_claims, _bad_framing, _bad_headers, _bad_json, _bad_signatures
from ._catalogue import BAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._forged import Forger

__all__ = ["BAD_TOKENS", "bad_tokens"]
FILLED_BY = (_bad_signatures, _bad_headers, _bad_claims, _bad_json, _bad_framing)
BAD_TOKENS: Mapping[str, str] = BAD.about  # name -> what is wrong with the token


def bad_tokens(forger: Forger) -> dict[str, str]:
    return BAD.made(forger)
