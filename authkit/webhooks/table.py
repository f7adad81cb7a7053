"""The built-in schemes as a table in Markdown, made from what they declare: `docs/webhook-schemes.md` holds it."""

from __future__ import annotations

from .builtin import schemes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .scheme import Scheme

HEAD = ("scheme", "signature in", "made with", "of", "time", "told apart by", "pass")
_KEYS = {"text": "", "base64": ", key in base64", "hex": ", key in hex", "pem": "", "der": "", "fetched": ""}


def table(*, verified: bool) -> str:
    """A row for each scheme that is verified, or for each that is not, by name."""
    rows = [HEAD, ("---",) * len(HEAD)]
    rows += [row(scheme) for scheme in schemes().values() if scheme.verified is verified]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def row(scheme: Scheme) -> tuple[str, ...]:
    """What one scheme declares, in the order of `HEAD`."""
    return (f"`{scheme.name}`", _places(scheme), _made(scheme), _signed(scheme), _time(scheme), _apart(scheme), _passed(scheme))


def _places(scheme: Scheme) -> str:
    first = " or ".join(f"`{place}`" for place in scheme.signature)
    also = "".join(f" and `{place}`" for place in scheme.also)
    prefixes = (scheme.prefix,) if isinstance(scheme.prefix, str) else scheme.prefix
    shown = " or ".join(f"`{prefix.strip()}`" for prefix in prefixes if prefix)
    several = ", several" if scheme.separator is not None else ""
    return f"{first}{also}{', ' + shown if shown else ''}{several}{', each of `' + scheme.each + '`' if scheme.each else ''}"


def _made(scheme: Scheme) -> str:
    if scheme.algorithm == "token":
        return "the secret itself" + (", as Basic credentials" if scheme.encoding == "base64" else "")
    if scheme.algorithm.startswith("jws"):
        return f"{'JWS over the body' if scheme.algorithm == 'jws-detached' else 'JWT'}, {', '.join(scheme.jws)}"
    names = {
        "hmac": "HMAC-{}",
        "digest": "{} after the secret",
        "ed25519": "Ed25519",
        "ecdsa": "ECDSA P-256 {}",
        "rsa": "RSA {}",
    }
    return f"{names[scheme.algorithm].format(scheme.hash.upper())}, {scheme.encoding}{_KEYS[scheme.key]}"


def _signed(scheme: Scheme) -> str:
    if scheme.algorithm == "token":
        return "nothing"
    if scheme.body_hash:
        hashed = f"{scheme.body_hash_encoding} SHA-256 of the body in `{scheme.body_hash}`"
        return f"`{scheme.signed}`, or {hashed}" if scheme.signed else hashed
    if scheme.algorithm.startswith("jws"):
        return "the body" if scheme.algorithm == "jws-detached" else "itself, **not the body**"
    shown = scheme.signed.replace("\n", "\\n").replace("|", "\\|").replace("NotificationRequestItem.", "")
    return f"`{shown}`{'' if scheme.covers_body else ', **not all of the body**'}"


def _time(scheme: Scheme) -> str:
    if not scheme.timed:
        return ""
    where = " or ".join(f"`{place}`" for place in scheme.timestamp) or f"`{scheme.timestamp_item}`"
    unit = {"s": "s", "ms": "ms", "rfc3339": "RFC 3339"}[scheme.unit]
    return f"{where}, {unit}; {scheme.tolerance:g} s"


def _apart(scheme: Scheme) -> str:
    """What tells a delivery that came before."""
    if scheme.signed_id:
        return "signed " + " or ".join(f"`{place}`" for place in scheme.id)
    if scheme.idempotency:
        return " or ".join(f"`{place}`" for place in scheme.idempotency)
    return "hash of what is signed" if scheme.algorithm != "token" else "hash of the body"


def _passed(scheme: Scheme) -> str:
    """What `verify_webhook` is given."""
    if scheme.keyless:
        first = ["`fetch=`"] if not scheme.key_url.startswith("https://") else []
    elif scheme.asymmetric:
        jwks = ", or JWKS" if scheme.algorithm.startswith("jws") else ""
        first = ["the public key" + {"hex": " in hex", "base64": " in base64", "der": " in base64"}.get(scheme.key, jwks)]
    else:
        first = ["the secret"]
    first += [f"`{name}=`" for name in scheme.options]
    if scheme.needs == "url":
        first.append("`url=`")
    return ", ".join(first) + (f"; handshake `{scheme.handshake}`" if scheme.handshake else "")
