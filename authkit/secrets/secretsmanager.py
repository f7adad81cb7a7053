"""`SecretsManager`: secrets in AWS Secrets Manager, with the versions that its staging labels are on."""

from __future__ import annotations

import re

from ..errors import AuthkitError, ConfigurationError, SecretNotFound, SecretUnavailable
from ._aws import TIMEOUT, AccessMissing, Aws, epoch_seconds, part_of_arn
from ._document import Document, joined
from .source import SecretSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .rotation.labels import Labels
    from .versions import SecretVersions

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
BATCH = 20  # secrets in one BatchGetSecretValue
ROUNDS = 3  # attempts at reading all labels while none of them moves
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")


class SecretsManager(SecretSource):
    """`SecretsManager("prod/app", region="eu-west-1")`: the members of that JSON secret are the names.

    `secret_ids`: names or ARNs, asked in order; the first that has a name gives it. Each whole secret, JSON, plain text or
    binary, is there under its own name too, unless a member has that name. A member that is no string serves as its JSON text
    (`5432`, `true`, `{"kty":"EC"}`); null and "" are refused. With no `secret_ids` a name IS a secret's name or ARN:
    `secrets["prod/api-key"]`, and JSON is not taken apart.

    AWSCURRENT, AWSPREVIOUS and AWSPENDING are the versions; a label that is nowhere, or on what is current, adds none. Where
    AWSPREVIOUS says nothing new of a member, `NAME__PREVIOUS`, `NAME__PREVIOUS_UNTIL` and `NAME__PENDING` beside it do.
    AWSPREVIOUS stays for good after a rotation by AWS itself, or by hand: it is accepted for the grace of `Secrets`, counted
    from when that was, as DescribeSecret tells; without that right, from when the current version was made.

    `region`: otherwise that of the ARN, otherwise boto3's (AWS_DEFAULT_REGION). `endpoint`: another address than AWS's.
    `role`: the ARN of a role to assume first; a `profile` may say more. `client`: a boto3 client of your own, which is used as
    it is, also in forked children. `timeout`: seconds after which one fetch begins no further call. Needs the right
    secretsmanager:GetSecretValue, for several secrets at once BatchGetSecretValue too (without it each is asked for alone), and
    kms:Decrypt where the key is your own; DescribeSecret, if granted, tells until when a rotated value is accepted.
    No value reaches botocore's log, whatever its level. `clock`, `monotonic`, `sleep` and `random` may be replaced too.

    Raises: `ConfigurationError` for an id, region, endpoint or role that cannot be one.
    """

    def __init__(
        self,
        *secret_ids: str,
        region: str | None = None,
        endpoint: str | None = None,
        role: str | None = None,
        profile: str | None = None,
        client: Any = None,
        timeout: float = TIMEOUT,
        **ports: Any,
    ) -> None:
        regions = {region} if region else set()
        for secret_id in secret_ids:
            of_arn = part_of_arn(secret_id, "secretsmanager")
            if of_arn is None and not _NAME.fullmatch(secret_id):
                raise ConfigurationError("a secret's id is its name or its ARN in AWS Secrets Manager")
            if of_arn:
                regions.add(of_arn)
        if len(set(secret_ids)) != len(secret_ids):
            raise ConfigurationError("a secret's id is given twice")
        if len(regions) > 1:
            raise ConfigurationError(f"one SecretsManager is in one region, and these ids name {' and '.join(sorted(regions))}")
        if client is None and regions:
            region = regions.pop()
        self._ids = secret_ids
        self._aws = Aws(
            "secretsmanager",
            region=region,
            endpoint=endpoint,
            role=role,
            profile=profile,
            client=client,
            timeout=timeout,
            **ports,
        )
        self._batch_denied = self._describe_denied = False

    def fetch(self, name: str) -> SecretVersions:
        """All versions of one secret: one call for each label of each secret asked, and one to learn an end.

        Raises: `SecretNotFound`; `SecretUnavailable` if AWS does not answer in time, throttles, cannot decrypt, or refuses
        because a right is missing, which the message names; `ConfigurationError` for an empty member or JSON that is broken.
        """
        return self.fetch_many((name,))[name]

    def fetch_many(self, names: Sequence[str], *, current_only: bool = False) -> Mapping[str, SecretVersions]:
        """The secrets of `names` that the same calls bring. `current_only`: one call, whatever the number of secrets up to 20.

        Raises: as `fetch`, for `names[0]`.
        """
        deadline = self._aws.deadline()
        if self._ids:
            return self._members(names, current_only, deadline)
        wanted = [name for name in names if _is_id(name)]
        if not _is_id(names[0]):
            raise SecretNotFound(f"{names[0]} cannot be the name of a secret in AWS Secrets Manager")
        if not current_only:
            wanted = wanted[:1]
        documents = self._currents(tuple(wanted), wanted[:1], deadline)
        found = {}
        for name, document in documents.items():
            try:
                if isinstance(document, AuthkitError):
                    raise document
                found[name] = joined(name, *self._all(name, document, current_only, deadline))
            except AuthkitError:
                if name == names[0]:
                    raise
        return found

    def _members(self, names: Sequence[str], current_only: bool, deadline: float) -> Mapping[str, SecretVersions]:
        documents = self._currents(self._ids, self._ids, deadline)
        read: dict[str, tuple[Document, ...]] = {}
        found = {}
        for name in names:
            failure: AuthkitError | None = None
            try:
                secret_id, document = _first(name, documents)
                if secret_id not in read:
                    read[secret_id] = self._all(secret_id, document, current_only, deadline)
                found[name] = joined(name, *read[secret_id])
            except AuthkitError as error:
                failure = error
            if failure is not None and name == names[0]:
                if isinstance(failure, SecretNotFound):
                    raise SecretNotFound(f"the secret {name} is not in {self}")
                raise failure.with_traceback(None)
        return found

    def _currents(
        self, secret_ids: tuple[str, ...], needed: Sequence[str], deadline: float
    ) -> dict[str, Document | AuthkitError]:
        """What AWSCURRENT is on, of each id; of those that are `needed` at least why that is not known."""
        found: dict[str, Document | AuthkitError] = {}
        if len(secret_ids) > 1 and not self._batch_denied:
            for start in range(0, len(secret_ids), BATCH):
                found.update(self._batch(secret_ids[start : start + BATCH], deadline))
        for secret_id in needed:
            if secret_id not in found:
                try:
                    found[secret_id] = self._version(secret_id, CURRENT, deadline)
                except AuthkitError as error:
                    found[secret_id] = error.with_traceback(None)
        in_order = [secret_id for secret_id in secret_ids if secret_id in found]  # the first that has a name gives it
        return {secret_id: found[secret_id] for secret_id in in_order}

    def _batch(self, secret_ids: tuple[str, ...], deadline: float) -> dict[str, Document | AuthkitError]:
        """Of those that one call brings, the current versions; whoever is left out is asked for alone, which tells why."""
        if len(secret_ids) < 2:
            return {}
        about = f"the secrets {', '.join(secret_ids)}"
        try:
            answer = self._aws.call("BatchGetSecretValue", about, deadline, {"SecretIdList": list(secret_ids)})
        except AccessMissing:
            self._batch_denied = True
            return {}
        except AuthkitError as error:
            return dict.fromkeys(secret_ids, error.with_traceback(None))
        return _documents(secret_ids, answer, bool(self._ids))

    def _version(self, secret_id: str, stage: str, deadline: float) -> Document:
        about = f"the secret {secret_id}" if stage == CURRENT else f"the {stage} version of the secret {secret_id}"
        asked = {"SecretId": secret_id, "VersionStage": stage}
        document = Document.of(secret_id, self._aws.call("GetSecretValue", about, deadline, asked), bool(self._ids))
        if not document.answered:
            raise SecretUnavailable(f"{about} cannot be read: what answered is not AWS Secrets Manager")
        return document

    def _all(self, secret_id: str, current: Document, current_only: bool, deadline: float) -> tuple[Document, ...]:
        """Current, previous and pending, all of one moment; (current,) if nothing else is asked for."""
        if current_only:
            return (current,)
        for attempt in range(ROUNDS):
            if attempt:
                current = self._version(secret_id, CURRENT, deadline)
            # Pending before previous: a promotion in between then shows as a previous version that we took for current.
            pending = Document() if PENDING in current.stages else self._labelled(secret_id, PENDING, deadline)
            previous = Document() if PREVIOUS in current.stages else self._labelled(secret_id, PREVIOUS, deadline)
            if previous.version is None:
                return current, previous, pending
            if previous.version != current.version:
                labels, told = self._labels(secret_id, deadline)
                if labels is None or (labels.on.get(CURRENT), labels.on.get(PREVIOUS)) == (current.version, previous.version):
                    if labels is not None:
                        previous.until = labels.until
                        current.since = _promoted(current.created, told)
                    return current, previous, pending
        raise SecretUnavailable(f"the labels of the secret {secret_id} moved {ROUNDS} times while they were read")

    def _labelled(self, secret_id: str, stage: str, deadline: float) -> Document:
        try:
            return self._version(secret_id, stage, deadline)
        except SecretNotFound:
            return Document()

    def _labels(self, secret_id: str, deadline: float) -> tuple[Labels | None, dict[str, Any]]:
        """Where the labels are now, until when a rotation said that the previous version is accepted, and all that was told;
        if we may ask."""
        if self._describe_denied:
            return None, {}
        from .rotation.labels import Labels

        try:
            told = self._aws.call("DescribeSecret", f"the secret {secret_id}", deadline, {"SecretId": secret_id})()
            return Labels(told), told
        except AccessMissing:
            self._describe_denied = True
        except (AuthkitError, KeyError):
            pass
        return None, {}

    def __repr__(self) -> str:
        given = [repr(secret_id) for secret_id in self._ids]
        if self._aws.region is not None:
            given.append(f"region={self._aws.region!r}")
        return f"SecretsManager({', '.join(given)})"

    __str__ = __repr__


def _promoted(created: float | None, told: dict[str, Any]) -> float | None:
    """Since when the current version, made at `created`, has been the current one, at the latest.

    A rotation that came to its end after that made it so. A version that was moved there by hand may have been pending for
    long: then all that is known is when the secret last changed in any way.
    """
    rotated, changed = epoch_seconds(told.get("LastRotatedDate")), epoch_seconds(told.get("LastChangedDate"))
    if rotated is not None and created is not None and rotated >= created:
        return rotated
    return created if changed is None else changed


def _is_id(name: str) -> bool:
    return _NAME.fullmatch(name) is not None or part_of_arn(name, "secretsmanager") is not None


def _first(name: str, documents: Mapping[str, Document | AuthkitError]) -> tuple[str, Document]:
    """The first of the secrets that has `name`. One before it that could not be read might have it: that is its error."""
    for secret_id, document in documents.items():
        if isinstance(document, SecretNotFound):
            continue
        if isinstance(document, AuthkitError):
            raise document
        if document.defines(name):
            return secret_id, document
    raise SecretNotFound(name)


def _documents(
    secret_ids: tuple[str, ...], answer: Callable[[], dict[str, Any]], members: bool
) -> dict[str, Document | AuthkitError]:
    """What a batch brought, by the ids that were asked for. What is not surely AWSCURRENT is left out.

    It raises nothing, because its locals hold values.
    """
    found: dict[str, Document | AuthkitError] = {}
    values = answer().get("SecretValues")
    for told in values if isinstance(values, list) else ():
        for secret_id in secret_ids if isinstance(told, dict) else ():
            if secret_id in (told.get("ARN"), told.get("Name")):
                document = Document.of(secret_id, lambda told=told: told, members)  # type: ignore[misc]
                if document.answered and CURRENT in document.stages:
                    found[secret_id] = document
    return found
