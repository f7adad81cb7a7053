"""AWS Systems Manager's Parameter Store as its API reference describes it, in memory: names, types, ten names a call."""

from __future__ import annotations

import re
import threading
from typing import Any

from tests.servers.aws_secretsmanager import ACCOUNT, AwsError

NAME = re.compile(r"[a-zA-Z0-9_.\-/]+")
CIPHERED = "AQICAHh-ciphertext"


class ParametersApi:
    """The actions. `answer` is safe to call from several threads; each action is atomic."""

    service = "ssm"

    def __init__(self, region: str) -> None:
        self.region = region
        self.values: dict[str, dict[str, Any]] = {}
        self._puts = 0
        self._lock = threading.Lock()

    def answer(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Raises: `AwsError`."""
        method = getattr(self, f"_{action}", None)
        if method is None:
            raise AwsError("UnknownOperationException", action)
        with self._lock:
            return method(asked)  # type: ignore[no-any-return]

    def resource(self, asked: dict[str, Any]) -> str:
        """What an AccessDeniedException names."""
        name = asked.get("Name") or asked.get("Path") or (asked.get("Names") or ["*"])[0]
        return f"arn:aws:ssm:{self.region}:{ACCOUNT}:parameter/{str(name).lstrip('/')}"

    def _PutParameter(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, value, known = asked["Name"], asked["Value"], self.values.get(asked["Name"])
        if not NAME.fullmatch(name) or ("/" in name and not name.startswith("/")):
            raise AwsError("ValidationException", "Parameter name: must be a fully qualified name.")
        if not value or "{{" in value or len(value) > 4096:
            raise AwsError("ValidationException", "Parameter value is empty, too long or a nested parameter.")
        if known is not None and not asked.get("Overwrite"):
            raise AwsError("ParameterAlreadyExists", "The parameter already exists. To overwrite, set the overwrite option.")
        if known is None and "Type" not in asked:
            raise AwsError("ValidationException", "A parameter type is required when you create a parameter.")
        kind = asked.get("Type") or (known or {})["Type"]
        version = 1 if known is None else known["Version"] + 1
        if known is not None and kind != known["Type"]:
            raise AwsError("HierarchyTypeMismatchException", "Parameter Store doesn't support changing a parameter type.")
        key = {"KeyId": asked.get("KeyId", "alias/aws/ssm")} if kind == "SecureString" else {}
        self._puts += 1
        modified = 1_700_000_000.0 + self._puts / 1_000  # epoch seconds; AWS tells milliseconds
        self.values[name] = {
            "Name": name, "Value": value, "Type": kind, "Version": version, "LastModifiedDate": modified, **key
        }  # fmt: skip
        return {"Version": version, "Tier": "Standard"}

    def _GetParameter(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["Name"] not in self.values:
            raise AwsError("ParameterNotFound", "")
        return {"Parameter": self._told(asked["Name"], asked)}

    def _GetParameters(self, asked: dict[str, Any]) -> dict[str, Any]:
        names = asked["Names"]
        if not 1 <= len(names) <= 10 or len(set(names)) != len(names):
            raise AwsError("ValidationException", "Names: 1 to 10 members, none of them twice.")
        found = [name for name in names if name in self.values]
        return {
            "Parameters": [self._told(name, asked) for name in sorted(found)],  # AWS answers in alphabetical order
            "InvalidParameters": [name for name in names if name not in self.values],
        }

    def _GetParametersByPath(self, asked: dict[str, Any]) -> dict[str, Any]:
        path = asked["Path"].rstrip("/") + "/"
        below = [name for name in sorted(self.values) if name.startswith(path)]
        if not asked.get("Recursive"):
            below = [name for name in below if "/" not in name[len(path) :]]
        size, start = min(asked.get("MaxResults", 10), 10), int(asked.get("NextToken", 0))
        told: dict[str, Any] = {"Parameters": [self._told(name, asked) for name in below[start : start + size]]}
        if start + size < len(below):
            told["NextToken"] = str(start + size)
        return told

    def _DescribeParameters(self, asked: dict[str, Any]) -> dict[str, Any]:
        (wanted,) = asked["ParameterFilters"]
        (value,) = wanted["Values"]
        same = str.startswith if wanted["Option"] == "BeginsWith" else str.__eq__
        found = [self.values[name] for name in sorted(self.values) if same(name, value)]
        start = int(asked.get("NextToken", 0))
        fields = ("Name", "Type", "Version", "KeyId")
        told = [{field: one[field] for field in fields if field in one} for one in found[start : start + 10]]
        return {"Parameters": told, **({"NextToken": str(start + 10)} if start + 10 < len(found) else {})}

    def _DeleteParameter(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self.values.pop(asked["Name"], None) is None:
            raise AwsError("ParameterNotFound", "")
        return {}

    def _DeleteParameters(self, asked: dict[str, Any]) -> dict[str, Any]:
        gone = [name for name in asked["Names"] if self.values.pop(name, None) is not None]
        return {"DeletedParameters": gone, "InvalidParameters": [name for name in asked["Names"] if name not in gone]}

    def _told(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        stored = self.values[name]
        hidden = stored["Type"] == "SecureString" and not asked.get("WithDecryption")
        return {
            **stored,
            "Value": CIPHERED if hidden else stored["Value"],
            "ARN": f"arn:aws:ssm:{self.region}:{ACCOUNT}:parameter/{name.lstrip('/')}",
            "DataType": "text",
        }
