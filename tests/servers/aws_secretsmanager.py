"""AWS Secrets Manager as its API reference describes it, in memory: versions, staging labels, tokens, deletion.

Stricter than moto where that differs from AWS: a token used for another value is refused, a label is moved only by who names
the version that has it, a deleted secret takes no value, and no stage asked for is AWSCURRENT.
"""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any, NamedTuple

ACCOUNT = "123456789012"
CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"


class AwsError(Exception):
    """An answer of HTTP 400: `{"__type": code, "message": message}`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message


class Value(NamedTuple):
    """What one version holds: text, or bytes in base64. Both None: RotateSecret has made the version and nobody filled it."""

    text: str | None
    binary: str | None

    def told(self) -> dict[str, str]:
        return {key: value for key, value in (("SecretString", self.text), ("SecretBinary", self.binary)) if value is not None}


EMPTY = Value(None, None)


class Stored:
    """One secret: its versions, and which version each label is on."""

    def __init__(self, name: str, region: str) -> None:
        self.name = name
        self.arn = f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}-AbCdEf"
        self.created = time.time()
        self.versions: dict[str, Value] = {}
        self.labels: dict[str, str] = {}
        self.deleted: float | None = None
        self.rotation_enabled: bool | None = None
        self.tags: dict[str, str] = {}

    def stages(self, version: str) -> list[str]:
        return sorted(label for label, on in self.labels.items() if on == version)

    def put_label(self, label: str, version: str) -> None:
        was = self.labels.get(label)
        self.labels[label] = version
        if label == CURRENT and was is not None and was != version:
            self.labels[PREVIOUS] = was


class SecretsManagerApi:
    """The actions. `answer` is safe to call from several threads; each action is atomic."""

    service = "secretsmanager"

    def __init__(self, region: str) -> None:
        self.region = region
        self.secrets: dict[str, Stored] = {}
        self._lock = threading.RLock()

    def answer(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Raises: `AwsError`."""
        method = getattr(self, f"_{action}", None)
        if method is None:
            raise AwsError("UnknownOperationException", action)
        with self._lock:
            return method(asked)  # type: ignore[no-any-return]

    def resource(self, asked: dict[str, Any]) -> str:
        """What an AccessDeniedException names."""
        named = str(asked.get("SecretId") or asked.get("Name") or "*")
        secret = self.secrets.get(named)
        return secret.arn if secret is not None else named

    def start_rotation(self, name: str, token: str) -> None:
        """What RotateSecret does before it calls the rotation function: a version with a label and no value."""
        with self._lock:
            secret = self._found({"SecretId": name})
            secret.rotation_enabled = True
            secret.versions.setdefault(token, EMPTY)
            secret.labels[PENDING] = token

    def _found(self, asked: dict[str, Any], *, deleted: bool = False) -> Stored:
        wanted = asked.get("SecretId")
        if not isinstance(wanted, str) or not wanted:
            raise AwsError("InvalidParameterException", "You must provide a SecretId.")
        for secret in self.secrets.values():
            if wanted in (secret.name, secret.arn, secret.arn[:-7]):
                if secret.deleted is not None and not deleted:
                    raise AwsError(
                        "InvalidRequestException",
                        "You can't perform this operation on the secret because it was marked for deletion.",
                    )
                return secret
        raise AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")

    def _CreateSecret(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, token = asked["Name"], asked.get("ClientRequestToken") or str(uuid.uuid4())
        known = self.secrets.get(name)
        value = _value(asked, required=False)
        if known is not None:
            if known.deleted is not None:
                raise AwsError(
                    "InvalidRequestException",
                    "You can't create this secret because a secret with this name is already scheduled for deletion.",
                )
            if known.versions.get(token) != value or value is None:
                raise AwsError("ResourceExistsException", f"The operation failed because the secret {name} already exists.")
            return {"ARN": known.arn, "Name": name, "VersionId": token}
        secret = self.secrets[name] = Stored(name, self.region)
        if value is None:
            return {"ARN": secret.arn, "Name": name}
        secret.versions[token] = value
        secret.put_label(CURRENT, token)
        return {"ARN": secret.arn, "Name": name, "VersionId": token}

    def _PutSecretValue(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret, value = self._found(asked), _value(asked, required=True)
        assert value is not None
        token = asked.get("ClientRequestToken") or str(uuid.uuid4())
        if not 32 <= len(token) <= 64:
            raise AwsError("InvalidParameterException", "ClientRequestToken must be 32-64 characters long.")
        known = secret.versions.get(token, EMPTY)
        if known == EMPTY:
            secret.versions[token] = value
            stages = asked.get("VersionStages")
            for label in stages if stages is not None else [CURRENT]:
                secret.put_label(label, token)
            if CURRENT not in secret.labels:
                secret.put_label(CURRENT, token)
        elif known != value:
            raise AwsError(
                "ResourceExistsException",
                f"You can't use ClientRequestToken {token} because that value is already in use for a version of secret "
                f"{secret.arn}.",
            )
        return {"ARN": secret.arn, "Name": secret.name, "VersionId": token, "VersionStages": secret.stages(token)}

    def _GetSecretValue(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret = self._found(asked)
        version, stage = asked.get("VersionId"), asked.get("VersionStage")
        if version is None:
            stage = stage or CURRENT
            version = secret.labels.get(stage)
        elif stage is not None and secret.labels.get(stage) != version:
            raise AwsError(
                "InvalidRequestException",
                "You provided a VersionStage that is not associated to the provided VersionId.",
            )
        value = secret.versions.get(version or "", EMPTY)
        if value == EMPTY:
            what = f"staging label: {stage}" if stage else f"VersionId: {version}"
            raise AwsError("ResourceNotFoundException", f"Secrets Manager can't find the specified secret value for {what}")
        assert version is not None
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version,
            "VersionStages": secret.stages(version),
            "CreatedDate": secret.created,
            **value.told(),
        }

    def _BatchGetSecretValue(self, asked: dict[str, Any]) -> dict[str, Any]:
        wanted = asked.get("SecretIdList")
        if not wanted or len(wanted) > 20:
            raise AwsError("InvalidParameterException", "SecretIdList has 1 to 20 members.")
        values, errors = [], []
        for name in wanted:
            try:
                values.append(self._GetSecretValue({"SecretId": name}))
            except AwsError as error:
                errors.append({"SecretId": name, "ErrorCode": error.code, "Message": error.message})
        return {"SecretValues": values, "Errors": errors}

    def _UpdateSecretVersionStage(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret, label = self._found(asked), asked["VersionStage"]
        to, away = asked.get("MoveToVersionId"), asked.get("RemoveFromVersionId")
        on = secret.labels.get(label)
        if to is None and away is None:
            raise AwsError("InvalidParameterException", "You must provide MoveToVersionId, RemoveFromVersionId, or both.")
        for version in (to, away):
            if version is not None and version not in secret.versions:
                raise AwsError("ResourceNotFoundException", f"Secrets Manager can't find the specified VersionId: {version}")
        if to is None and label == CURRENT:
            raise AwsError(
                "InvalidParameterException",
                "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
            )
        if on is not None and on != to and away != on:
            raise AwsError(
                "InvalidParameterException",
                f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version "
                f"{on}, so you must explicitly reference that version in RemoveFromVersionId.",
            )
        if away is not None and away != on:
            raise AwsError("InvalidParameterException", f"Staging label {label} is not attached to version {away}.")
        if to is None:
            del secret.labels[label]
        else:
            secret.put_label(label, to)
        return {"ARN": secret.arn, "Name": secret.name}

    def _DescribeSecret(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret = self._found(asked, deleted=True)
        stages = {version: secret.stages(version) for version in secret.versions if secret.stages(version)}
        told: dict[str, Any] = {"ARN": secret.arn, "Name": secret.name, "CreatedDate": secret.created}
        if stages:
            told["VersionIdsToStages"] = stages
        if secret.deleted is not None:
            told["DeletedDate"] = secret.deleted
        if secret.rotation_enabled is not None:
            told["RotationEnabled"] = secret.rotation_enabled
        if secret.tags:
            told["Tags"] = [{"Key": key, "Value": value} for key, value in secret.tags.items()]
        return told

    def _TagResource(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._found(asked).tags.update({tag["Key"]: tag["Value"] for tag in asked["Tags"]})
        return {}

    def _UntagResource(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret = self._found(asked)
        for key in asked["TagKeys"]:
            secret.tags.pop(key, None)
        return {}

    def _ListSecretVersionIds(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret = self._found(asked, deleted=True)
        versions = [
            {"VersionId": version, "VersionStages": secret.stages(version), "CreatedDate": secret.created}
            for version, value in secret.versions.items()
            if value != EMPTY and (secret.stages(version) or asked.get("IncludeDeprecated"))
        ]
        start, size = int(asked.get("NextToken", 0)), 2  # AWS may give fewer than it is asked for
        more = {"NextToken": str(start + size)} if start + size < len(versions) else {}
        return {"ARN": secret.arn, "Name": secret.name, "Versions": versions[start : start + size], **more}

    def _ListSecrets(self, asked: dict[str, Any]) -> dict[str, Any]:
        del asked
        live = [secret for secret in self.secrets.values() if secret.deleted is None]
        return {"SecretList": [{"ARN": secret.arn, "Name": secret.name} for secret in live]}

    def _DeleteSecret(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret = self._found(asked)
        if asked.get("ForceDeleteWithoutRecovery"):
            del self.secrets[secret.name]
        secret.deleted = time.time() + 86_400 * asked.get("RecoveryWindowInDays", 30)
        return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": secret.deleted}

    def _RestoreSecret(self, asked: dict[str, Any]) -> dict[str, Any]:
        secret = self._found(asked, deleted=True)
        secret.deleted = None
        return {"ARN": secret.arn, "Name": secret.name}


def _value(asked: dict[str, Any], *, required: bool) -> Value | None:
    text, binary = asked.get("SecretString"), asked.get("SecretBinary")
    if text is not None and binary is not None:
        raise AwsError("InvalidParameterException", "You can't specify both a binary secret value and a string secret value.")
    if text is None and binary is None:
        if required:
            raise AwsError("InvalidParameterException", "You must provide either SecretString or SecretBinary.")
        return None
    if len(text or binary or "") > 65_536:
        raise AwsError("InvalidParameterException", "The secret value is longer than 65536 bytes.")
    return Value(text, binary)
