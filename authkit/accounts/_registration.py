"""The endpoint where people register themselves."""

from __future__ import annotations

from ..decision import Deny, _set, _Value
from ..http import Response
from ._bodies import texts
from ._flow_limits import parsed, too_many
from ._people import RegistrationRefused
from ._serving import note_client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..http import Request
    from ..stores import Rate
    from ._accounts import Accounts


class Registration(_Value):
    """That people may register themselves, and how many from one network: `address`, a limit or several, as in `rate_limit`.

    Every registration counts, the refused ones too: each says whether a name is taken, and makes the machine hash.
    Raises: `ConfigurationError` for what is no limit.
    """

    __slots__ = ("address",)
    address: tuple[Rate, ...]

    def __init__(self, *, address: str | Iterable[str] = ("10/minute", "60/hour", "200/day")) -> None:
        _set(self, "address", parsed("Registration: address", address))


class Registrations:
    """Whoever registers is logged in. What they may do (roles, scopes) is nobody's to ask for: it is none."""

    def __init__(self, accounts: Accounts, settings: Registration) -> None:
        self._accounts = accounts
        self._limits = accounts._flow("register", settings.address)

    async def register(self, request: Request) -> Response | Deny:
        """POST {"username", "password"}: 201 as `login` answers, 400, 409 or 429."""
        accounts = self._accounts
        forged = accounts._sent.forged(request)
        if forged is not None:
            return forged
        username, password = texts(request, "username", "password")
        address = await accounts._address(request)
        note_client(request, address)
        wait = await self._limits.wait(accounts._network(address))
        if wait:
            return too_many(wait)
        try:
            user = await accounts._people.register(username, password, (), ())
        except RegistrationRefused as error:
            return Deny(409 if error.reason == "username_taken" else 400, error.reason)
        answer = await accounts._complete(request, user, ("pwd",))
        if isinstance(answer, Response):
            answer.status = 201
        return answer
