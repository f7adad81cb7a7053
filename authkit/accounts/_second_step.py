"""The second step of a login: what is asked for after the password, and the endpoint where it is given."""

from __future__ import annotations

from .._run import blocking
from ..decision import Challenge, Deny
from ..errors import StoreUnavailable, Unavailable
from . import totp
from ._bodies import texts
from ._bound import MFA, bound_to, bound_user, is_bound, owner_of
from ._factors import Factors, opened_for
from ._flow_limits import too_many, whole
from ._onetime import OneTime
from ._people import UnknownUser
from ._sending import called
from ._serving import note_principal
from .second_factor import SecondFactor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

    from ..http import Request, Response
    from ..stores import Limiter
    from ._accounts import Accounts
    from .users import User

STEP_SECONDS = 300  # between the password and the code; ASVS 6.5.5 has at most 600 for a code that is sent
SENT_DIGITS = 8  # of a code that is sent: above the 20 bits of ASVS 6.5.4
ENROL = "enrol"
OTP = "otp"  # in `amr`: the second step was done
_SENT = "code"
_CREDENTIALS = Challenge(realm="api")
DEAD = Deny(401, "invalid_mfa_token", reason="mfa_token_unknown", challenge=_CREDENTIALS)


class WrongCode(Exception):
    """The code is not the right one, or not any more."""


class SecondStep:
    """Stands between a first step that was right and the tokens. Nothing here admits anybody but with a code that was right."""

    def __init__(self, accounts: Accounts, setting: SecondFactor) -> None:
        accounts._people.must_update()
        store = accounts._store
        self.setting = setting
        self.steps = OneTime(store, MFA, STEP_SECONDS, clock=accounts._clock, random=setting.random)
        self._accounts = accounts
        name = accounts._limits.name
        self._wrong = store.limiter(f"{name}:mfa", setting.limits)
        self._sends = store.limiter(f"{name}:mfa-sends", setting.sends)

    async def asked(self, user: User, amr: Iterable[str]) -> Deny | None:
        """What this user is asked for after the steps `amr`; None: nothing. Raises: `Unavailable` where nobody can tell."""
        methods = await self._methods(user)
        if not methods:
            return None
        data = {**bound_to(self._accounts, user), "amr": list(amr), "methods": methods}
        if methods == [_SENT]:
            return await self._sent(user, data)
        return _required(await self.steps.issue(data), methods)

    async def mfa(self, request: Request) -> Response | Deny:
        """POST {"mfa_token", "code"}: as `login` answers, 401, or 429."""
        accounts = self._accounts
        forged = accounts._sent.forged(request)
        if forged is not None:
            return forged
        token, code = texts(request, "mfa_token", "code")
        data = await self.steps.read(token)
        user = await bound_user(accounts, data)
        if data is None or user is None:
            return DEAD
        note_principal(request, accounts._principal_of(user))
        wait = await self._take(self._wrong, user)
        if wait:
            return too_many(wait, "too_many_codes")
        try:
            used = await self._used(user, data, code)
        except WrongCode:
            return Deny(401, "invalid_code", reason="code_wrong", challenge=_CREDENTIALS)
        except Exception:  # it was not judged
            await self._give_back(user)
            raise
        await self._give_back(user)
        if await self.steps.redeem(token) is None:  # another request was faster
            return DEAD
        return await accounts._complete(request, used, with_otp(data["amr"]))

    async def _methods(self, user: User) -> list[str]:
        """By what this user does the second step: "totp", "recovery", "code", or "enrol": sets one up first."""
        if user.factors is not None:
            _, factors = await opened_for(self.setting.seal, user)
            return ["totp", "recovery"] if factors.codes else ["totp"]
        if self.setting.send_code is not None:
            return [_SENT]
        return [ENROL] if self.setting.required else []

    async def _used(self, user: User, data: Mapping[str, Any], code: str) -> User:
        """The user, and the code is used up, in one atomic step. Raises: `WrongCode`; `Unavailable`."""
        accounts, setting = self._accounts, self.setting
        if data["methods"] == [_SENT]:
            keys = await setting.seal.load()
            typed = totp.typed(code, SENT_DIGITS)
            if typed is None or user.factors is not None or not keys.matches(_SENT, user.subject, typed, data["sent"]):
                raise WrongCode
            return user  # the code is good for as long as its mfa_token is: it is used up with that
        if user.factors is None:
            raise WrongCode
        keys, _ = await opened_for(setting.seal, user)
        made: list[str] = []
        recovered = False

        def after(user: User) -> User:
            nonlocal recovered
            if user.factors is None or not is_bound(accounts, user, data):
                raise WrongCode
            if user.factors in made:  # it was put there already, and the answer was lost
                return user
            before = Factors.opened(keys, user.subject, user.factors)
            used = before.after(code, accounts._clock(), setting.window)
            if used is None:
                raise WrongCode
            recovered = used.codes != before.codes
            made.append(used.sealed(keys, user.subject))
            return user.changed(factors=made[-1])

        try:
            user = await accounts._people._change(user.username, after)
        except UnknownUser:
            raise WrongCode from None
        if recovered:
            await accounts._tell("recovery_code_used", user)
        return user

    async def _sent(self, user: User, data: dict[str, Any]) -> Deny:
        """Send a code; the one before it is good no more."""
        accounts, setting = self._accounts, self.setting
        wait = await self._take(self._sends, user)
        if wait:
            return too_many(wait, "too_many_sent")
        code = f"{int.from_bytes(setting.random(16)) % 10**SENT_DIGITS:0{SENT_DIGITS}}"
        keys = await setting.seal.load()
        data["sent"] = keys.mac(_SENT, user.subject, code)
        token = await self.steps.issue(data, owner=owner_of(accounts, user))
        failed = await blocking(_send, setting, user, code)
        if failed is not None:
            raise Unavailable(f"send_code failed: {failed}")
        return _required(token, [_SENT])

    async def _take(self, limiter: Limiter, user: User) -> int:
        """Whole seconds until there is one more for this user; 0: there was one, and it is counted."""
        return whole((await self._counting(limiter.take, user))[0])

    async def _give_back(self, user: User) -> None:
        try:
            await self._counting(self._wrong.give_back, user)
        except StoreUnavailable:  # one too many is counted, which comes back by itself
            pass

    async def _counting(self, fn: Any, user: User) -> Any:
        key = owner_of(self._accounts, user)
        return await blocking(fn, key) if self._accounts._store.blocks else fn(key)


async def asked_of(step: SecondStep | None, user: User, amr: Collection[str]) -> Deny | None:
    """What a user is asked for after the steps `amr`; None: nothing. Raises: `Unavailable` where nobody can tell."""
    if OTP in amr:
        return None
    if step is not None:
        return await step.asked(user, amr)
    if user.factors is not None:
        raise Unavailable("a user has a second factor, and Accounts has no second_factor= to ask for it")
    return None


def with_otp(amr: Iterable[str]) -> list[str]:
    """The methods of a first step, and a code (RFC 8176): "mfa" where one of them is known, and the other had."""
    first = list(amr)
    return [*first, OTP, "mfa"] if "pwd" in first else [*first, OTP]


def _required(token: str, methods: list[str]) -> Deny:
    """401 as a problem document, with what the second step takes."""
    import json

    from .._refusal import problem

    fields = {**json.loads(problem(401, "mfa_required")), "mfa_token": token, "methods": methods, "expires_in": STEP_SECONDS}
    return Deny(
        401,
        "mfa_required",
        challenge=_CREDENTIALS,
        headers={"content-type": "application/problem+json"},
        respond=json.dumps(fields, separators=(",", ":")).encode(),
    )


def _send(setting: SecondFactor, user: User, code: str) -> str | None:
    """Send the code. The kind of what it raised, whose words may hold the code; None: it was sent."""
    try:
        called(setting.send_code, user, code)  # type: ignore[arg-type]  # there is one, or nobody is asked for its code
    except Exception as error:
        return type(error).__name__
    return None
