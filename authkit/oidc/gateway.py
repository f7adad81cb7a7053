"""`ApiGateway`: what an authorizer of Amazon API Gateway has found out becomes a principal, if asked for and as expected.

Only the event is read, as Lambda hands it over, and never a header. Whoever may invoke the function directly writes the whole
event, its authorizer's result included: see SECURITY.md.
"""

from __future__ import annotations

import time

from ..decision import Challenge, Deny, Principal
from ..errors import ConfigurationError, InvalidToken
from ._gateway_claims import of_http_api, of_rest_api, seconds
from ._judged import judged
from .profile import OTHER_KINDS, TokenProfile, names_no_other_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..http import Request

_INVALID = Challenge(error="invalid_token")
# In a claim as text one role with a space is two.
_WITHOUT_ROLES = TokenProfile(types=("JWT", ""), forbidden=OTHER_KINDS, check=names_no_other_kind, roles=())


class ApiGateway:
    """An authenticator for `require_auth`, built by one of its class methods. None: this event has no such result.

    A result that is there and is not as expected is refused (401). `Principal.method` is "api_gateway". On every host but
    Lambda, and in every event that is not of API Gateway or a Function URL, there is none.

    Not checked: any signature; that is what the authorizer was for. So an authorizer has to stand on every route that leads to
    the function, and nobody else may be allowed to invoke it.
    """

    reads_request = False
    judges_bearer = False  # whether a bearer token in the request is what the authorizer has judged

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        if type(self) is ApiGateway:
            raise ConfigurationError("ApiGateway: say which authorizer: ApiGateway.jwt(...), .cognito, .iam or .custom")
        self._clock = clock

    @staticmethod
    def jwt(
        *,
        issuer: str | Iterable[str],
        audience: str | Iterable[str],
        profile: TokenProfile = _WITHOUT_ROLES,
        leeway: float = 30,
        clock: Callable[[], float] = time.time,
    ) -> ApiGateway:
        """The result of an HTTP API's JWT authorizer, for a token of exactly `issuer` for `audience` (of several, one).

        `profile`: how access tokens are told from other ones, which the authorizer does not do, and where roles are; by
        default no ID token is taken, and no role. Of its `types` nothing is seen: the event has no header. API Gateway writes
        every claim as text, and an array of "a b" and "c" as "[a b c]": take roles only from a claim whose values hold no
        space. `leeway`: seconds. Raises: `ConfigurationError`.
        """
        return _Jwt(_names("issuer", issuer), _names("audience", audience), profile, leeway=leeway, clock=clock)

    @staticmethod
    def cognito(
        *,
        pool: str | None = None,
        issuer: str | None = None,
        client_id: str | Iterable[str],
        token_use: str = "access",
        leeway: float = 30,
        clock: Callable[[], float] = time.time,
    ) -> ApiGateway:
        """The result of a REST API's Cognito authorizer, or of an HTTP API's JWT authorizer, for a token of one user pool.

        `pool`: its id, "eu-west-1_AbCdEfGhI", or `issuer`: its URL. `client_id`: the app clients whose tokens are taken.
        `token_use`: "access", or "id", which is what a REST API's method without scopes takes. Groups are the principal's
        roles; in a REST API no name of a group may hold a comma. Raises: `ConfigurationError`.
        """
        if (pool is None) == (issuer is None):
            raise ConfigurationError("ApiGateway.cognito: pool or issuer says whose tokens are taken")
        if pool is not None:
            issuer = _pool_issuer(pool)
        if token_use not in ("access", "id"):
            raise ConfigurationError("ApiGateway.cognito: token_use is 'access' or 'id'")
        profile = TokenProfile(
            types=("JWT", ""),
            required={"token_use": token_use},
            audience="client_id" if token_use == "access" else "aud",
            scopes=("scope",),
            roles=("cognito:groups",),
            groups=("cognito:groups",),
        )
        assert issuer is not None
        names = _names("issuer", issuer), _names("client_id", client_id)
        return _Cognito(*names, profile, leeway=leeway, clock=clock)

    @staticmethod
    def iam(*, accounts: Iterable[str], arns: Iterable[str] | None = None) -> ApiGateway:
        """The caller whom AWS has identified by a signature (SigV4): REST and HTTP APIs with IAM, Function URLs with AWS_IAM.

        `accounts`: whose callers are taken, twelve digits each. `arns`: of these only those, if given. The subject is the ARN;
        that of a role's session is without the session's name, which the caller chooses: it is the claim "session".
        Raises: `ConfigurationError`.
        """
        from ._gateway_iam import Iam

        return Iam(accounts, arns)

    @staticmethod
    def custom(
        *,
        issuer: str,
        subject: str = "subject",
        issuer_from: str | None = "issuer",
        scopes: str | None = "scopes",
        roles: str | None = "roles",
        expires_from: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> ApiGateway:
        """The context that a Lambda authorizer has returned; by default in the words of `guard.authorizer()`.

        `subject`, `issuer_from`, `scopes`, `roles`: the names of members. `issuer` must stand in `issuer_from`; None: the
        authorizer names no issuer, and `issuer` is whom you say it speaks for. REST APIs have "principalId" as a member.
        `scopes`, `roles`: names parted by spaces. `expires_from`: a time in epoch seconds after which it is refused; without
        one a result counts for as long as API Gateway keeps it (at most an hour). Raises: `ConfigurationError`.
        """
        members = {"subject": subject, "issuer_from": issuer_from, "scopes": scopes, "roles": roles}
        return _Custom(issuer, {**members, "expires_from": expires_from}, clock=clock)

    async def authenticate(self, request: Request) -> Principal | Deny | None:
        """The principal; None: no such authorizer stood before this request; a refusal: it found something else."""
        if request.host != "aws_lambda":
            return None
        event, kind = request.native, getattr(request, "kind", None)
        about = event.get("requestContext") if isinstance(event, dict) else None
        if kind not in ("v1", "v2", "websocket") or not isinstance(about, dict):
            return None
        try:
            return self._found(kind, event, about)
        except InvalidToken as error:
            return Deny(401, "invalid_token", reason=error.reason, challenge=_INVALID)

    def _found(self, kind: str, event: dict[str, Any], about: dict[str, Any]) -> Principal | None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<ApiGateway.{type(self).__name__.lower().strip('_')}>"


class _Jwt(ApiGateway):
    judges_bearer = True

    def __init__(
        self, issuers: frozenset[str], audiences: frozenset[str], profile: TokenProfile, *, leeway: float, clock: Any
    ) -> None:
        super().__init__(clock=clock)
        if not isinstance(profile, TokenProfile):
            raise ConfigurationError("ApiGateway.jwt: profile is a TokenProfile")
        if type(leeway) not in (int, float) or not 0 <= leeway <= 300:
            raise ConfigurationError("ApiGateway: leeway is a number of seconds from 0 to 300")
        self._issuers, self._audiences, self._profile, self._leeway = issuers, audiences, profile, leeway

    def _found(self, kind: str, event: dict[str, Any], about: dict[str, Any]) -> Principal | None:
        if kind == "websocket":  # has no authorizer of this kind
            return None
        authorizer = about.get("authorizer")
        if not isinstance(authorizer, dict):
            return None
        if kind == "v2":
            if "jwt" not in authorizer:
                return None
            found = authorizer["jwt"]
            return self._judged(found.get("claims") if isinstance(found, dict) else None, rest=False)
        if "claims" not in authorizer or not self._takes_v1(event):
            return None
        return self._judged(authorizer["claims"], rest="version" not in event)

    def _takes_v1(self, event: dict[str, Any]) -> bool:
        return bool(event.get("version") == "1.0")  # of an HTTP API; a REST API's event states none

    def _judged(self, claims: object, *, rest: bool) -> Principal:
        if not isinstance(claims, dict) or not all(isinstance(name, str) for name in claims):
            raise InvalidToken("token_claims")
        read = (of_rest_api if rest else of_http_api)(claims, self._profile)
        found, _, _ = judged(read, self._profile, self._issuers, self._audiences, self._leeway, self._clock())
        return Principal(
            found.subject, issuer=found.issuer, scopes=found.scopes, roles=found.roles, claims=read, method="api_gateway"
        )


class _Cognito(_Jwt):
    def _takes_v1(self, event: dict[str, Any]) -> bool:
        return bool(event.get("version", "1.0") == "1.0")


class _Custom(ApiGateway):
    judges_bearer = True

    def __init__(self, issuer: str, members: dict[str, str | None], *, clock: Any) -> None:
        super().__init__(clock=clock)
        [self._issuer] = _names("issuer", issuer)
        for setting, name in members.items():
            if (name is None and setting == "subject") or (name is not None and (not isinstance(name, str) or not name)):
                raise ConfigurationError(f"ApiGateway.custom: {setting} is the name of a member of the authorizer's context")
        self._members = members

    def _found(self, kind: str, event: dict[str, Any], about: dict[str, Any]) -> Principal | None:
        context = about.get("authorizer")
        if isinstance(context, dict) and kind == "v2":
            context = context.get("lambda")
        if not isinstance(context, dict) or isinstance(context.get("claims"), dict):  # those are of another authorizer
            return None
        members = self._members
        subject, named = context.get(str(members["subject"])), members["issuer_from"]
        if subject is None and (named is None or named not in context):  # it has let somebody in without knowing them
            return None
        if not isinstance(subject, str) or not subject:
            raise InvalidToken("token_claims")
        if named is not None and context.get(named) != self._issuer:
            raise InvalidToken("token_issuer")
        if members["expires_from"] is not None:
            self._check_time(context.get(members["expires_from"]))
        return Principal(
            subject,
            issuer=self._issuer,
            scopes=_split(context, members["scopes"]),
            roles=_split(context, members["roles"]),
            claims={name: value for name, value in context.items() if name != "integrationLatency"},
            method="api_gateway",
        )

    def _check_time(self, value: object) -> None:
        at = seconds(value)
        if type(at) not in (int, float):
            raise InvalidToken("token_claims")
        if not self._clock() < at:
            raise InvalidToken("token_expired")


def _split(context: dict[str, Any], member: str | None) -> list[str]:
    value = None if member is None else context.get(member)
    if value is None:
        return []
    if not isinstance(value, str):
        raise InvalidToken("token_claims")
    return [one for one in value.split(" ") if one]


def _names(setting: str, given: str | Iterable[str]) -> frozenset[str]:
    found = frozenset((given,) if isinstance(given, str) else given or ())
    if not found or not all(isinstance(one, str) and one for one in found):
        raise ConfigurationError(f"ApiGateway: {setting} is text, and not empty; or several of them")
    return found


def _pool_issuer(pool: str) -> str:
    region, separator, name = pool.partition("_") if isinstance(pool, str) else ("", "", "")
    if (
        not separator
        or not (name.isascii() and name.isalnum())
        or not region.replace("-", "").isalnum()
        or not region.isascii()
    ):
        raise ConfigurationError("ApiGateway.cognito: pool is the id of a user pool, like 'eu-west-1_AbCdEfGhI'")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://cognito-idp.{region}.{domain}/{pool}"
