"""The endpoint where somebody who is logged in gives themselves another password."""

from __future__ import annotations

from ..decision import Deny, Principal
from ._aside import finished
from ._attempts import TooManyAttempts
from ._bodies import texts
from ._flow_limits import too_many
from ._people import UnknownUser
from ._serving import note_client
from ._sessions import invalid_token
from ._stamp import stamp_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..http import Request, Response
    from ._accounts import Accounts
    from .users import User

_WRONG = Deny(403, "password_wrong")  # no 401: the credential of the request is good, and a client need not log in again


class PasswordChange:
    """The session alone changes no password: whoever finds one open has to know the current one as well."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def password(self, request: Request) -> Response | Deny:
        """POST {"current_password", "new_password"} with a bearer header or cookie: 200 as `login` answers, 400, 401, 403 or
        429. Every session of the user is ended, this one too: the answer holds another."""
        accounts = self._accounts
        holder = await accounts._holder(request)
        if isinstance(holder, Deny):
            return holder
        forged = accounts._sent.forged(request)  # the answer gives a browser something to keep
        if forged is not None:
            return forged
        current, new = texts(request, "current_password", "new_password")
        name = holder.claims.get("preferred_username", holder.subject)
        user = await accounts._people.find(name)
        if user is None or user.subject != holder.subject:
            return invalid_token("user_unknown")
        accounts._people.must_update()
        address = await accounts._address(request)
        note_client(request, address)
        try:
            judged = await accounts._login.judge(name, current, address)
        except TooManyAttempts as error:
            return too_many(error.retry_after, error.reason)
        user = judged.user
        if user is None or judged.reason is not None or user.subject != holder.subject:
            return _WRONG
        refused = await accounts._people.refusal(new, user.username)
        if refused is not None:
            return Deny(400, refused)
        hashed = await accounts._people.hashed(new)
        renewed = await finished(self._put(user, hashed))
        return renewed if isinstance(renewed, Deny) else await self._anew(request, renewed, holder)

    async def _put(self, user: User, hashed: str) -> User | Deny:
        """The user with the new password; to the end, whoever still waits for it."""
        stamp = stamp_of(user)
        try:
            renewed = await self._accounts._people.put_password(
                user.username, hashed, lambda row: not row.disabled and stamp_of(row) == stamp
            )
        except UnknownUser:  # somebody else was faster: what was the current password is none now
            return _WRONG
        await self._accounts._tell("password_changed", renewed)
        return renewed

    async def _anew(self, request: Request, user: User, holder: Principal) -> Response | Deny:
        """Another session in the place of this one, which says no more of how its user logged in than this one does."""
        shown, since = holder.claims.get("amr"), holder.claims.get("auth_time")
        if type(since) is not int or not isinstance(shown, list) or shown == ["pwd"]:
            return await self._accounts._complete(request, user, ("pwd",))
        return await self._accounts._complete(request, user, shown, since=since)
