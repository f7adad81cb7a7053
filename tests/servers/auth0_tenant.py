"""What a tenant of Auth0 holds and how it answers, without HTTP; written from Auth0's documentation, and strict."""

from __future__ import annotations

import re
import secrets
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

DATABASE = "Username-Password-Authentication"
USER_FIELDS = {
    "user_id", "email", "email_verified", "username", "phone_number", "phone_verified", "created_at", "updated_at",
    "identities", "app_metadata", "user_metadata", "picture", "name", "nickname", "last_ip", "last_login", "logins_count",
    "blocked", "family_name", "given_name",
}  # fmt: skip
NEW_USER = {  # property -> type
    "connection": str, "email": str, "phone_number": str, "user_metadata": dict, "blocked": bool, "email_verified": bool,
    "phone_verified": bool, "app_metadata": dict, "given_name": str, "family_name": str, "name": str, "nickname": str,
    "picture": str, "user_id": str, "password": str, "verify_email": bool, "username": str,
}  # fmt: skip


class Problem(Exception):
    """An answer that is an error, in the words of the Management API."""

    TITLES = {
        400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        409: "Conflict",
        429: "Too Many Requests",
    }

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        title = self.TITLES.get(status, "Internal Server Error")
        self.status = status
        self.body = {"statusCode": status, "error": title, "message": message, "errorCode": code}


class Refused(Exception):
    """An answer of /oauth/token that is an error."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": description}


class Token(NamedTuple):
    audience: str
    scopes: frozenset[str]
    until: float


class Tenant:
    """The tenant. `mail`: whom it has written to; `members`: pairs of user and role."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.domain = "acme.eu.auth0.com"
        self.client_id, self.client_secret = "m2mPurchases0123456789abcdefghij", "canary-secret-" + secrets.token_hex(16)
        self.key: Any = None  # the application's public key, if it authenticates with one
        self.granted = {"read:users", "create:users", "read:roles", "create:role_members"}
        self.databases = {DATABASE: "auth0", "google-oauth2": "google-oauth2"}  # connection -> provider
        self.users: dict[str, dict[str, Any]] = {}
        self.passwords: dict[str, str] = {}
        self.roles: dict[str, str] = {}  # id -> name
        self.members: set[tuple[str, str]] = set()
        self.mail: list[str] = []
        self.tokens: dict[str, Token] = {}
        self.lifetime = 86_400.0
        self.clock = clock
        self.lock = threading.RLock()

    def role(self, name: str) -> str:
        """A new role; its id."""
        role_id = "rol_" + secrets.token_hex(8)
        self.roles[role_id] = name
        return role_id

    def sign_up(self, email: str, *, connection: str = DATABASE, verified: bool = False, **profile: Any) -> str:
        """Somebody registers; the account's id."""
        with self.lock:
            return str(self._add({"email": email, "connection": connection, "email_verified": verified, **profile})["user_id"])

    def roles_of(self, user_id: str) -> set[str]:
        return {self.roles[role] for user, role in self.members if user == user_id}

    def grant(self, sent: dict[str, Any]) -> dict[str, Any]:
        if sent.get("grant_type") != "client_credentials":
            raise Refused(403, "unauthorized_client", "Grant type not allowed for the client.")
        if sent.get("client_id") != self.client_id or not self._shown(sent):
            raise Refused(401, "access_denied", "Unauthorized")
        if sent.get("audience") != f"https://{self.domain}/api/v2/":
            raise Refused(403, "access_denied", f"Service not enabled within domain: {sent.get('audience')}")
        wanted = set(sent.get("scope", "").split()) or self.granted
        if missing := sorted(wanted - self.granted):
            raise Refused(403, "access_denied", f"Client has not been granted scopes: {', '.join(missing)}")
        wanted = self.granted  # Auth0 puts all that are granted into the token, whatever was asked for
        text = "canary-token-" + secrets.token_urlsafe(64)
        self.tokens[text] = Token(sent["audience"], frozenset(wanted), self.clock() + self.lifetime)
        return {
            "access_token": text,
            "scope": " ".join(sorted(wanted)),
            "expires_in": int(self.lifetime),
            "token_type": "Bearer",
        }

    def _shown(self, sent: dict[str, Any]) -> bool:
        """Whether the client shows who it is: by its secret, or by an assertion of its key (private_key_jwt)."""
        if self.key is None:
            return bool(sent.get("client_secret") == self.client_secret)
        import jwt

        assertion = sent.get("client_assertion", "")
        try:
            claims = jwt.decode(assertion, self.key, algorithms=["RS256"], audience=f"https://{self.domain}/")
        except jwt.InvalidTokenError:
            return False
        return bool(claims["iss"] == claims["sub"] == self.client_id and claims["exp"] - claims["iat"] <= 300)

    def may(self, authorization: str | None, *scopes: str) -> None:
        """Raises: `Problem` unless the token is good and has one of `scopes`."""
        kind, _, text = (authorization or "").partition(" ")
        if not authorization:
            raise Problem(401, "Missing authentication", "missing_authentication")
        token = self.tokens.get(text)
        if kind != "Bearer" or token is None:
            raise Problem(401, "Invalid token", "invalid_token")
        if token.until <= self.clock():
            raise Problem(401, "Expired token received for JSON Web Token validation", "invalid_token")
        if token.audience != f"https://{self.domain}/api/v2/":
            raise Problem(401, f"Bad audience: {token.audience}", "invalid_token")
        if not token.scopes & set(scopes):
            raise Problem(403, f"Insufficient scope, expected any of: {','.join(scopes)}", "insufficient_scope")

    def users_by_email(self, query: dict[str, str]) -> list[dict[str, Any]]:
        _only(query, {"email", "fields", "include_fields"}, "query")
        if "@" not in query.get("email", ""):
            raise Problem(400, "Query validation error: 'Missing required property: email'", "invalid_query_string")
        fields = set(query["fields"].split(",")) if "fields" in query else USER_FIELDS
        if fields - USER_FIELDS or query.get("include_fields", "true") != "true":
            raise Problem(
                400, "Query validation error: 'String does not match pattern' on property fields", "invalid_query_string"
            )
        found = [user for user in self.users.values() if user.get("email") == query["email"]]  # case-sensitive
        return [{name: value for name, value in user.items() if name in fields} for user in found]

    def create(self, body: Any) -> dict[str, Any]:
        _only(body, set(NEW_USER), "body")
        for name, value in body.items():
            if type(value) is not NEW_USER[name]:
                raise Problem(
                    400,
                    f"Payload validation error: 'Expected type {NEW_USER[name].__name__}' on property {name}",
                    "invalid_body",
                )
        if self.databases.get(body.get("connection", "")) is None:
            raise Problem(400, "The connection does not exist.", "inexistent_connection")
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", body.get("email", "")):
            raise Problem(400, "Payload validation error: 'Object didn't pass validation for format email'", "invalid_body")
        password = body.get("password", "")
        strong = all(re.search(kind, password) for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[!@#$%^&*]"))
        if not strong or not 10 <= len(password) <= 72 or re.search(r"(.)\1\1", password):
            raise Problem(400, "PasswordStrengthError: Password is too weak", "invalid_body")
        user = self._add(body)
        self.passwords[user["user_id"]] = password
        if body.get("verify_email", not body.get("email_verified", False)):
            self.mail.append(user["email"])
        return user

    def _add(self, given: dict[str, Any]) -> dict[str, Any]:
        provider = self.databases[given["connection"]]
        email = given["email"].lower() if provider == "auth0" else given["email"]
        for user in self.users.values():
            if user["email"] == email and user["identities"][0]["connection"] == given["connection"]:
                raise Problem(409, "The user already exists.", "auth0_idp_error")
        number = secrets.token_hex(12)
        told = {name: value for name, value in given.items() if name in USER_FIELDS}
        user = {
            "email_verified": False,
            "created_at": "2026-11-21T18:00:00.000Z",
            "updated_at": "2026-11-21T18:00:00.000Z",
            "name": email,
            "nickname": email.partition("@")[0],
            "picture": "https://s.gravatar.com/avatar/0.png",
            **told,
            "email": email,
            "user_id": f"{provider}|{number}",
            "identities": [
                {"connection": given["connection"], "user_id": number, "provider": provider, "isSocial": provider != "auth0"}
            ],
        }
        self.users[user["user_id"]] = user
        return user

    def list_roles(self, query: dict[str, str]) -> Any:
        _only(query, {"name_filter", "per_page", "page", "include_totals"}, "query")
        size, page = int(query.get("per_page", "50")), int(query.get("page", "0"))
        if not 1 <= size <= 100 or page < 0:
            raise Problem(400, "Query validation error: 'Value is out of range' on property per_page", "invalid_query_string")
        part = query.get("name_filter", "").lower()
        found = [{"id": id, "name": name, "description": ""} for id, name in self.roles.items() if part in name.lower()]
        some = found[page * size : (page + 1) * size]
        if query.get("include_totals") == "true":
            return {"start": page * size, "limit": size, "total": len(found), "roles": some}
        return some

    def change_roles(self, user_id: str, body: Any, *, add: bool) -> None:
        _only(body, {"roles"}, "body")
        wanted = body.get("roles")
        if not isinstance(wanted, list) or not wanted or not all(isinstance(role, str) and role for role in wanted):
            raise Problem(
                400, "Payload validation error: 'Array is too short (0), minimum 1' on property roles", "invalid_body"
            )
        if user_id not in self.users:
            raise Problem(404, "The user does not exist.", "inexistent_user")
        if any(role not in self.roles for role in wanted):
            raise Problem(404, "The role does not exist.", "inexistent_role")
        changed = {(user_id, role) for role in wanted}
        self.members = self.members | changed if add else self.members - changed


def _only(given: Any, known: set[str], where: str) -> None:
    if not isinstance(given, dict):
        raise Problem(400, "Invalid request payload JSON format", "invalid_body")
    if unknown := sorted(set(given) - known):
        kind, code = ("Payload", "invalid_body") if where == "body" else ("Query", "invalid_query_string")
        raise Problem(400, f"{kind} validation error: 'Additional properties not allowed: {', '.join(unknown)}'.", code)
