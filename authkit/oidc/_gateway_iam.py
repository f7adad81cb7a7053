"""`ApiGateway.iam(...)`: the caller whom AWS has identified by a SigV4 signature, from the event."""

from __future__ import annotations

from ..decision import Principal
from ..errors import ConfigurationError, InvalidToken
from .gateway import ApiGateway

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

# Name of ours: (in `requestContext.identity` of a REST API, in `requestContext.authorizer.iam` of an HTTP API or Function URL).
_MEMBERS = {"user_id": ("user", "userId"), "caller_id": ("caller", "callerId"), "organization": (None, "principalOrgId")}


class Iam(ApiGateway):
    """See `ApiGateway.iam`."""

    def __init__(self, accounts: Iterable[str], arns: Iterable[str] | None) -> None:
        super().__init__()
        self._accounts = frozenset(() if isinstance(accounts, str) else accounts)
        if not self._accounts or not all(_is_account(one) for one in self._accounts):
            raise ConfigurationError("ApiGateway.iam: accounts is a list of AWS account ids: text of twelve digits")
        self._subjects: frozenset[str] | None = None
        if arns is not None:
            given = [_caller(arn) for arn in (() if isinstance(arns, str) else arns)]
            if not given or None in given:
                raise ConfigurationError("ApiGateway.iam: arns is a list of ARNs of IAM users and roles")
            if any(one.account not in self._accounts for one in given if one is not None):
                raise ConfigurationError("ApiGateway.iam: an ARN is of none of the accounts")
            self._subjects = frozenset(one.subject for one in given if one is not None)

    def _found(self, kind: str, event: dict[str, Any], about: dict[str, Any]) -> Principal | None:
        if kind == "v2":
            authorizer = about.get("authorizer")
            found = authorizer.get("iam") if isinstance(authorizer, dict) else None
        else:
            found = about.get("identity")
            if isinstance(found, dict) and found.get("userArn") is None:  # nobody has signed
                return None
        if not isinstance(found, dict):
            return None
        arn, account = found.get("userArn"), found.get("accountId")
        caller = _caller(arn)
        if caller is None:
            raise InvalidToken("token_claims")
        if caller.account != account or caller.account not in self._accounts:
            raise InvalidToken("token_issuer")
        if self._subjects is not None and caller.subject not in self._subjects:
            raise InvalidToken("token_issuer")
        claims = {"arn": arn, "account": account} | ({} if caller.session is None else {"session": caller.session})
        for name, places in _MEMBERS.items():
            place = places[kind == "v2"]
            if place is not None and isinstance(found.get(place), str):
                claims[name] = found[place]
        identity = _identity(found, kind)
        if identity is not None:
            claims["cognito_identity_id"] = identity
        issuer = f"arn:{caller.partition}:iam::{account}:root"
        return Principal(caller.subject, issuer=issuer, claims=claims, method="api_gateway")


def _identity(found: dict[str, Any], kind: str) -> str | None:
    """The identity of a Cognito identity pool, of whom all have one role."""
    if kind == "v2":
        cognito = found.get("cognitoIdentity")
        value = cognito.get("identityId") if isinstance(cognito, dict) else None
    else:
        value = found.get("cognitoIdentityId")
    return value if isinstance(value, str) and value else None


def _is_account(value: object) -> bool:
    return isinstance(value, str) and len(value) == 12 and value.isascii() and value.isdecimal()


class _Caller:
    """Whom an ARN names. `subject`: that ARN, of a role's session without the session's name."""

    __slots__ = ("partition", "account", "subject", "session")

    def __init__(self, partition: str, account: str, subject: str, session: str | None = None) -> None:
        self.partition = partition
        self.account = account
        self.subject = subject
        self.session = session


def _caller(arn: object) -> _Caller | None:
    """None: it is not the ARN of an IAM user, the root user, a role or its session, or a federated user."""
    parts = arn.split(":", 5) if isinstance(arn, str) and arn.isprintable() and " " not in arn else []
    if len(parts) != 6:
        return None
    head, partition, service, region, account, name = parts
    if head != "arn" or not (partition == "aws" or partition.startswith("aws-")) or region or not _is_account(account):
        return None
    kind, _, rest = name.partition("/")
    if service == "iam" and (name == "root" or (kind == "user" and rest)):
        return _Caller(partition, account, str(arn))
    if service == "sts" and kind == "federated-user" and rest:
        return _Caller(partition, account, str(arn))
    if service == "sts" and kind == "assumed-role":
        role, _, session = rest.partition("/")
        if role and session and "/" not in session:
            return _Caller(partition, account, f"arn:{partition}:sts::{account}:assumed-role/{role}", session)
    if service == "iam" and kind == "role" and rest.rpartition("/")[2]:  # as it is written down; its sessions have no path
        return _Caller(partition, account, f"arn:{partition}:sts::{account}:assumed-role/{rest.rpartition('/')[2]}")
    return None
