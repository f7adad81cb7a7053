"""`authkit keys new`: a key in a file that nobody else can read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from ._exits import Refused, Wrong
from ._frame import Command
from ._options import TOKEN_KINDS, OneOf, Whole, json_option
from ._output import Output

if TYPE_CHECKING:
    from ..secrets.versions import Sealed
    from ..tokens import Key


@click.command(cls=Command)
@click.option("--kind", type=OneOf(TOKEN_KINDS), required=True, help="What kind of key.")
@click.option("--length", type=Whole(1, 65_536), help="Bits; of an hmac key bytes.")
@click.option("--kid", metavar="ID", help="The key's own name, for a JWK. Default: its thumbprint.")
@click.option(
    "--form", type=OneOf(("pem", "jwk")), help="How it is written. Default: pem, with --kid jwk; hmac pem: plain text."
)
@click.option("--out", metavar="FILE", help="A new file for it, of mode 0600.")
@click.option("--stdout", "onto_stdout", is_flag=True, help="Print it instead.")
@json_option
def new(
    kind: str, length: int | None, kid: str | None, form: str | None, out: str | None, onto_stdout: bool, as_json: bool
) -> None:
    """Make a key, into a file or onto stdout.

    A file that is there is never written over. What is printed beside it is the public half.
    """
    from ..secrets.rotation.generate import generate

    if (out is None) is not onto_stdout:
        raise Wrong("say where the key goes: --out FILE, or --stdout to print it")
    if kid is not None and not 0 < len(kid) <= 256:
        raise Wrong("--kid is text of 1 to 256 characters")
    if kid is not None and form == "pem":
        raise Wrong("PEM has no room for a --kid: use --form jwk")
    shown = Output(as_json)
    with shown.progress("generating"):
        made = generate(kind, length=length)
    form = form or ("pem" if kid is None else "jwk")
    key = _key(made, kid)
    material = made if form == "pem" else _jwk(made, key, kind)
    document: dict[str, Any] = {"kind": kind, "alg": key.alg, "kid": key.kid, "form": form, "out": out}
    if out is not None:
        _write(out, material)
        shown.line(f"{out}: {kind} key, {key.alg}, kid {key.kid}", "good")
    else:
        _print(shown, material, document)
    shown.document(document | {"public_jwk": key.public_jwk()})


def _key(made: Sealed, kid: str | None) -> Key:
    from ..tokens import Key

    return Key(made(), kid=kid)


def _jwk(made: Sealed, key: Key, kind: str) -> Sealed:
    """The private key as the text of a JWK (RFC 7517). It raises nothing, because its locals hold the key."""
    import json

    from ..secrets.versions import sealed
    from ..tokens.base64url import encode

    text = made()
    assert isinstance(text, str)
    if kind == "hmac":
        members: dict[str, Any] = {"kty": "oct", "k": encode(text.encode()).decode()}
    else:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

        writers: dict[str, Any] = {"rsa": RSAAlgorithm, "ec": ECAlgorithm, "ed25519": OKPAlgorithm}
        members = dict(writers[kind].to_jwk(load_pem_private_key(text.encode(), None), as_dict=True))
    members.pop("key_ops", None)
    return sealed(json.dumps(members | {"use": "sig", "alg": key.alg, "kid": key.kid}))


def _print(shown: Output, material: Sealed, document: dict[str, Any]) -> None:
    from .secrets_read import put

    if shown.as_json:
        document["key"] = material()
    else:
        put(material)


def _write(path: str, material: Sealed) -> None:
    """A new file of mode 0600 that is there whole or not at all. Raises: `Refused` if it exists; OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        file = os.open(path, flags, 0o600)
    except FileExistsError:
        raise Refused(f"{path} is there already, and may be in use: choose another name") from None
    try:
        with open(file, "w", encoding="utf-8", newline="\n") as stream:
            _put(stream, material)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        os.unlink(path)
        raise


def _put(stream: Any, material: Sealed) -> None:
    stream.write(str(material()).rstrip("\n") + "\n")
