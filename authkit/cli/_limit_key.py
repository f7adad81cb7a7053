"""A key as somebody types it, and as a limit counts it: the guard's own reader makes the one of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._exits import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..address import Address
    from ..http import Request

FORMS = "ip:ADDRESS, principal:SUBJECT, account:NAME, global, header (its value with --value-from), key:TEXT or raw:TEXT"
BARE = ("global", "header")  # words that say it all
TOLD = ("ip", "principal", "account", "key", "raw", *BARE)
FITTING = {
    "ip": {"ip"},
    "principal": {"principal", "ip"},
    "account": {"account"},
    "global": {"global"},
    "header": {"header", "ip"},
    "key": {"key"},
}


def key_of(
    words: Sequence[str],
    parts: tuple[Any, ...] | None,
    *,
    prefix: int = 64,
    issuer: str | None = None,
    value: Callable[[], str] | None = None,
) -> str:
    """The key under which a limit counts whoever the words tell of.

    `parts`: what the limit counts by, as in `rate_limit(key=...)`; None: by what the words say. `prefix`: bits of an IPv6
    address. `issuer`: of a principal. `value`: gives what the header says. Who is anonymous, or sends no such header, is
    told by address, as the guard does. Raises: `Wrong` for words that do not fit.
    """
    from .._state import State
    from ..guards._rate_keys import reader
    from ..http import Request

    told = [_told(word) for word in words]
    if [kind for kind, _ in told] == ["raw"]:
        return told[0][1]
    if parts is None:
        parts = tuple(kind for kind, _ in told)
    sorts = [sort_of(part) for part in parts]
    if len(told) != len(sorts) or any(kind not in FITTING.get(sort, ()) for (kind, _), sort in zip(told, sorts, strict=True)):
        raise Wrong(f"this limit counts by {' and '.join(sorts)}: a KEY for each, in this order, is {FORMS}")
    if "account" in sorts[1:]:
        raise Wrong("a login is account:NAME, or account:NAME ip:ADDRESS")
    if sorts[:1] == ["account"]:
        rest = [key_of(words[1:], parts[1:], prefix=prefix)] if parts[1:] else []
        return " ".join([_account(told[0][1]), *rest])
    state, address = State(), None
    headers: dict[str, str] = {}
    readers: list[Any] = []
    for part, sort, (kind, text) in zip(parts, sorts, told, strict=True):
        if kind == "ip":
            address = _address(text)
        elif kind == "principal":
            state.principal = _principal(text, issuer)
        elif kind == "header":
            headers |= _header(part, value)
        readers.append(_says(text) if sort == "key" else part)
    request = Request.build(headers=headers)
    request.state = state
    return reader(tuple(readers), _Known(address), prefix)(request)  # type: ignore[arg-type]


class _Known:
    """Stands for a `ClientAddress`: it is known who the client is."""

    def __init__(self, address: Address | None) -> None:
        self._address = address

    def suspects_proxy(self, request: Request) -> bool:
        return False

    def locate(self, request: Request) -> Address | None:
        return self._address


def _told(word: str) -> tuple[str, str]:
    kind, _, text = word.partition(":")
    if kind not in TOLD or (kind in BARE) == bool(text):
        raise Wrong(f"KEY is {FORMS}")
    return kind, text


def sort_of(part: Any) -> str:
    """Which of the words tells a part."""
    from ..limits import by_header

    if isinstance(part, by_header):
        return "header"
    return part if isinstance(part, str) else "key"


def _address(text: str) -> Address:
    from ..address import parse

    found = parse(text)
    if found is None:
        raise Wrong("what follows ip: is one address")
    return found


def _account(username: str) -> str:
    """An account as `Accounts` counts its logins."""
    from hashlib import blake2b

    from ..accounts.names import canonical

    name = canonical(username)
    if name is None:
        raise Wrong("what follows account: can be no user name")
    return blake2b(name.encode(), digest_size=16).hexdigest()


def _principal(subject: str, issuer: str | None) -> Any:
    from ..decision import Principal

    if issuer is None:
        raise Wrong("principals are counted by issuer and subject: say --issuer, or set AUTHKIT_ISSUER")
    return Principal(subject, issuer=issuer or None)


def _header(part: Any, value: Callable[[], str] | None) -> dict[str, str]:
    if not hasattr(part, "_name") or value is None:
        raise Wrong("a header's value is counted as the program says: give --app, and the value with --value-from")
    return {part._name: value()}


def _says(text: str) -> Callable[[Request], str]:
    return lambda request: text
