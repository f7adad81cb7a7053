"""Bad tokens: no signature, or one that nobody of ours has made."""

from __future__ import annotations

from .._needs import needs
from ..tokens import base64url
from ._catalogue import BAD, token, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._catalogue import Make
    from ._forged import Forger


def _unsigned(header: Callable[[Forger], dict[str, Any]]) -> Make:
    return lambda mint: token(header(mint), mint.claims(), b"")


def _good_signature(header: Callable[[Forger], dict[str, Any]]) -> Make:
    """Under the key, over the changed header: only the `alg` is wrong."""
    return lambda mint: mint.forge(header(mint), mint.claims())


def _alg(value: Any) -> Callable[[Forger], dict[str, Any]]:
    return lambda mint: {**mint.header(), "alg": value}


for _name, _value in (
    ("none", "none"), ("none_capital", "None"), ("none_mixed", "nOnE"), ("none_upper", "NONE"), ("none_space", "none "),
    ("empty", ""), ("null", None), ("list", ["none"]), ("number", 0), ("zero_width", "none\u200b"),
):  # fmt: skip
    BAD.add(f"alg_{_name}", f"alg is {_value!r}, and there is no signature", _unsigned(_alg(_value)))
    BAD.add(f"alg_{_name}_signed", f"alg is {_value!r}, with the signature of the key", _good_signature(_alg(_value)))
BAD.add("alg_missing", "the header has no alg", _good_signature(lambda mint: without(mint.header(), "alg")))
BAD.add(
    "alg_other", "alg is one that the key is not for", _good_signature(lambda mint: {**mint.header(), "alg": _other(mint.alg)})
)
BAD.add("alg_case", "alg in lower case", _good_signature(lambda mint: {**mint.header(), "alg": mint.alg.swapcase()}))


def _other(alg: str) -> str:
    return "HS512" if alg == "HS256" else "HS256"


def _parts(mint: Forger) -> tuple[str, str, bytes]:
    header, claims, signature = mint.good().split(".")
    return header, claims, base64url.decode(signature)


def _resigned(change: Callable[[bytes], bytes]) -> Make:
    def make(mint: Forger) -> str:
        header, claims, signature = _parts(mint)
        return f"{header}.{claims}.{base64url.encode(change(signature)).decode()}"

    return make


BAD.add("signature_forged", "one bit of the signature is another", _resigned(lambda raw: bytes([raw[0] ^ 1]) + raw[1:]))
BAD.add("signature_zero", "a signature of zeros (with ECDSA: r and s are 0)", _resigned(lambda raw: bytes(len(raw))))
BAD.add("signature_short", "the signature lacks its last byte", _resigned(lambda raw: raw[:-1]))
BAD.add("signature_long", "the signature has one byte more", _resigned(lambda raw: raw + b"\0"))
BAD.add("signature_empty", "the signature is empty", _resigned(lambda raw: b""))
BAD.add(
    "other_key",
    "signed with another key of the same kind",
    lambda mint: mint.forge(mint.header(), mint.claims(), mint.other_key()),
)


def _of_another(mint: Forger) -> str:
    signature = mint.good("mallory").rpartition(".")[2]
    return f"{mint.good('alice').rpartition('.')[0]}.{signature}"


BAD.add("signature_of_another", "the signature of another good token", _of_another)


def _with_public_key(alg: str) -> Make:
    """HMAC, and the secret is the text of a public key: what a verifier that lets the token choose would accept."""

    def make(mint: Forger) -> str:
        import hmac

        from ._forged import segment

        signed = f"{segment({**mint.header(), 'alg': alg})}.{segment(mint.claims())}"
        mac = hmac.digest(_public_pem(mint), signed.encode(), {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[alg])
        return f"{signed}.{base64url.encode(mac).decode()}"

    return make


def _public_pem(mint: Forger) -> bytes:
    needs("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = mint.key._public or Ed25519PrivateKey.generate().public_key()
    pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


for _name in ("HS256", "HS384", "HS512"):
    BAD.add(
        f"{_name.lower()}_with_public_key", f"{_name}, with the PEM of the public key as the secret", _with_public_key(_name)
    )
