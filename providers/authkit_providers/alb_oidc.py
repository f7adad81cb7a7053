"""AWS Application Load Balancer: the claims of whom it logged in, which it signs and sends along in `x-amzn-oidc-data`."""

from __future__ import annotations

import re
import time

from authkit.oidc import Identity, TokenInHeader
from authkit.oidc.for_providers import (
    ConfigurationError,
    InvalidToken,
    KeysById,
    PaddedToken,
    Principal,
    checked_base,
    checked_texts,
    setting,
    settings_list,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

HEADER = "x-amzn-oidc-data"
_ARN = re.compile(
    r"arn:(aws|aws-us-gov|aws-cn):elasticloadbalancing:([a-z0-9-]{1,32}):[0-9]{12}:loadbalancer/app/[\w-]{1,32}/[0-9a-f]{1,32}"
)
_YEAR_9999 = 253_402_300_799


class AlbOidc(TokenInHeader):
    """Whom one of the load balancers `load_balancer` (their ARNs) has logged in, at its client `client_id` of the provider
    `issuer`: an authenticator, `require_auth(AlbOidc(...))`.

    Whoever can reach the target past the load balancer writes the header too, and every load balancer of AWS, anybody's, signs
    with keys of the same kind: so the signature is checked, and that `signer` is one of yours. The other two headers,
    `x-amzn-oidc-identity` and `x-amzn-oidc-accesstoken`, are signed by nobody and not read.

    The subject is `sub` of the provider's user info; `roles`, `groups`: names of claims there. `issuer`: as the listener's rule
    has it; for Cognito the pool's. `keys_url`: where the keys are, for a partition of AWS whose address is not known here.
    `leeway`: seconds by which clocks may differ. `settings`: of `KeysById`. Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        load_balancer: str | Iterable[str],
        *,
        client_id: str | Iterable[str],
        issuer: str,
        roles: Iterable[str] = (),
        groups: Iterable[str] = (),
        keys_url: str | None = None,
        leeway: float = 30,
        **settings: Any,
    ) -> None:
        if type(leeway) not in (int, float) or not 0 <= leeway <= 300:
            raise ConfigurationError("AlbOidc: leeway is a number of seconds from 0 to 300")
        shape = "the load balancer's ARN: 'arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID'"
        arns = checked_texts("AlbOidc: load_balancer", load_balancer, _ARN.pattern, shape)
        addresses = {arn: _address(arn, keys_url) for arn in arns}
        keys = {url: KeysById(url, **settings) for url in dict.fromkeys(addresses.values())}
        self._issuer = checked_base("AlbOidc: issuer", issuer) and issuer
        self._groups = _claims("AlbOidc: groups", groups)
        verifier = _Verifier(
            {arn: keys[url] for arn, url in addresses.items()},
            frozenset(checked_texts("AlbOidc: client_id", client_id, r"[!-~]{1,256}", "the client id of the listener's rule")),
            issuer,
            _claims("AlbOidc: roles", roles),
            leeway,
            settings.get("clock", time.time),
        )
        super().__init__(verifier, HEADER)

    @classmethod
    def from_settings(cls, get: Callable[[str], str | None]) -> Self:
        """From AUTHKIT_ALB_ARN (or several, parted by commas), AUTHKIT_ALB_CLIENT_ID and AUTHKIT_ALB_ISSUER."""
        setting(get, "AUTHKIT_ALB_ARN")
        client_id = setting(get, "AUTHKIT_ALB_CLIENT_ID")
        return cls(settings_list(get, "AUTHKIT_ALB_ARN"), client_id=client_id, issuer=setting(get, "AUTHKIT_ALB_ISSUER"))

    def identity(self, principal: Principal) -> Identity:
        """Who `principal` is beyond their subject. Raises: `ValueError` for a principal of another issuer."""
        if principal.issuer != self._issuer:
            raise ValueError("the principal is of another issuer")
        claims = principal.claims
        email = _text(claims.get("email"))
        mark = claims.get("email_verified")
        verified = mark is True or mark == "true"  # the text is what Cognito writes
        return Identity(
            self._issuer,
            principal.subject,
            groups=_names(claims, self._groups),
            email=email if verified else None,
            unverified_email=email,
            name=_text(claims.get("name")),
        )


class _Verifier:
    """Of the tokens in that header."""

    def __init__(
        self,
        keys: Mapping[str, KeysById],
        clients: frozenset[str],
        issuer: str,
        roles: tuple[str, ...],
        leeway: float,
        clock: Callable[[], float],
    ) -> None:
        self._keys, self._clients, self._issuer, self._roles = keys, clients, issuer, roles
        self._leeway, self._clock = leeway, clock

    async def verifying(self, token: str) -> Principal:
        found = PaddedToken(token)
        header = found.header
        keys = self._keys.get(header["signer"]) if type(header.get("signer")) is str else None
        if keys is None:
            raise InvalidToken("token_signer")
        if header.get("typ", "JWT") != "JWT" or header.get("alg") != "ES256":
            raise InvalidToken("token_type")
        if header.get("iss") != self._issuer:
            raise InvalidToken("token_issuer")
        if type(header.get("client")) is not str or header["client"] not in self._clients:
            raise InvalidToken("token_audience")
        self._check_time(header.get("exp"))
        key = await keys.find(header.get("kid"))  # not before all else is right: nobody else makes us ask
        if key is None:
            raise InvalidToken("token_key")
        claims = found.claims(key)
        if claims.get("iss", self._issuer) != self._issuer:
            raise InvalidToken("token_issuer")
        if "exp" in claims:
            self._check_time(claims["exp"])
        subject = claims.get("sub")
        if type(subject) is not str or not subject:
            raise InvalidToken("token_claims")
        return Principal(subject, issuer=self._issuer, roles=_names(claims, self._roles), claims=claims, method="alb")

    def _check_time(self, exp: Any) -> None:
        if type(exp) not in (int, float) or not 0 <= exp <= _YEAR_9999:
            raise InvalidToken("token_claims")
        if not self._clock() < exp + self._leeway:
            raise InvalidToken("token_expired")


def _address(arn: str, keys_url: str | None) -> str:
    if keys_url is not None:
        return checked_base("AlbOidc: keys_url", keys_url)
    partition, region = _ARN.fullmatch(arn).groups()  # type: ignore[union-attr]  # it was checked
    if partition == "aws":
        return f"https://public-keys.auth.elb.{region}.amazonaws.com"
    if partition == "aws-us-gov":
        return f"https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}"
    raise ConfigurationError("AlbOidc: keys_url is needed: AWS does not document where the keys of this partition are")


def _claims(name: str, values: Any) -> tuple[str, ...]:
    return (
        checked_texts(name, tuple(values) if not isinstance(values, str) else values, r"\S+", "names of claims")
        if values
        else ()
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _names(claims: Mapping[str, Any], places: tuple[str, ...]) -> frozenset[str]:
    """The names at these places: arrays of text. Anything else is none, so that whoever wants a role is refused."""
    found: set[str] = set()
    for place in places:
        value = claims.get(place)
        if isinstance(value, list) and all(type(one) is str and one for one in value):
            found.update(value)
    return frozenset(found)
