"""`NetworkSource`: a list of networks that changes while the program runs. What is known stays in force until there is better.

The first list is waited for; every later one is read in the background, so that no decision waits for it. A list that cannot
be read, or has one entry that is no network, changes nothing: the last good one stays, with a warning. Where there has never
been a good one, nobody can decide: `Unavailable`, which is a 503.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod

from ._audit import warn
from ._lock import ProcessLock
from ._networks import Networks, prefix_of
from ._run import SingleFlight, run
from .errors import AuthkitError, ConfigurationError, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

LONGEST_PAUSE = 60.0  # seconds between two attempts while a list cannot be read
MOST = 1_000_000  # networks in one list
_SLACK = 1.0  # seconds that the wall clock may be set back before what was read is held to be of another time


class Unread(Exception):
    """A list could not be read. The text says why, and holds nothing of the list, nor of a URL but its host."""


class NotYet(Exception):
    """The list is being written at this moment: look again in a second."""


class NetworkSource(ABC):
    """A list of networks for `allow_ips`, `deny_ips` and `ClientAddress`. Made by `Networks.file`, `.url`, `.secret`, `.call`.

    `refresh`: seconds after which it is read again; `parse`: what gives the networks of a text that is not one network to
    a line (`#` begins a comment). `may_be_empty`: an empty list is a list; otherwise it is taken for one that is broken, as a
    file is that somebody has just truncated, because an empty `deny_ips` lets everybody in.

    One source may serve several guards. Threads share it, and so does a forked child, which reads on by itself.
    """

    def __init__(
        self,
        refresh: float,
        *,
        parse: Callable[[str], Iterable[str]] | None = None,
        may_be_empty: bool = False,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if type(refresh) not in (int, float) or not 0.1 <= refresh <= 86_400:
            raise ConfigurationError("refresh is a number of seconds, from 0.1 to 86,400")
        if parse is not None and not callable(parse):
            raise ConfigurationError("parse is a callable that takes a text and gives networks")
        self._every = float(refresh)
        self._parse = parse
        self._may_be_empty = may_be_empty
        self._may_be_everybody = True
        self._clock, self._monotonic, self._random = clock, monotonic, random
        self._known: Networks | None = None
        self._since, self._until, self._ticks = float("inf"), float("-inf"), float("-inf")
        self._failures = 0
        self._wrong = ""  # what was wrong last, in words
        self._reading = 0  # the process in which a thread is at it in the background
        self._lock = ProcessLock()
        self._flights = SingleFlight()

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages call it: `the networks in office.txt`."""

    @abstractmethod
    def _read(self) -> str | Iterable[str] | None:
        """The list now, or None if it is still what the last good reading brought. It may block, within a time of its own.

        Raises: `Unread`, `NotYet`, or anything else, which is told by the name of its type alone.
        """

    def at_hand(self) -> Networks | None:
        """The last good list, None if there never was one. No I/O here: what is due is read in the background from now on."""
        if not (self._since <= self._clock() < self._until and self._monotonic() < self._ticks):
            self._read_in_background()
        return self._known

    async def load(self) -> Networks:
        """The last good list, waited for where there never was one. Raises: `Unavailable` if it cannot be had."""
        if self._known is None and not self._rests():
            await self._flights.do("list", self._renew)
        networks = self.at_hand()
        if networks is None:
            raise Unavailable(f"{self.name}: {self._wrong or 'not read yet'}", retry_after=int(self._pause()))
        return networks

    def refuse_everybody(self) -> None:
        """From now on a list that holds all of IPv4 or of IPv6 is a broken one."""
        self._may_be_everybody = False
        if self._known is not None and self._known.everyone:
            self._known = None
            self._until = float("-inf")

    def _rests(self) -> bool:
        """Whether it failed so recently that it is not tried again yet."""
        return self._failures > 0 and self._since <= self._clock() < self._until and self._monotonic() < self._ticks

    def _pause(self) -> float:
        return min(self._every, LONGEST_PAUSE, 2.0 ** min(max(self._failures - 1, 0), 6))

    def _read_in_background(self) -> None:
        mine = os.getpid()
        with self._lock:
            if self._reading == mine:
                return
            self._reading = mine
        import threading

        try:
            threading.Thread(target=self._read_here, name="authkit-networks", daemon=True).start()
        except RuntimeError:  # no thread to be had, or the interpreter is closing: the next request tries again
            self._reading = 0

    def _read_here(self) -> None:
        try:
            run(self._flights.do("list", self._renew))
        except AuthkitError:
            pass  # it waited too long for another's reading
        finally:
            self._reading = 0

    def _renew(self) -> None:
        """One reading, and what holds after it."""
        if self._known is not None and self._since <= self._clock() < self._until and self._monotonic() < self._ticks:
            return  # another flight has just landed
        begun = self._clock(), self._monotonic()
        networks, wrong = self._attempt()
        if networks is not None:
            if self._failures:
                warn("%s: read again, %d networks", self.name, len(networks))
            self._known, self._failures, self._wrong = networks, 0, ""
            # Not at the same moment in every process that was started at the same moment.
            self._hold(begun, self._every * (1 - self._random(1)[0] / 2560))
        elif wrong is None:
            self._hold(begun, min(1.0, self._every))
        else:
            self._failures += 1
            self._hold((self._clock(), self._monotonic()), self._pause())
            if wrong != self._wrong:
                self._wrong = wrong
                warn("%s: %s; %s", self.name, wrong, "the last good list stays" if self._known else "there is no list yet")

    def _hold(self, then: tuple[float, float], seconds: float) -> None:
        """Look no sooner than so many seconds after `then`, by whichever clock gets there first."""
        self._until, self._ticks, self._since = then[0] + seconds, then[1] + seconds, then[0] - _SLACK

    def _attempt(self) -> tuple[Networks | None, str | None]:
        """The networks, or what is wrong; neither: too early to say. It raises nothing, as a secret may be in its hands."""
        try:
            listed = self._read()
            if listed is None and self._known is not None:
                return self._known, None
            networks, wrong = _understood(listed, self._parse)
        except NotYet:
            return None, None
        except (Unread, AuthkitError) as error:
            return None, str(error)
        except Exception as error:
            return None, f"reading it raised {type(error).__name__}"
        if networks is None:
            return None, wrong
        if not networks and not self._may_be_empty:
            return None, "the list is empty"
        if networks.everyone and not self._may_be_everybody:
            return None, "the list holds everybody, and everybody is no proxy"
        return networks, None

    def __repr__(self) -> str:
        return f"<{self.name}>"


def _understood(listed: object, parse: Callable[[str], Iterable[str]] | None) -> tuple[Networks | None, str]:
    """The networks of a list, or what is wrong with it. An entry is told by its place, never by what it says."""
    entries: Any = (_lines if parse is None else parse)(listed) if isinstance(listed, str) else listed
    if isinstance(entries, (str, bytes, bytearray)) or not hasattr(entries, "__iter__"):
        return None, f"networks are several texts, and this is {type(entries).__name__}"
    prefixes = []
    for place, entry in enumerate(entries, 1):
        prefix = prefix_of(entry)
        if prefix is None:
            return None, f"entry {place} is no network"
        if place > MOST:
            return None, f"more than {MOST:,} networks"
        prefixes.append(prefix)
    return Networks.of(prefixes), ""


def _lines(text: str) -> Iterator[str]:
    """The entries of a text. Lines end at CR, LF or both, as editors show them. Raises: `Unread`.

    A character that some take for the end of a line is in no list: what one reader sees as a comment, another would match.
    """
    import re

    if re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]", text):
        raise Unread("the list holds a control character")
    for line in text.removeprefix("\ufeff").replace("\r", "\n").split("\n"):
        yield from line.partition("#")[0].replace(",", " ").split()
