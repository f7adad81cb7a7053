"""Whatever is changed in a good token, by a bit, a byte or another spelling, makes it another token: refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from authkit.errors import InvalidToken
from authkit.tokens import Tokens
from authkit.tokens.base64url import _LAST

from .craft import ALL, b64, header, key_for, payload, token, tokens

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def refused(verifier: Tokens, text: Any) -> str:
    with pytest.raises(InvalidToken) as caught:
        verifier.verify(text)
    return caught.value.reason


@pytest.mark.parametrize("alg", ["HS256", "HS384", "RS256", "ES256", "EdDSA"])
def test_tok_25_every_other_spelling_of_a_good_token_is_refused(alg: str) -> None:
    key = key_for(alg)
    shapes: tuple[dict[str, Any], ...] = ({}, {"x": "a"}, {"x": "ab"})
    for claims in shapes:  # payloads of each length modulo 3
        good = token(key, **claims)
        segments = good.split(".")
        spellings = set()
        for place, segment in enumerate(segments):
            others = [
                segment + "=",
                segment + "==",
                segment + "===",
                "=" + segment,
                segment + "\n",
                " " + segment,
                segment + "A",
                segment + "%3D",
            ]
            others += [
                segment[:n] + junk + segment[n:]
                for n in (1, len(segment) // 2)
                for junk in (" ", "\n", "\r", "\t", "=", "!", "\0", "é", "+", "%")
            ]
            others += [segment.replace("-", "+"), segment.replace("_", "/"), segment.replace("-", "%2D"), segment.swapcase()]
            others += [segment[:-1] + last for last in ALPHABET]  # the trailing bits among them
            for other in others:
                spellings.add(".".join([*segments[:place], other, *segments[place + 1 :]]))
        spellings.discard(good)
        verifier = tokens(key)
        verifier.verify(good)  # warm: what is remembered is remembered for these very characters
        for spelling in spellings:
            refused(verifier, spelling)


def test_tok_25_a_signed_segment_in_another_spelling_is_refused_too() -> None:
    """Signed by the right key over the wrong spelling: only framing can refuse it."""
    key = key_for("HS256")
    padded = next(
        base64.urlsafe_b64encode(json.dumps(payload(x="x" * n)).encode()).decode()
        for n in range(3)
        if len(json.dumps(payload(x="x" * n))) % 3 == 1
    )
    body = padded.rstrip("=")
    bits = body[:-1] + ALPHABET[ALPHABET.index(body[-1]) + 1]
    for other in (padded, bits, body[:4] + "\n" + body[4:], body + "=", body[:8] + "é" + body[8:], body[:8] + "+/" + body[10:]):
        signed = f"{b64(json.dumps(header(key)))}.{other}"
        assert refused(tokens(key), f"{signed}.{b64(key.sign(signed.encode()))}") == "token_malformed"
    signed = f"{b64(json.dumps(header(key)))}.{body}"
    assert tokens(key).verify(f"{signed}.{b64(key.sign(signed.encode()))}")
    assert [len(last) for last in _LAST] == [0, 0, 4, 16]


@pytest.mark.parametrize("alg", ALL)
def test_tok_26_no_token_survives_an_edit_of_one_byte(alg: str) -> None:
    """Bytes of a token of each algorithm, changed, removed, doubled; `make soak` tries every value of every byte."""
    key = key_for(alg)
    verifier, good = tokens(key), tokens(key).issue("alice")
    verifier.verify(good)
    step = 1 if alg == "HS256" else 7
    for place, old in [*enumerate(good)][::step] + [*enumerate(good)][-4:]:
        others = {chr(ord(old) ^ 1), chr(ord(old) ^ 0x20), ALPHABET[(ALPHABET.find(old) + 1) % 64], ".", "="} - {old}
        for other in (good[:place] + new + good[place + 1 :] for new in others):
            refused(verifier, other)
        refused(verifier, good[:place] + good[place + 1 :])
        refused(verifier, good[:place] + old + good[place:])
    for other in (good[::-1], good.upper(), good.lower(), good[1:], good[:-1]):
        refused(verifier, other)


@pytest.mark.soak
@pytest.mark.parametrize("alg", ALL)
def test_tok_26_no_token_survives_any_value_of_any_byte(alg: str) -> None:
    verifier = tokens(key_for(alg))
    good = verifier.issue("alice")
    for place, old in enumerate(good):
        for value in range(256):
            if chr(value) != old:
                refused(verifier, good[:place] + chr(value) + good[place + 1 :])


@pytest.mark.parametrize("scale", [1, pytest.param(12_500, marks=pytest.mark.soak)])  # 12,500: 20 million of all algorithms
@pytest.mark.parametrize("alg", ALL)
def test_tok_26_random_mutations_are_refused(alg: str, scale: int, rng: Any) -> None:
    verifier = tokens(key_for(alg))
    good = [verifier.issue("alice", claims={"n": n}) for n in range(4)]
    for _ in range(scale * (400 if alg.startswith("HS") else 80)):
        text = rng.choice(good)
        for _ in range(rng.randrange(1, 4)):
            start, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
            other = rng.choice(good)
            text = rng.choice([
                text[:start] + text[end:],
                text[:start] + other[start:end] + text[end:],
                text[:start] + rng.choice(ALPHABET + ".=\0é") + text[start:],
                text[:start] + text[start:end][::-1] + text[end:],
            ])  # fmt: skip
        if text not in good:
            refused(verifier, text)
