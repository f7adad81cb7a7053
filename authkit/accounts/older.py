"""`OlderHash`: one kind of password hash that another system made, and the few of them that a hasher reads."""

from __future__ import annotations

from .._needs import needs
from ..errors import ConfigurationError
from ..secrets.versions import Masked, sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeAlias

    from ..secrets.versions import Sealed

    # password, user name or None, what the form found
    Matches: TypeAlias = Callable[[bytes, str | None, re.Match[str]], bool]

LONGEST = 1024  # characters of a stored hash


class OlderHash(Masked):
    """A kind of stored hash, declared: how it is recognised, what it may cost, and how a password is compared with it.

    `form`: a regular expression that all of a stored hash has to fit. `most`: group of the form -> the highest number that it
    may be, so that no stored hash keeps a machine busy. `matches(password, username, found)`: whether they belong together, in
    constant time; `ValueError` if the hash cannot be read after all, and no work was done. `weak`: its passwords can be
    searched for fast, so that it goes into `insecure_also` alone. `package`: what it needs installed, of the same extra.

    Raises: `ConfigurationError` if the package is missing.
    """

    __slots__ = ("name", "weak", "_form", "_most", "_matches")

    def __init__(
        self,
        name: str,
        form: str,
        matches: Matches,
        *,
        most: Mapping[str, int] | None = None,
        weak: bool = False,
        package: str | None = None,
    ) -> None:
        import re

        if package is not None:
            needs(package, f"authkit-middleware[{package}]")
        self.name = name
        self.weak = weak
        self._form = re.compile(form, re.ASCII)
        self._most = dict(most or {})
        self._matches = matches

    def find(self, stored: str) -> re.Match[str] | None:
        """What the form finds in a stored hash; None if it is none of this kind, or one that would cost too much."""
        found = self._form.fullmatch(stored) if len(stored) <= LONGEST else None
        if found is None or any(int(found[group] or 0) > most for group, most in self._most.items()):
            return None
        return found

    def matches(self, password: bytes, username: str | None, found: re.Match[str]) -> bool | None:
        """Whether they belong together; None if the hash could not be read after all."""
        try:
            return self._matches(password, username, found) is True
        except ValueError:
            return None

    def __repr__(self) -> str:
        return f"<OlderHash {self.name}>"


class OlderHashes:
    """The kinds that one hasher reads."""

    __slots__ = ("_kinds", "_last")

    def __init__(self, kinds: Iterable[OlderHash]) -> None:
        self._kinds = tuple(kinds)
        self._last: Sealed | None = None

    def matches(self, passwords: Iterable[bytes], username: str | None, stored: str) -> bool | None:
        """Whether one of the passwords, all one in several spellings, belongs to `stored`; None: it is none of ours."""
        outcome: bool | None = None
        for kind in self._kinds:
            found = kind.find(stored)
            if found is None:
                continue
            self._last = sealed(stored)
            for password in passwords:
                answer = kind.matches(password, username, found)
                if answer:
                    return True
                outcome = outcome if answer is None else answer
        return outcome

    def kind(self, stored: str) -> str | None:
        """The name of the first kind that it is of, or None."""
        return next((kind.name for kind in self._kinds if kind.find(stored) is not None), None)

    def pretend(self, passwords: Iterable[bytes], username: str | None) -> None:
        """The work of the last hash that was recognised here, for whoever has none of the kind. Its result is nobody's."""
        if self._last is not None:
            self.matches(passwords, username, str(self._last()))


def chosen(also: object, insecure_also: object) -> OlderHashes | None:
    """The kinds of those names, or that are given. Raises: `ConfigurationError` for a name that there is not, and for a weak
    kind that is not called insecure."""
    kinds = [*_named("also", also, weak=False), *_named("insecure_also", insecure_also, weak=True)]
    return OlderHashes(kinds) if kinds else None


def _named(setting: str, value: Any, *, weak: bool) -> Iterable[OlderHash]:
    if value == ():
        return
    from .older_kinds import STRONG, WEAK

    known, other = (WEAK, STRONG) if weak else (STRONG, WEAK)
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise ConfigurationError(f"{setting} is a list of names: {', '.join(known)}")
    for one in value:
        if isinstance(one, str) and one in known:
            yield from known[one]()
        elif isinstance(one, OlderHash) and one.weak is weak:
            yield one
        elif isinstance(one, OlderHash) or (isinstance(one, str) and one in other):
            raise ConfigurationError(f"{setting}: a kind of hash that is {'not ' if weak else ''}weak stands in the other list")
        else:
            raise ConfigurationError(f"{setting}: the names are {', '.join(known)}, and an OlderHash stands for itself")
