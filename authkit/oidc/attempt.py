"""`Attempts`: logins that were begun and have not come back, each in a sealed cookie of its own in the browser it began in."""

from __future__ import annotations

from hashlib import sha256

from .. import _credential
from .._sealed import Seal
from ..secrets.versions import Masked
from ..tokens import base64url
from ..tokens.strict_json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._sealed import Keys
    from ..http import Request
    from ._web_cookies import WebCookies

TTL = 600  # seconds: RFC 9700 and common sense; a person finds a password in that time
MOST = 5  # attempts of one browser at once: tabs
MOST_BYTES = 4000  # of all of them: servers bound what a Cookie field may have, and an address to come back to may be long
_SKEW = 60.0  # seconds by which the clocks of our own machines may differ
_PURPOSE = "oidc login attempt"
_STATE = 43  # characters: 32 random bytes


class Attempt(Masked):
    """One login under way. `verifier`: of PKCE. `acr`, `max_age`: what was asked for and is expected."""

    __slots__ = ("state", "nonce", "verifier", "return_to", "at", "acr", "max_age")

    def __init__(
        self,
        state: str,
        nonce: str,
        verifier: str,
        return_to: str,
        at: float,
        acr: tuple[str, ...] = (),
        max_age: float | None = None,
    ) -> None:
        self.state = state
        self.nonce = nonce
        self.verifier = verifier
        self.return_to = return_to
        self.at = at
        self.acr = acr
        self.max_age = max_age

    @property
    def challenge(self) -> str:
        """What the provider is shown of the verifier: S256, RFC 7636 section 4.2."""
        return base64url.encode(sha256(self.verifier.encode()).digest()).decode()


class Attempts:
    """The attempts of one login configuration. `binding`: what all of them are bound to: issuer, client and redirect URI; a
    cookie of another configuration opens nowhere."""

    __slots__ = ("_seal", "_cookies", "_binding", "_prefix", "_same_site", "_clock", "_random")

    def __init__(
        self,
        seal: Seal,
        cookies: WebCookies,
        binding: str,
        *,
        same_site: str,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._seal = seal
        self._cookies = cookies
        self._binding = binding
        self._prefix = f"{cookies.name}-{_digest(binding)[:6]}-"
        self._same_site = same_site
        self._clock = clock
        self._random = random

    async def begin(
        self, request: Request, return_to: str, acr: tuple[str, ...], max_age: float | None
    ) -> tuple[Attempt, list[str]]:
        """A new attempt, and the cookies to set: its own, and those that forget the oldest of too many.

        Raises: as a `Secret` does.
        """
        keys = await self._seal.load()
        now = self._clock()
        state, nonce, verifier = (base64url.encode(self._random(32)).decode() for _ in range(3))
        attempt = Attempt(state, nonce, verifier, return_to, now, acr, max_age)
        from ..tokens.issue import encoded

        members = {"n": nonce, "v": verifier, "r": return_to, "at": now, "acr": list(acr), "max_age": max_age}
        sealed = keys.seal(_PURPOSE, self._bound(state), encoded(members))
        value = f"{int(now)}.{sealed}"
        return attempt, [self._line(state, value, TTL), *self._forgotten(request, len(value))]

    async def find(self, request: Request, state: str) -> Attempt | str:
        """The attempt of `state` that this browser began, or the reason why there is none. Raises: as a `Secret` does."""
        if len(state) != _STATE or not state.isascii():
            return "login_state"
        value = _credential.from_cookie(request, self._name(state))
        if not isinstance(value, str):
            return "login_no_attempt" if value is None else "login_state"
        keys = await self._seal.load()
        found = _opened(keys, self._bound(state), value)
        if found is None:  # sealed elsewhere, perhaps, under a value that we have not seen yet
            newer = await self._seal.look_again(keys)
            found = None if newer is None else _opened(newer, self._bound(state), value)
        if found is None:
            return "login_state"
        attempt = Attempt(state, found["n"], found["v"], found["r"], found["at"], tuple(found["acr"]), found["max_age"])
        return attempt if -_SKEW <= self._clock() - attempt.at < TTL else "login_too_late"

    def forget(self, state: str) -> str:
        """The field that forgets the attempt."""
        return self._line(state, "", 0)

    def _line(self, state: str, value: str, max_age: int) -> str:
        return self._cookies.line(self._name(state), value, max_age, self._same_site)

    def _name(self, state: str) -> str:
        return self._prefix + _digest(state)[:16]

    def _bound(self, state: str) -> str:
        return f"{self._binding}\0{state}"

    def _forgotten(self, request: Request, size: int) -> list[str]:
        """The fields that forget the oldest, so that there is room for one more of this size."""
        found: dict[str, tuple[int, int]] = {}
        for line in request.field("cookie"):
            at = line.find(self._prefix)
            while at >= 0 and len(found) < 64:
                end = line.find(";", at)
                end = len(line) if end < 0 else end
                name, _, value = line[at:end].partition("=")
                if len(name) == len(self._prefix) + 16 and name.replace("-", "").replace("_", "").isalnum():
                    found[name] = _time(value), len(value)
                at = line.find(self._prefix, end)
        newest_first = sorted(found, key=found.__getitem__, reverse=True)
        gone = []
        for number, name in enumerate(newest_first):
            size += found[name][1]
            if number >= MOST - 1 or size > MOST_BYTES:
                gone.append(name)
        return [self._cookies.line(name, "", 0, self._same_site) for name in gone if name.isascii()]


def _opened(keys: Keys, bound: str, value: str) -> Any:
    data = keys.opened(_PURPOSE, bound, value.partition(".")[2])
    return None if data is None else parse_object(data)


def _time(value: str) -> int:
    """When an attempt says that it began; whoever writes another time is its own browser."""
    text = value.partition(".")[0]
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else 0


def _digest(text: str) -> str:
    return base64url.encode(sha256(text.encode()).digest()).decode()
