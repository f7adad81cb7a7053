"""Where a bearer token may stand in a request (RFC 6750 section 2): exactly one, in exactly one place."""

from __future__ import annotations

from .decision import Challenge, Deny

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .http import Request

# token68 of RFC 9110 section 11.2, without the trailing "=".
_TOKEN68 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
_MOST = 64  # WebSocket protocols offered, cookies that end in our name: more of them no client means to send
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))  # RFC 9110 section 9.2.1


def invalid_request(reason: str) -> Deny:
    return Deny(400, "invalid_request", reason=reason, challenge=Challenge(error="invalid_request"))


TWO_CREDENTIALS = invalid_request("two_credentials")
MALFORMED = invalid_request("malformed_authorization")


def from_header(request: Request) -> str | Deny | None:
    """The token of the `Authorization` header; None if there is none or it is of another scheme."""
    lines = request.field("authorization")
    if not lines:
        return None
    # Some hosts join repeated lines before we see them, so they are judged joined on every host.
    line = lines[0] if len(lines) == 1 else ", ".join(lines)
    line = line.strip(" \t")  # no part of the value (RFC 9110 section 5.5); some hosts leave it there
    if line[:7].lower() == "bearer ":
        token = line[7:]
        if token.isascii() and not token.encode().translate(None, _TOKEN68) and token:  # nearly every token
            return token
        if is_token68(token):
            return token
    else:
        lowered = line[:7].lower()
        if lowered != "bearer" and (not lowered.startswith("bearer") or _is_token_character(lowered[6])):
            # No bearer, but perhaps one behind a comma. Of other schemes there may be any number.
            return TWO_CREDENTIALS if "," in line and "bearer" in line.lower() else None
    return TWO_CREDENTIALS if "," in line else MALFORMED  # no token68 holds a comma


def is_token68(token: str) -> bool:
    if not token.isascii():
        return False
    rest = token.encode().translate(None, _TOKEN68)
    return bool(token) and (not rest or (not rest.strip(b"=") and len(token) > len(rest) and token.endswith(rest.decode())))


def is_plain(token: str) -> bool:
    """Whether a token from a cookie or a WebSocket protocol is visible ASCII, as every token is; verifiers see no other."""
    return token.isascii() and token.isprintable() and " " not in token


def _is_token_character(character: str) -> bool:
    """tchar of RFC 9110 section 5.6.2: then the scheme is a longer word that only begins with "bearer"."""
    return character.isascii() and (character.isalnum() or character in "!#$%&'*+-.^_`|~")


def from_cookie(request: Request, name: str) -> str | Deny | None:
    """The token in that cookie; repeated, it is no longer one credential.

    Read in place: a map of all cookies would cost as much memory as a hostile client likes.
    """
    wanted, found = name + "=", None
    for line in request.headers.get_all("cookie"):
        if line.count(wanted) > _MOST:
            return TWO_CREDENTIALS
        start = 0  # where a pair of name and value begins
        while (at := line.find(wanted, start)) >= 0:
            begin = line.rfind(";", start, at) + 1 or start
            end = line.find(";", at)
            end = len(line) if end < 0 else end
            start = end + 1
            if line[begin:at].strip():  # in another cookie's name or value
                continue
            if found is not None:
                return TWO_CREDENTIALS
            found = line[at + len(wanted) : end].rstrip()
    return found or None


def from_websocket_protocol(request: Request, protocol: str) -> str | Deny | None:
    """The entry after `protocol` in `Sec-WebSocket-Protocol`, where browsers can put a token that is no cookie."""
    if not request.websocket:
        return None
    line = request.headers.get("sec-websocket-protocol")
    if line is None:
        return None
    if line.count(",") > _MOST:
        return MALFORMED
    offered = [entry.strip() for entry in line.split(",")]
    if offered.count(protocol) > 1:
        return TWO_CREDENTIALS
    if protocol not in offered:
        return None
    place = offered.index(protocol) + 1
    return offered[place] if place < len(offered) else MALFORMED


def is_cross_site(request: Request, trusted: frozenset[str]) -> bool:
    """Whether a cookie may have been sent on behalf of another site. Nothing that says otherwise: it may.

    `Sec-Fetch-Site` where the browser sends it, else `Origin` against the request's own scheme and host, or `trusted` origins.
    """
    headers = request.headers
    origins = headers.get_all("origin")
    if len(origins) == 1 and origins[0] in trusted:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    if len(origins) != 1:
        return True
    host = headers.get("host")
    return host is None or origins[0] not in (f"https://{host}", f"{request.scheme}://{host}")
