"""A key as it is kept: checked on its way in, and again on its way out, for a table may be written by hand."""

from __future__ import annotations

from .._kept import is_text, is_time, listed, names_in
from .form import is_id, is_prefix
from .key import ApiKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIELDS = ("name", "subject", "digest", "scopes", "roles", "created", "expires", "last_used", "disabled", "prefix", "ttl")
_DIGEST = 64  # characters of a SHA-256 in hexadecimal


def packed(key: ApiKey) -> dict[str, Any]:
    """The fields of a key but its id, as a column or JSON holds them."""
    fields = {name: getattr(key, name) for name in FIELDS}
    return {**fields, "scopes": listed(key.scopes), "roles": listed(key.roles), "disabled": int(key.disabled)}


def restored(id: Any, fields: dict[str, Any]) -> ApiKey | str:
    """The key of such fields, or the name of the one that nobody can have meant. It raises nothing but `KeyError` for one that
    is not there, because its locals hold a hash."""
    scopes, roles = names_in(fields["scopes"]), names_in(fields["roles"])
    if scopes is None or roles is None:
        return "scopes" if scopes is None else "roles"
    disabled = fields["disabled"]
    if disabled not in (0, 1) or isinstance(disabled, float):
        return "disabled"
    plain = {name: fields[name] for name in FIELDS}
    key = ApiKey(id, **{**plain, "scopes": scopes, "roles": roles, "disabled": bool(disabled)})
    return wrong(key) or key


def wrong(key: Any) -> str | None:
    """The field that is not of its kind."""
    if not is_id(key.id):
        return "id"
    for name, text in (("name", key.name), ("subject", key.subject)):
        if not is_text(text) or (name == "subject" and not text):
            return name
    if not isinstance(key.digest, str) or len(key.digest) != _DIGEST or key.digest.strip("0123456789abcdef"):
        return "digest"
    for name, names in (("scopes", key.scopes), ("roles", key.roles)):
        if not all(is_text(each) for each in names):
            return name
    if key.created is None:
        return "created"
    for name in ("created", "expires", "last_used"):
        if not is_time(getattr(key, name)):
            return name
    if not isinstance(key.disabled, bool):
        return "disabled"
    if not is_prefix(key.prefix):
        return "prefix"
    return None if is_time(key.ttl) and (key.ttl is None or key.ttl > 0) else "ttl"
