"""A Lambda function that AWS Secrets Manager calls to rotate secrets: one that we generate ourselves, and one of a vendor's.

    aws secretsmanager rotate-secret --secret-id prod/app --rotation-lambda-arn ... --rotation-rules AutomaticallyAfterDays=30

Two handlers, for two functions: `jwt_handler` rotates the member JWT_SECRET of the JSON secret prod/app and leaves its other
members; `vendor_handler` rotates a password that a vendor has to be told of. The role of the function needs DescribeSecret,
GetSecretValue, PutSecretValue and UpdateSecretVersionStage on the secret, and lets secretsmanager.amazonaws.com invoke it.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from authkit.secrets.rotation.aws_lambda import RotationFunction, rotation_handler

if TYPE_CHECKING:
    from authkit.secrets import SecretVersions

jwt_handler = rotation_handler(kind="hmac", member="JWT_SECRET")


class Vendor:
    """Stands in for a vendor's API: an account with one password, changed by whoever knows it."""

    def __init__(self) -> None:
        self.password: str | bytes | None = None

    def accepts(self, password: str | bytes) -> bool:
        return self.password is None or hmac.compare_digest(str(self.password).encode(), str(password).encode())

    def change(self, old: str | bytes, new: str | bytes | None) -> None:
        if not self.accepts(old):
            raise PermissionError("the old password is wrong")
        self.password = new


class VendorPassword(RotationFunction):
    """AWS repeats a step that failed: what was done already is not done again."""

    def __init__(self, vendor: Vendor) -> None:
        super().__init__("password", length=40)
        self._vendor = vendor

    def set_secret(self, versions: SecretVersions) -> None:
        if self._vendor.password is None or not self._vendor.accepts(versions.pending or ""):
            self._vendor.change(versions.current, versions.pending)

    def test_secret(self, versions: SecretVersions) -> bool:
        return self._vendor.accepts(versions.pending or "")


vendor_handler = VendorPassword(Vendor())
