"""Auth0's Management API: people found by their address or made, and given roles."""

from __future__ import annotations

import os
import re
import time
from urllib.parse import quote, urlsplit

from authkit.oidc import ClientCredentials
from authkit.oidc.for_providers import (
    CallingJSON,
    ConfigurationError,
    Unavailable,
    checked_base,
    checked_host,
    checked_text,
    checked_texts,
    hidden,
)

from ._auth0_people import FIELDS, MARK, Account, AccountRefused, Auth0User, checked_address, password

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from authkit.oidc.for_providers import Called

DATABASE = "Username-Password-Authentication"  # what Auth0 calls a tenant's first one
SCOPES = ("read:users", "create:users", "read:roles", "create:role_members")
ROLES_KEPT = 300.0  # seconds that the id of a role's name is remembered
MOST_ROLES = 1000  # of a tenant, that are looked through for a name
_USER_ID = r"[a-zA-Z0-9_-]{1,64}\|[^\s/\ud800-\udfff]{1,190}"  # whose: no dots that would lead elsewhere
_ROLE_ID = re.compile(r"rol_[A-Za-z0-9]{1,64}", re.ASCII)


class Management:
    """The Management API of the tenant at `domain`, which is its own ("acme.eu.auth0.com") and not a custom one.

    `client_id`, `client_secret` (text or a `Secret`): of a machine-to-machine application that is authorised for this API with
    `scopes`, no more and no less: one that is missing shows at the first token, but Auth0 puts all that are granted into it;
    or `key`, for private_key_jwt. `method`: how the secret is sent. `connection`: the database in which people are looked for
    and made; accounts of other connections are none here. `url`: another way to the API. `timeout`: seconds that one call
    takes; `patience`: all calls of one method, with the waits where Auth0 wants to be asked less (429). `roles` are ids
    ("rol_...") or names, whose ids are looked up.

    An account counts as that of an address if Auth0 has verified the address, or if this class made the account for this very
    address: its password is then nobody's, and whoever wants in has to read the address's mail. Whoever registered with
    somebody else's address and never verified it gets nothing: `AccountRefused`.

    Each method has an async twin: `aensure`. Each raises: `Unavailable` if Auth0 does not answer, or not in time;
    `ConfigurationError` if the application may not do this, naming the scope; `AccountRefused`. It blocks.
    """

    SCOPES = SCOPES

    def __init__(
        self,
        domain: str,
        client_id: str,
        client_secret: Any = None,
        *,
        key: Any = None,
        method: str | None = None,
        connection: str = DATABASE,
        scopes: Iterable[str] = SCOPES,
        url: str | None = None,
        timeout: float = 4,
        patience: float = 10,
        transport: Any = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        client_secret, key = hidden(client_secret), hidden(key)  # what is raised below may be shown with its locals
        host = checked_host("Auth0: domain", domain)
        base = checked_base("Auth0: url", url if url is not None else f"https://{host}")
        self._connection = checked_text("Auth0: connection", connection, r"[A-Za-z0-9-]{1,128}", "the name of a database")
        self._scopes = checked_texts(
            "Auth0: scopes", scopes if isinstance(scopes, str) else list(scopes), r"[a-z]+:[a-z_]+", "a scope like 'read:users'"
        )
        if method is None and client_secret is not None:
            method = "client_secret_post"  # as Auth0's pages on this API do it
        credentials = ClientCredentials(
            f"{base}/oauth/token",
            client_id,
            client_secret,
            key=key,
            method=method,
            issuer=f"https://{host}/",  # for whom an assertion is (private_key_jwt), slash included
            audience=f"https://{host}/api/v2/",
            scopes=self._scopes,
            apis=["{0.scheme}://{0.netloc}".format(urlsplit(base))],
            timeout=timeout,
            transport=transport,
            clock=clock,
            monotonic=monotonic,
            random=random,
        )
        self._api = CallingJSON(
            f"{base}/api/v2",
            credentials,
            name="Auth0",
            timeout=timeout,
            patience=patience,
            transport=transport,
            clock=clock,
            monotonic=monotonic,
            sleep=sleep,
            random=random,
        )
        self._monotonic = monotonic
        self._random = random
        self._roles: dict[str, tuple[float, str]] = {}

    def find_by_email(self, email: str) -> Auth0User | None:
        """The account of the address, in lower case, as Auth0's own databases keep it. None: there is none."""
        return self._found(checked_address(email), self._api.until())

    def create(self, email: str, *, name: str | None = None) -> Auth0User:
        """A new account for the address, which Auth0 asks to be verified, by mail. Its password is random and nobody's: it is
        set by the way of a forgotten one. The account that there is, if somebody else was quicker.
        """
        return self._created(checked_address(email), name, self._api.until())

    def assign_roles(self, user_id: str, roles: Iterable[str]) -> None:
        """Give the account the roles. That it has them already is no mistake."""
        until = self._api.until()
        self._role_members("POST", user_id, self._role_ids(roles, until), until)

    def remove_roles(self, user_id: str, roles: Iterable[str]) -> None:
        """Take the roles from the account; `scopes` needs "delete:role_members". That it has them not is no mistake."""
        until = self._api.until()
        self._role_members("DELETE", user_id, self._role_ids(roles, until), until)

    def ensure(self, email: str, roles: Iterable[str] = (), *, name: str | None = None) -> Auth0User:
        """The account of the address, made if there is none, and with these roles. As often as one likes."""
        until = self._api.until()
        address = checked_address(email)
        ids = self._role_ids(roles, until) if roles else []  # before an account is made that would have none
        user = self._found(address, until) or self._created(address, name, until)
        if ids:
            self._role_members("POST", user.id, ids, until)
        return user

    async def afind_by_email(self, email: str) -> Auth0User | None:
        return await self._api.apart(self.find_by_email, email)

    async def acreate(self, email: str, *, name: str | None = None) -> Auth0User:
        return await self._api.apart(self.create, email, name=name)

    async def aassign_roles(self, user_id: str, roles: Iterable[str]) -> None:
        await self._api.apart(self.assign_roles, user_id, roles)

    async def aremove_roles(self, user_id: str, roles: Iterable[str]) -> None:
        await self._api.apart(self.remove_roles, user_id, roles)

    async def aensure(self, email: str, roles: Iterable[str] = (), *, name: str | None = None) -> Auth0User:
        return await self._api.apart(self.ensure, email, roles, name=name)

    def _found(self, address: str, until: float) -> Auth0User | None:
        query = {"email": address, "fields": FIELDS, "include_fields": "true"}
        said = self._called("GET /users-by-email", "/users-by-email", until, "read:users", query=query).said
        if not isinstance(said, list):
            raise Unavailable("Auth0: GET /users-by-email: what it answered is no list of accounts")
        all_of_them = [Account(one, address, "GET /users-by-email") for one in said]
        accounts = [account for account in all_of_them if account.connection == self._connection]
        entitled = [account for account in accounts if account.is_theirs]
        if len(entitled) > 1:
            raise AccountRefused("several_accounts")
        if accounts and not entitled:
            raise AccountRefused("email_unverified")
        return entitled[0].user if entitled else None

    def _created(self, address: str, name: str | None, until: float) -> Auth0User:
        profile: dict[str, Any] = {
            "connection": self._connection,
            "email": address,
            "email_verified": False,
            "verify_email": True,
            "password": password(self._random(48)),
            "app_metadata": {MARK: address},
        }
        shown = "".join(filter(str.isprintable, name or "")).strip()[:300]  # what Auth0 does not take would lose the account
        if shown:
            profile["name"] = shown
        answer = self._called("POST /users", "/users", until, "create:users", json=profile, again=False, refused=(400, 409))
        if answer.status == 409:  # somebody was quicker, or has been there and is not found
            user = self._found(address, until)
            if user is None:
                raise AccountRefused("account_conflict")
            return user
        if answer.status == 400 and answer.code == "inexistent_connection":
            raise ConfigurationError("Auth0: connection is none of the tenant's databases")
        if answer.status == 400:
            raise Unavailable(f"Auth0: POST /users: it answered 400 {answer.code}".rstrip(), retry_after=30)
        return Account(answer.said, address, "POST /users", created=True).user

    def _role_ids(self, roles: Iterable[str], until: float) -> list[str]:
        wanted = checked_texts(
            "roles",
            roles if isinstance(roles, str) else list(roles),
            r"[^\x00-\x1f\ud800-\udfff]{1,128}",
            "the id or the name of a role",
        )
        return [role if _ROLE_ID.fullmatch(role) else self._role_id(role, until) for role in wanted]

    def _role_id(self, name: str, until: float) -> str:
        known = self._roles.get(name)
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        for page in range(MOST_ROLES // 100):
            query = {"name_filter": name, "per_page": "100", "page": str(page), "include_totals": "true"}
            said = self._called("GET /roles", "/roles", until, "read:roles", query=query).said
            roles = said.get("roles") if isinstance(said, dict) else None
            if not isinstance(roles, list):
                raise Unavailable("Auth0: GET /roles: what it answered is no list of roles")
            for role in roles:  # the filter finds parts of names, in any case
                found = role.get("id") if isinstance(role, dict) and role.get("name") == name else None
                if type(found) is str and _ROLE_ID.fullmatch(found):
                    self._roles[name] = self._monotonic() + ROLES_KEPT, found
                    return found
            if len(roles) < 100:
                break
        raise ConfigurationError("Auth0: roles names one that the tenant does not have")

    def _role_members(self, method: str, user_id: str, ids: list[str], until: float) -> None:
        checked_text("user_id", user_id, _USER_ID, "an id like 'auth0|...'")
        scope = f"{'create' if method == 'POST' else 'delete'}:role_members (or update:users, which may do much more)"
        what, path = f"{method} /users/{{id}}/roles", f"/users/{quote(user_id, safe='')}/roles"
        if self._called(what, path, until, scope, json={"roles": ids}, refused=(400, 404)).status >= 400:
            self._roles.clear()  # what a name meant may have gone; the next attempt looks it up
            raise Unavailable(f"Auth0: {what}: it knows no such account or role")

    def _called(self, what: str, path: str, until: float, scope: str, *, refused: tuple[int, ...] = (), **sent: Any) -> Called:
        """An answer that is 2xx or one of `refused`."""
        answer, wrong = None, ""
        try:
            answer = self._api.call(what, path, until=until, **sent)
        except ConfigurationError as error:
            wrong = str(error)
        if "gives no token" in wrong:
            wrong += f". Authorise the application for the Auth0 Management API with {' '.join(self._scopes)}"
        if answer is None:
            raise ConfigurationError(wrong)
        if answer.status < 400 or answer.status in refused:
            return answer
        if answer.status == 403 and answer.code == "insufficient_scope":
            raise ConfigurationError(f"Auth0: {what} needs the scope {scope}, which the application has not been granted")
        raise Unavailable(f"Auth0: {what}: it answered {answer.status} {answer.code}".rstrip(), retry_after=30)
