"""What somebody may have done to a delivery or a secret by mistake, and whether undoing it makes the signature hold.

A guess decides nothing: it is made for people, after a delivery was refused. Values of secrets stay behind functions here.
"""

from __future__ import annotations

from ..decision import _set, _Value
from ..errors import ConfigurationError, InvalidSignature, Unavailable
from ..secrets.versions import Masked
from .keys import Sealed
from .verifier import Verifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeAlias

    from ..http import Headers
    from ..secrets.versions import Sealed as Value
    from .scheme import Scheme

    Values: TypeAlias = tuple[tuple[str, Value | None], ...]  # "current", "previous" and so on; None where keys are fetched

EVER = 1e15  # seconds of tolerance: a guess is not about time
MAX_TRIES = 800  # of one sort
MAX_BYTES = 256 * 1_048_576  # hashed over all tries: about a second


class Case(Masked):
    """A refused delivery, what it was verified with, and what is known of how it came.

    `values`: those of the secret. `expired`: one that is no longer accepted. `others`: secrets that might be meant, by name.
    `received`: when it came, epoch seconds, None if nobody knows. `stages`: what a gateway may have put before the path.
    """

    __slots__ = (
        "scheme", "values", "headers", "body", "url", "method", "now", "tolerance", "options", "fetch",
        "expired", "others", "received", "stages",
    )  # fmt: skip
    scheme: Scheme
    values: Values
    headers: Headers
    body: bytes
    url: str | None
    method: str
    now: float
    tolerance: float
    options: Mapping[str, Any]
    fetch: Callable[[str], Any] | None
    expired: Values
    others: tuple[tuple[str, Values], ...]
    received: float | None
    stages: tuple[str, ...]

    def __init__(self, **fields: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, fields[name])

    def but(self, **changes: Any) -> Case:
        """This case with some things changed."""
        return Case(**{name: changes.get(name, getattr(self, name)) for name in self.__slots__})


class Guess(_Value):
    """`case`: the delivery with a mistake undone. `cause`: the mistake. `mend`: what to do about it."""

    __slots__ = ("case", "cause", "mend")
    case: Case
    cause: str
    mend: str

    def __init__(self, case: Case, cause: str, mend: str) -> None:
        _set(self, "case", case)
        _set(self, "cause", cause)
        _set(self, "mend", mend)

    def __repr__(self) -> str:
        return "<Guess>"


class Tries:
    """Tries guesses until one holds or there have been enough. `counts`: how many of each sort were tried."""

    __slots__ = ("counts", "_bytes", "_held")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._bytes = 0
        self._held: dict[int, tuple[Case, tuple[tuple[str, Verifier], ...]]] = {}

    def first(self, sort: str, guesses: Iterable[Guess]) -> Guess | None:
        """The first guess under which the signature holds."""
        for guess in guesses:
            if self.counts.get(sort, 0) >= MAX_TRIES or self._bytes >= MAX_BYTES:
                return None
            self.counts[sort] = self.counts.get(sort, 0) + 1
            self._bytes += len(guess.case.body) + 1_000
            if self.version(guess.case) is not None:
                return guess
        return None

    def version(self, case: Case) -> str | None:
        """Which of the values the signature holds under, whatever time it says; None if under none."""
        for name, verifier in self._verifiers(case):
            try:
                verifier.verify(case.headers, case.body, case.now, case.url, case.method)
            except (InvalidSignature, ConfigurationError, Unavailable, ValueError):
                continue
            return name
        return None

    def _verifiers(self, case: Case) -> tuple[tuple[str, Verifier], ...]:
        """One for each value; kept for the guesses that change neither scheme nor values."""
        kept = self._held.get(id(case.values))
        if kept is not None and kept[0].values is case.values and kept[0].scheme is case.scheme:
            return kept[1]
        made = tuple((name, found) for name, value in case.values if (found := verifier(case, value)) is not None)
        self._held = {id(case.values): (case, made)}
        return made


def verifier(case: Case, value: Value | None) -> Verifier | None:
    """A verifier with that one value, for which no time is wrong; None if the scheme can make no key of it."""
    fetch = {} if case.fetch is None or not case.scheme.keyless else {"fetch": case.fetch}
    options = {name: found for name, found in case.options.items() if name in case.scheme.options}
    try:
        return Verifier(
            case.scheme, Sealed(None if value is None else value()), tolerance=EVER, clock=lambda: case.now, **fetch, **options
        )
    except (ConfigurationError, ValueError):
        return None


def changed(headers: Headers, name: str, value: str) -> Headers:
    """The headers with one field set."""
    from ..http import Headers

    kept = [(key, text) for key, text in headers.items() if key != name.lower()]
    return Headers([*kept, (name, value)])
