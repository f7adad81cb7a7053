"""What a request says of its signatures, and `Signed`: what one that holds says."""

from __future__ import annotations

from ..decision import _Value
from ..errors import InvalidSignature
from .structured import InnerList, Item, parse_dictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..decision import Principal
    from ..http import Headers
    from .structured import Member

MAX_SIGNATURE = 1024  # bytes: RSA of 8192 bits
MAX_NAME = 512  # characters of a key id, nonce or tag

_set = object.__setattr__
_TYPES: dict[str, type] = {"created": int, "expires": int, "nonce": str, "alg": str, "keyid": str, "tag": str}


class Claimed:
    """One signature as it was sent; nothing of it has been verified."""

    __slots__ = ("label", "covered", "signature", "created", "expires", "nonce", "alg", "keyid", "tag")
    created: int
    expires: int | None
    nonce: str | None
    alg: str | None
    keyid: str
    tag: str | None

    def __init__(self, label: str, covered: InnerList, signature: bytes) -> None:
        """Raises: `InvalidSignature` with `signature_malformed`, `keyid_missing` or `created_missing`."""
        self.label = label
        self.covered = covered
        self.signature = signature
        given = dict(covered.parameters)
        for name, kind in _TYPES.items():
            value = given.get(name)
            if value is not None and (type(value) is not kind or (kind is str and not 0 < len(str(value)) <= MAX_NAME)):
                raise InvalidSignature("signature_malformed")
            setattr(self, name, value)
        for name in ("keyid", "created"):
            if given.get(name) is None:
                raise InvalidSignature(f"{name}_missing")

    def check_time(self, now: float, tolerance: float) -> None:
        """Made lately and still good. Raises: `InvalidSignature` with `created_too_old`, `created_in_future`, `expired`."""
        age = int(now) - self.created  # whole seconds, as the sender has no finer ones
        if age > tolerance:
            raise InvalidSignature("created_too_old")
        if age < -tolerance:
            raise InvalidSignature("created_in_future")
        if self.expires is not None and (self.expires <= int(now) or self.expires < self.created):
            raise InvalidSignature("expired")


def claimed(headers: Headers, label: str | None = None) -> list[Claimed]:
    """The signatures of a request, in the order of `Signature-Input`; only that of `label`, if one is named.

    One that cannot be read is left out if another can: it may be a proxy's, and none of our business.
    Raises: `InvalidSignature` with `signature_missing`, `signature_malformed`, `labels_differ`, `no_such_signature`, or as
    `Claimed`.
    """
    inputs, signatures = headers.get_all("signature-input"), headers.get_all("signature")
    if not inputs or not signatures:
        raise InvalidSignature("signature_missing")
    members = parse_dictionary(", ".join(inputs), "signature_malformed")
    raws = parse_dictionary(", ".join(signatures), "signature_malformed")
    if members.keys() != raws.keys():  # section 4: "The presence of a label in one field but not in the other is an error"
        raise InvalidSignature("labels_differ")
    found: list[Claimed] = []
    wrong = InvalidSignature("no_such_signature")
    for name, covered in members.items():
        if label is None or name == label:
            try:
                found.append(_claimed(name, covered, raws[name]))
            except InvalidSignature as error:
                wrong = error
    if not found:
        raise wrong
    return found


def _claimed(label: str, covered: Member, raw: Member) -> Claimed:
    if not isinstance(covered, InnerList) or not isinstance(raw, Item) or not isinstance(raw.value, bytes):
        raise InvalidSignature("signature_malformed")
    if not 0 < len(raw.value) <= MAX_SIGNATURE:
        raise InvalidSignature("signature_malformed")
    return Claimed(label, covered, raw.value)


class Signed(_Value):
    """A signature that holds. `principal`: who signed. `components`: what is covered, as identifiers, in order.

    `created`, `expires`: epoch seconds. `version`: which value of the key's secret matched: "current", "previous" or "pending".
    """

    __slots__ = ("principal", "components", "version", "label", "keyid", "created", "expires", "nonce", "tag")
    principal: Principal
    components: tuple[str, ...]
    version: str
    label: str
    keyid: str
    created: int
    expires: int | None
    nonce: str | None
    tag: str | None

    def __init__(self, one: Any, principal: Principal, components: tuple[str, ...], version: str) -> None:
        _set(self, "principal", principal)
        _set(self, "components", components)
        _set(self, "version", version)
        for name in ("label", "keyid", "created", "expires", "nonce", "tag"):
            _set(self, name, getattr(one, name))

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a Signed is what was seen in one request: it is not pickled")

    def __repr__(self) -> str:
        return f"<Signed {self.keyid!r} {self.label}>"
