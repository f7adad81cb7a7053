"""`StaticKeys`: API keys that are secrets of the configuration, one or a few for each service that calls."""

from __future__ import annotations

from _operator import _compare_digest as compare_digest  # what `hmac` gives, which is slow to load

from ..decision import Principal
from ..errors import ConfigurationError, InvalidToken
from ..secrets.secret import Secret
from ..secrets.versions import as_bytes
from .header import LONGEST, is_plain
from .verifier import KeyVerifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from ..secrets.versions import SecretVersions

SHORTEST = 16  # characters: a key that people think up is guessed


class StaticKeys(KeyVerifier):
    """`ApiKeys.of(...)`: whoever sends one of these secrets is its subject. A secret that is rotated has three versions: the
    current, the previous and the pending one are accepted, so that callers change over when they like.

    A current value that no request can carry is a `ConfigurationError` when it is read: shorter than 16 characters,
    longer than 1024, not visible ASCII, or with a comma. So are two subjects with one value.
    """

    def __init__(
        self,
        keys: Mapping[str, Secret | Iterable[Secret]],
        *,
        scopes: Iterable[str] | Mapping[str, Iterable[str]] = (),
        roles: Iterable[str] | Mapping[str, Iterable[str]] = (),
    ) -> None:
        self._secrets = _flat(keys)
        del keys  # what is no Secret may be a value, and what fails below may be shown with its locals
        if not self._secrets:
            raise ConfigurationError("ApiKeys.of takes at least one key: {subject: secrets[NAME]}; a literal is Secret.of(...)")
        self._fit: dict[Secret, SecretVersions] = {}  # the versions that were found fit
        subjects = {subject for subject, _ in self._secrets}
        granted, held = _by_subject("scopes", scopes, subjects), _by_subject("roles", roles, subjects)
        self._principals = {
            subject: Principal(
                subject,
                scopes=granted[subject],
                roles=held[subject],
                claims={"key_id": subject, "name": subject},
                method="api_key",
            )
            for subject in subjects
        }

    def __repr__(self) -> str:
        return f"<StaticKeys of {', '.join(sorted(self._principals))}>"

    async def warm(self) -> None:
        """Read the secrets before the first request. Raises: `ConfigurationError`, `Unavailable`."""
        for _, secret in self._secrets:
            _check(secret, await secret.load())

    async def _verified(self, key: str) -> Principal:
        if type(key) is not str or not SHORTEST <= len(key) <= LONGEST or not is_plain(key) or "," in key:
            raise InvalidToken("api_key_malformed")
        presented = key.encode()
        versions = [await secret.load() for _, secret in self._secrets]
        found = self._match(versions, presented)
        if found is None:  # one of them may have been rotated just now
            newer = [await secret.reload_after_failure(seen) for (_, secret), seen in zip(self._secrets, versions, strict=True)]
            if any(newer):
                found = self._match([await secret.load() for _, secret in self._secrets], presented)
        if found is None:
            raise InvalidToken("api_key_unknown")
        return self._principals[found]

    def _match(self, versions: list[SecretVersions], presented: bytes) -> str | None:
        """Whose key it is. Every version of every secret is compared, so that time does not tell which it was."""
        found: list[tuple[str, Secret, str]] = []
        for (subject, secret), values in zip(self._secrets, versions, strict=True):
            if self._fit.get(secret) is not values:
                _check(secret, values)
                self._fit[secret] = values
            for version, candidate in values.named():
                if compare_digest(as_bytes(candidate) or b"", presented):
                    found.append((subject, secret, version))
        if len({subject for subject, _, _ in found}) > 1:
            raise ConfigurationError("two subjects have the same API key: which is meant?")
        for subject, secret, version in found[:1]:
            secret.note_use(version)
            return subject
        return None


def _flat(keys: Any) -> list[tuple[str, Secret]]:
    """The secrets, each with its subject; none at all if one is none. It raises nothing, because it may hold a value."""
    found: list[tuple[str, Secret]] = []
    for subject, given in keys.items() if hasattr(keys, "items") else ():
        several = list(given) if isinstance(given, (list, tuple)) else [given]
        if not isinstance(subject, str) or not subject or not several or not all(isinstance(one, Secret) for one in several):
            return []
        found += [(subject, one) for one in several]
    return found


def _by_subject(what: str, given: Any, subjects: set[str]) -> dict[str, frozenset[str]]:
    by_subject = dict(given) if hasattr(given, "items") else dict.fromkeys(subjects, given)
    if not subjects.issuperset(by_subject):
        raise ConfigurationError(f"{what} names a subject that has no API key")
    if any(isinstance(names, str) for names in by_subject.values()):
        raise ConfigurationError(f"{what} is a collection of names, not one string")
    everybody = {subject: frozenset(by_subject.get(subject, ())) for subject in subjects}
    if not all(isinstance(name, str) for names in everybody.values() for name in names):
        raise ConfigurationError(f"{what} are texts")
    return everybody


def _check(secret: Secret, versions: SecretVersions) -> None:
    """Raises: `ConfigurationError` that names the secret. A previous or pending value that is unfit merely opens nothing."""
    if _unfit(versions):
        fit = f"{SHORTEST} to {LONGEST} visible ASCII characters, and no comma"
        raise ConfigurationError(f"the secret {secret.name} (current) is no API key: that is {fit}")


def _unfit(versions: SecretVersions) -> bool:
    """It raises nothing, because its locals hold the value."""
    raw = as_bytes(versions.current)
    text = raw.decode("latin-1") if raw is not None else ""
    return not SHORTEST <= len(text) <= LONGEST or not is_plain(text) or "," in text
