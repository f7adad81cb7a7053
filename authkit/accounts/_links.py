"""One-time links: a first step for who has their mail at hand instead of a password."""

from __future__ import annotations

from ..decision import Challenge, Deny
from ..http import Response
from ._bodies import texts
from ._bound import LINK, bound_to, bound_user, owner_of
from ._flow_limits import parsed, too_many
from ._onetime import OneTime
from ._sending import Sending
from ._serving import note_client
from .names import canonical
from .users import User

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..http import Request
    from ._accounts import Accounts
    from .second_factor import SecondFactor, Sender

_ADDRESS = parsed("sends", ("10/minute", "60/hour", "200/day"))  # from one network, whoever they are for
LINK_SECONDS = 600  # ASVS 6.5.5: at most ten minutes for what is sent
AMR = ("mca",)  # RFC 8176: asked for here, proved through another channel. Not "otp": that is a second factor's
_DEAD = Deny(401, "invalid_link", reason="link_unknown", challenge=Challenge(realm="api"))


class Links:
    """A link is good once, for ten minutes, until the next one, and while the password stays what it is. It is used by a POST:
    what merely fetches it (a scanner of mail, a preview) uses nothing up."""

    def __init__(self, accounts: Accounts, setting: SecondFactor, send: Sender) -> None:
        store = accounts._store
        self._accounts = accounts
        self._tokens = OneTime(store, LINK, LINK_SECONDS, clock=accounts._clock, random=setting.random)
        self._nobodys = OneTime(store, "link-nobody", 1, clock=accounts._clock)  # as much work, and soon forgotten
        self._limits = accounts._flow("link", _ADDRESS, setting.sends)
        self._sending = Sending(send, "send_link")

    async def link(self, request: Request) -> Response | Deny:
        """POST {"username"}: 202, the same bytes in the same time whether there is such a user or not; or 429."""
        accounts = self._accounts
        forged = accounts._sent.forged(request)
        if forged is not None:
            return forged
        (username,) = texts(request, "username")
        address = await accounts._address(request)
        note_client(request, address)
        name = canonical(username)
        wait = await self._limits.wait(accounts._network(address), name or "-")
        if wait:
            return too_many(wait, "too_many_sent")
        user = await accounts._people.find(name)
        if user is not None and user.disabled:
            user = None
        about = user or User(name or "-", subject=f"\0{name}")
        tokens = self._nobodys if user is None else self._tokens
        token = await tokens.issue(bound_to(accounts, about), owner=owner_of(accounts, about))
        await self._sending.go(request, user, token)
        return Response(202)

    async def link_confirm(self, request: Request) -> Response | Deny:
        """POST {"token"}: as `login` answers, a second factor included; or 401."""
        accounts = self._accounts
        forged = accounts._sent.forged(request)
        if forged is not None:
            return forged
        (token,) = texts(request, "token")
        user = await bound_user(accounts, await self._tokens.redeem(token))
        return _DEAD if user is None else await accounts._complete(request, user, AMR)
