"""One version of one secret as AWS Secrets Manager gave it: the whole of it, and the members if it is JSON."""

from __future__ import annotations

from ..errors import ConfigurationError
from ._aws import epoch_seconds
from .source import dated, versions_named
from .versions import Masked, SecretVersions, as_bytes, sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .versions import Sealed


class Document(Masked):
    """`version`: its id, None if there is no such version. `stages`: the labels on it. In epoch seconds, if known, `created`,
    `until`: when it ends as the previous one, and `since`: when the one before it was replaced at the latest.

    `answered`: whether there was a value at all; a proxy's page that was taken for an answer has none.
    """

    __slots__ = ("version", "stages", "created", "until", "since", "answered", "_names", "_whole", "_members", "_broken")

    def __init__(self) -> None:
        self.version: str | None = None
        self.stages: tuple[str, ...] = ()
        self.created: float | None = None
        self.until: int | None = None
        self.since: float | None = None
        self.answered = False
        self._names: tuple[str, ...] = ()
        self._whole: Sealed | None = None
        self._members: dict[str, Sealed] = {}
        self._broken: int | None = None

    @classmethod
    def of(cls, secret_id: str, answer: Callable[[], dict[str, Any]], members: bool) -> Document:
        """`members`: whether JSON is taken apart. It raises nothing, because its locals hold values."""
        document = cls()
        try:
            told = answer()
            whole = told.get("SecretString")
            whole = told.get("SecretBinary") if whole is None else whole
            if not isinstance(whole, (str, bytes)) or not isinstance(told.get("VersionId"), str):
                return document
            document.version = told["VersionId"]
            document.stages = tuple(told.get("VersionStages") or ())
            document.created = document.since = epoch_seconds(told.get("CreatedDate"))
            document._names = (secret_id, str(told.get("Name")), str(told.get("ARN")))
        except (AttributeError, TypeError):  # not the shape of an answer
            return cls()
        document.answered = True
        document._whole = sealed(whole)
        if members and isinstance(whole, str) and whole.lstrip().startswith("{"):
            document._members, document._broken = _parsed(whole)
        return document

    def find(self, name: str) -> Sealed | None:
        """The member of that name, else all of it under its own name. None if it has neither."""
        return self._members.get(name) or (self._whole if name in self._names else None)

    def defines(self, name: str) -> bool:
        """Whether `name` is here. Raises: `ConfigurationError` if it might be, in JSON that does not parse."""
        if self._broken is not None and name not in self._names:
            raise ConfigurationError(
                f"{name} cannot be read from the secret {self._names[0]}: line {self._broken} of its JSON does not parse, "
                "or says a member twice"
            )
        return self.find(name) is not None

    @property
    def where(self) -> str:
        """What messages call it."""
        return f"the secret {self._names[0]}"


def joined(name: str, current: Document, previous: Document | None = None, pending: Document | None = None) -> SecretVersions:
    """The versions of `name`: what the labels say, and where they say nothing new of it, what stands beside it.

    Raises: `ConfigurationError` for an empty current value or an end that is no number.
    """
    versions = versions_named(name, lambda wanted, optional: current.find(wanted), current.where)
    assert versions is not None
    before = _other(name, previous, versions)
    after = _other(name, pending, versions)
    joint = SecretVersions(
        versions.current,
        before() if before is not None else versions.previous,
        after() if after is not None else versions.pending,
        previous.until if before is not None and previous is not None else versions.previous_until,
    )
    return dated(joint, current.since)


def _other(name: str, document: Document | None, versions: SecretVersions) -> Sealed | None:
    """What `document` has under `name`, if that is a value and not the current one."""
    found = None if document is None else document.find(name)
    if found is None or not found().strip() or as_bytes(found()) == as_bytes(versions.current):
        return None
    return found


def _parsed(text: str) -> tuple[dict[str, Sealed], int | None]:
    """The members, or the line at which it is no JSON. It raises nothing, because its locals hold values."""
    import json

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError
        return found

    def refuse(constant: str) -> None:
        raise ValueError

    try:
        members = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except json.JSONDecodeError as error:  # not passed on: it holds the text
        return {}, error.lineno
    except (ValueError, RecursionError):
        return {}, 1
    return {name: sealed(_as_text(value)) for name, value in members.items()}, None


def _as_text(value: object) -> str:
    import json

    if value is None:
        return ""  # refused where an empty value is
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
