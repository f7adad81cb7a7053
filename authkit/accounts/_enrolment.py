"""The endpoints where people who are logged in set up, remove, and renew their second factor."""

from __future__ import annotations

from .._run import blocking
from .._sealed import Unsealable
from ..decision import Challenge, Deny, Principal
from ..errors import ConfigurationError, MalformedRequest
from ..http import Response
from . import totp
from ._aside import finished
from ._bodies import texts
from ._bound import bound_user, is_bound, owner_of
from ._factors import PURPOSE, Factors, opened_for
from ._people import UnknownUser
from ._second_step import DEAD, ENROL, OTP, WrongCode, with_otp
from ._serving import note_principal
from ._stamp import stamp_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from .._sealed import Keys
    from ..http import Request
    from ._accounts import Accounts
    from ._second_step import SecondStep
    from .users import User

ENROL_SECONDS = 600  # from the key to its first code
_SKEW = 30  # seconds by which the clocks of whoever logged the user in and ours may differ
_WRONG = Deny(400, "invalid_code", reason="code_wrong")
_NOBODY = Deny(401, "invalid_token", reason="refresh_user", challenge=Challenge(error="invalid_token"))


class Enrolment:
    """A stolen token is not enough to change a factor: a login, with the second factor where there is one, has to be fresh."""

    def __init__(self, accounts: Accounts, step: SecondStep) -> None:
        self._accounts = accounts
        self._step = step
        self._setting = step.setting

    async def totp(self, request: Request) -> Response | Deny:
        """POST, with a bearer header or cookie, or {"mfa_token"} whose method is "enrol": 200 {"secret", "uri"} for an app.

        Nothing is changed until `totp_confirm`. A new key ends the one before it.
        """
        found = await self._entitled(request, _mfa_token(request))
        if isinstance(found, Deny):
            return found
        user, _ = found
        setting = self._setting
        factors = Factors.new(setting.random, setting.algorithm, setting.digits)
        keys = await setting.seal.load()
        text = factors.sealed(keys, user.subject, _purpose(user)).encode()
        await self._asking(self._note, owner_of(self._accounts, user), text)
        link = totp.uri(
            factors.key, issuer=setting.issuer, account=user.username, digits=setting.digits, algorithm=setting.algorithm
        )
        return Response.json({"secret": totp.as_text(factors.key), "uri": link})

    async def totp_confirm(self, request: Request) -> Response | Deny:
        """POST {"code"}, or {"mfa_token", "code"}: the factor counts from now on. 200 {"recovery_codes"}, shown this once; with
        an mfa_token, what `login` answers as well."""
        token, code = _token_and_code(request)
        found = await self._entitled(request, token)
        if isinstance(found, Deny):
            return found
        user, data = found
        accounts, setting = self._accounts, self._setting
        key = _enrolling(owner_of(accounts, user))
        noted: bytes | None = await self._asking(accounts._store.get, key)
        if noted is None:
            return _WRONG
        keys = await setting.seal.load()
        try:
            factors = Factors.opened(keys, user.subject, noted.decode("latin-1"), _purpose(user))
        except Unsealable:  # from before the password was changed, say: there will be another
            return _WRONG
        confirmed = factors.after(code, accounts._clock(), setting.window)
        if confirmed is None:
            return _WRONG
        if not await self._asking(accounts._store.swap, key, noted, None, ENROL_SECONDS):
            return _WRONG  # another request was faster
        confirmed, codes = confirmed.with_new_codes(setting.random)
        text = confirmed.sealed(keys, user.subject)

        def enrolled(now: User) -> User:
            if now.disabled or _purpose(now) != _purpose(user) or now.factors not in (user.factors, text):
                raise WrongCode
            return now.changed(factors=text)

        try:
            user = await finished(self._changed(accounts._people._change(user.username, enrolled), "second_factor_set", keys))
        except (WrongCode, UnknownUser):
            return _WRONG
        if data is None or token is None:
            return Response.json({"recovery_codes": codes})
        return await self._through(request, user, token, data, codes)

    async def totp_remove(self, request: Request) -> Response | Deny:
        """POST, with a bearer header or cookie: 204, and the password alone logs in (or `required` asks for another factor)."""
        found = await self._entitled(request, None)
        if isinstance(found, Deny):
            return found
        if found[0].factors is None:  # nothing to remove; nor what somebody sets up now, for which this login is too weak
            return Response(204)
        removed = self._accounts._people.remove_factors(found[0].username)
        try:
            await finished(self._changed(removed, "second_factor_removed"))
        except UnknownUser:
            return _NOBODY
        return Response(204)

    async def recovery(self, request: Request) -> Response | Deny:
        """POST, with a bearer header or cookie: 200 {"recovery_codes"}, shown this once, in the place of all there were."""
        found = await self._entitled(request, None)
        if isinstance(found, Deny):
            return found
        user, accounts, setting = found[0], self._accounts, self._setting
        if user.factors is None:
            return Deny(409, "no_second_factor")
        keys, _ = await opened_for(setting.seal, user)
        made: list[str] = []

        def renewed(now: User) -> User:
            if now.factors is None:
                raise WrongCode
            factors, made[:] = Factors.opened(keys, now.subject, now.factors).with_new_codes(setting.random)
            return now.changed(factors=factors.sealed(keys, now.subject))

        try:
            await finished(self._changed(accounts._people._change(user.username, renewed), "recovery_codes_renewed"))
        except WrongCode:
            return Deny(409, "no_second_factor")
        except UnknownUser:
            return _NOBODY
        return Response.json({"recovery_codes": made})

    async def _changed(self, change: Coroutine[Any, Any, User], kind: str, keys: Keys | None = None) -> User:
        """The user after a change, who hears of it: whoever hangs up in between keeps nobody from that. `keys`: those that what
        is new is sealed under. Raises: `WrongCode`, `UnknownUser`."""
        user = await change
        if keys is not None:
            await self._kept(user.username, keys)
        await self._accounts._tell(kind, user)
        return user

    async def _through(
        self, request: Request, user: User, token: str, data: dict[str, Any], codes: list[str]
    ) -> Response | Deny:
        """The tokens of a login that had to set up a factor first, beside the recovery codes."""
        import json

        if await self._step.steps.redeem(token) is None or not is_bound(self._accounts, user, data):
            return Response.json({"recovery_codes": codes})  # the factor counts already: without these nobody could recover it
        answer = await self._accounts._complete(request, user, with_otp(data["amr"]))
        if isinstance(answer, Response):
            answer.body = json.dumps({**json.loads(answer.body), "recovery_codes": codes}, separators=(",", ":")).encode()
        return answer

    async def _kept(self, username: str, keys: Keys) -> None:
        """Look whether the table has kept what it was given: one that drops or cuts it would let the password alone in.

        Raises: `ConfigurationError`.
        """
        user = await self._accounts._people.find(username)
        if user is None:
            return
        try:
            Factors.opened(keys, user.subject, user.factors or "")
        except Unsealable:
            raise ConfigurationError("users does not keep User.factors, up to 1000 characters, as it was given") from None

    async def _entitled(self, request: Request, token: str | None) -> tuple[User, dict[str, Any] | None] | Deny:
        """Whose factors may be changed: the holder's whose login is fresh, or the one's who has to set one up to get in."""
        accounts = self._accounts
        if token is not None:
            forged = accounts._sent.forged(request)
            if forged is not None:
                return forged
            data = await self._step.steps.read(token)
            user = await bound_user(accounts, data)
            if data is None or user is None or data["methods"] != [ENROL] or user.factors is not None:
                return DEAD
            note_principal(request, accounts._principal_of(user))
            return user, data
        holder = await accounts._holder(request)
        if isinstance(holder, Deny):
            return holder
        user = await accounts._people.find(holder.claims.get("preferred_username", holder.subject))
        if user is None or user.disabled or user.subject != holder.subject:
            return _NOBODY
        stale = self._stale(holder, user)
        return (user, None) if stale is None else stale

    def _stale(self, holder: Principal, user: User) -> Deny | None:
        """Step-up (RFC 9470 section 3): a login that is too long ago, or without the factor that there is."""
        at, amr = holder.claims.get("auth_time"), holder.claims.get("amr")
        most = self._setting.max_age
        fresh = False
        if isinstance(at, (int, float)) and not isinstance(at, bool):
            fresh = -_SKEW <= self._accounts._clock() - at <= most + _SKEW
        strong = user.factors is None or (isinstance(amr, list) and OTP in amr)
        if fresh and strong:
            return None
        challenge = Challenge(error="insufficient_user_authentication", max_age=str(most))
        return Deny(401, "insufficient_user_authentication", reason="step_up_needed", challenge=challenge)

    def _note(self, owner: str, text: bytes) -> None:
        store, key = self._accounts._store, _enrolling(owner)
        while not store.swap(key, store.get(key), text, ENROL_SECONDS):
            pass  # somebody else was faster: the last one counts

    async def _asking(self, fn: Any, *args: Any) -> Any:
        return await blocking(fn, *args) if self._accounts._store.blocks else fn(*args)


def _purpose(user: User) -> str:
    """What the seal of a key that is not confirmed is bound to: it opens no more under another password."""
    return f"{ENROL} {PURPOSE} {stamp_of(user)}"


def _enrolling(owner: str) -> str:
    return f"mfa:enrol:{owner}"


def _mfa_token(request: Request) -> str | None:
    """The mfa_token of the body; None: the body is empty, or `{}`. Raises: `RequestError`."""
    return None if request.body.strip() in (b"", b"{}") else texts(request, "mfa_token")[0]


def _token_and_code(request: Request) -> tuple[str | None, str]:
    try:
        token, code = texts(request, "mfa_token", "code")
    except MalformedRequest as error:
        if error.reason != "body_members":
            raise
        return None, texts(request, "code")[0]
    return token, code
