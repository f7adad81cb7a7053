"""Origins, as browsers write them in the `Origin` field (RFC 6454 section 6.2)."""

from __future__ import annotations

_USUAL = {"http": ":80", "https": ":443"}


def is_origin(text: object) -> bool:
    """Whether a browser would write it so: scheme, host in lower case, and a port that is not the scheme's own."""
    if not isinstance(text, str) or not text.isascii() or text != text.lower():
        return False
    scheme, separator, host = text.partition("://")
    name, colon, port = (host, "", "") if host.endswith("]") else host.rpartition(":") if ":" in host else (host, "", "")
    if scheme not in _USUAL or not separator or not name:
        return False
    if colon and (not port.isdecimal() or colon + port == _USUAL[scheme]):
        return False
    if name.startswith("["):
        return name.endswith("]") and all(character in "0123456789abcdef:." for character in name[1:-1])
    return name.replace("-", "").replace(".", "").isalnum()


def origin_at(url: str) -> str:
    """The origin of an absolute http or https URL."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower().removesuffix(_USUAL.get(parts.scheme, ""))
