"""A user as it is kept: checked on its way in, and again on its way out, for a table may be written by hand."""

from __future__ import annotations

from .._kept import is_text, is_time, names_in
from .names import canonical
from .users import NOT_CANONICAL, User

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIELDS = ("subject", "password_hash", "roles", "scopes", "disabled", "password_changed", "factors")


def checked(user: User) -> User:
    """The user, if a table can give it back as it is.

    Raises: `ValueError` for a name that is not canonical, which no login would find, or a field that names it.
    """
    if not is_name(user.username):
        raise ValueError(NOT_CANONICAL)
    wrong = _wrong(user)
    if wrong:
        raise ValueError(f"the {wrong} of a user cannot be kept")
    return user


def is_name(username: str) -> bool:
    """Whether a table can have a user of this name."""
    return isinstance(username, str) and canonical(username) == username


def restored(username: Any, fields: tuple[Any, ...]) -> User | str:
    """The user of a row, or the name of the column that nobody can have meant. `fields`: as `FIELDS`, roles and scopes as JSON.

    It raises nothing, because its locals hold a hash.
    """
    subject, password_hash, roles, scopes, disabled, password_changed, factors = fields
    roles, scopes = names_in(roles), names_in(scopes)
    if roles is None or scopes is None:
        return "roles" if roles is None else "scopes"
    if disabled not in (0, 1) or isinstance(disabled, float):
        return "disabled"
    if not isinstance(username, str):
        return "name"
    user = User(
        username,
        subject=subject,
        password_hash=password_hash,
        roles=roles,
        scopes=scopes,
        disabled=bool(disabled),
        password_changed=password_changed,
        factors=factors,
    )
    return ("subject" if subject is None else _wrong(user)) or user


def _wrong(user: User) -> str | None:
    """The field that is not of its type; texts are those that UTF-8 can say."""
    texts = {"subject": user.subject, "password_hash": user.password_hash, "factors": user.factors}
    for name, text in texts.items():
        if not (text is None or is_text(text)):
            return name
    if not is_text(user.subject) or not user.subject:
        return "subject"
    for name, names in (("roles", user.roles), ("scopes", user.scopes)):
        if not all(is_text(each) for each in names):
            return name
    if not _is_bool(user.disabled):
        return "disabled"
    return None if is_time(user.password_changed) else "password_changed"


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)
