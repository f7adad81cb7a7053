"""What a login is told, and what comes back to it: judged, and refused by the name of what is wrong."""

from __future__ import annotations

from urllib.parse import parse_qsl

from .._fetch import checked_url
from .._origin import is_origin
from ..decision import Deny, FrozenDict, frozen
from ..errors import AuthkitError, ConfigurationError, InvalidToken, MalformedRequest, Unavailable
from ._held import seconds_of as seconds
from .given import checked_flag as flag
from .return_to import safe_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ..http import Request

__all__ = ["flag", "seconds"]

_OURS = frozenset(  # of an authorization request: `extra` changes none of them
    (
        "response_type",
        "response_mode",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "request",
        "request_uri",
        "prompt",
        "max_age",
        "acr_values",
        "login_hint",
    )
)
_ONCE = ("state", "code", "iss", "error")
_MOST_PARAMETERS = 50
_MOST_SECONDS = 90 * 86_400.0


def issuer_of(provider: object) -> str:
    issuer = getattr(provider, "issuer", None) or getattr(provider, "principal_issuer", None)
    if type(issuer) is not str or not issuer:
        raise ConfigurationError("login: a provider has an issuer: an OIDCProvider, or one like GitHub")
    return issuer


def redirect_uri(uri: str, form_post: bool) -> str:
    """The configured URL, and nothing from a request: no Host ever chooses where a code goes."""
    checked_url("redirect_uri", uri)
    if flag("form_post", form_post) and not uri.startswith("https:"):
        raise ConfigurationError("login: form_post wants a redirect_uri that is https: browsers keep SameSite=None with Secure")
    return uri


def scopes(given: Iterable[str], *, openid: bool) -> tuple[str, ...]:
    found = names("scopes", given)
    if any(not "!" <= char <= "~" or char in '"\\' for name in found for char in name):
        raise ConfigurationError("login: scopes are visible ASCII without space, quotation mark and backslash")
    if openid and "openid" not in found:
        raise ConfigurationError("login: scopes have openid among them: without it there is no ID token")
    return found


def names(setting: str, given: Iterable[str]) -> tuple[str, ...]:
    found = tuple(given) if not isinstance(given, (str, bytes)) else (None,)
    if not all(isinstance(name, str) and name for name in found):
        raise ConfigurationError(f"login: {setting} is a list of names")
    return found  # type: ignore[return-value]


def request(
    prompt: str | None,
    max_age: int | None,
    acr_values: str | Iterable[str],
    login_hint: str | None,
    extra: Mapping[str, str] | None,
) -> dict[str, str]:
    """The parameters of an authorization request that these say."""
    found = dict(extra or {})
    if not all(isinstance(text, str) and text for pair in found.items() for text in pair) or _OURS & found.keys():
        raise ConfigurationError(
            "login: extra has further parameters, as text; what the flow sends, or has a name here, is none"
        )
    if max_age is not None:
        if type(max_age) is not int or not 0 <= max_age <= _MOST_SECONDS:
            raise ConfigurationError("login: max_age is a whole number of seconds")
        found["max_age"] = str(max_age)
    acr = acr_values.split() if isinstance(acr_values, str) else names("acr_values", acr_values)
    if acr:
        found["acr_values"] = " ".join(acr)
    for name, value in (("prompt", prompt), ("login_hint", login_hint)):
        if value is not None:
            if not isinstance(value, str) or not value or not value.isprintable():
                raise ConfigurationError(f"login: {name} is text, and not empty")
            found[name] = value
    return found


def lasting(idle: float, absolute: float) -> tuple[float, float]:
    found = seconds("idle", idle, 10, _MOST_SECONDS), seconds("absolute", absolute, 10, _MOST_SECONDS)
    if found[0] > found[1]:
        raise ConfigurationError("login: idle is at most absolute")
    return found


def prefix(given: str) -> str:
    if given != "" and (safe_path(given, "") != given or given.endswith("/") or "?" in given or "#" in given):
        raise ConfigurationError("login: prefix is empty, or a path like '/auth' without a slash at its end")
    return given


def path(setting: str, given: str) -> str:
    if safe_path(given, "") != given or '"' in given or "<" in given or "&" in given:
        raise ConfigurationError(f"login: {setting} is a path on this site, like '/'")
    return given


def own_paths(prefix: str, start: str, callback: str, after_login: str, after_logout: str) -> frozenset[str]:
    """Our own paths as browsers see them, to which nobody comes back.

    Raises: `ConfigurationError` where one is two endpoints', or a way out of one leads into it again.
    """
    if callback in (start, *(f"{prefix}/{name}" for name in ("login", "logout", "backchannel-logout"))):
        raise ConfigurationError("login: the path of redirect_uri is that of the callback, and of no other endpoint")
    found = frozenset((start, callback, f"{prefix}/logout", f"{prefix}/callback"))
    if after_login.partition("#")[0].partition("?")[0] in found:
        raise ConfigurationError("login: after_login is a page of yours, and no endpoint of the login")
    logout = f"{prefix}/logout" if start == f"{prefix}/login" else None  # below a mount it is elsewhere
    if after_logout.partition("#")[0].partition("?")[0] in (callback, logout):
        raise ConfigurationError("login: after_logout is a page of yours, and neither the callback nor a logout")
    return found


def origins(given: Iterable[str]) -> frozenset[str]:
    found = names("origins", given)
    if not all(is_origin(origin) for origin in found):
        raise ConfigurationError("login: origins look like 'https://app.example.com'")
    return frozenset(found)


def store(given: Any) -> Any:
    if given is not None and (isinstance(given, type) or not callable(getattr(given, "swap", None))):
        raise ConfigurationError("login: store is a store: MemoryStore() for one process, open_store(url) for several")
    return given


def parameters(request: Request, *, posted: bool) -> dict[str, str] | Deny:
    """What a provider's answer says, each of what counts at most once; `state` is there.

    Raises: `MalformedRequest` for a body that is no form.
    """
    pairs: Iterable[tuple[str, str]] = request.query
    if posted:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            return Deny(415, "unsupported_media_type")
        try:
            text = request.body.decode("ascii")
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            raise MalformedRequest("login_malformed") from None
    found: dict[str, str] = {}
    for count, (name, value) in enumerate(pairs):
        if count >= _MOST_PARAMETERS or (name in _ONCE and name in found):
            return Deny(400, "invalid_request", reason="login_repeated")
        found[name] = value
    return found if "state" in found else Deny(400, "invalid_request", reason="login_state")


def identified(identify: Callable[[Any], Mapping[str, Any]], tokens: Any) -> FrozenDict:
    """Who a provider says that logged in, which is asked in its own way; it blocks. Raises: `InvalidToken`, `Unavailable`."""
    failure = ""
    try:
        claims = identify(tokens)
        if not isinstance(claims, dict) or type(claims.get("sub")) is not str or not claims["sub"]:
            raise InvalidToken("token_claims")
        return frozen(claims)  # type: ignore[no-any-return]
    except AuthkitError:
        raise
    except Exception as error:  # of this not even the message is repeated: it may hold the token
        failure = type(error).__name__
    raise Unavailable(f"the provider cannot be asked who logged in: {failure}")


def lifetime_of(said: object, usual: int) -> float:
    """Seconds that an access token lasts: `expires_in`, which some providers write as text."""
    if type(said) is str and said.isascii() and said.isdigit() and len(said) <= 9:
        said = int(said)
    return float(said) if type(said) in (int, float) and 1 <= said <= _MOST_SECONDS else float(usual)  # type: ignore[operator,arg-type]
