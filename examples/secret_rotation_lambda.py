"""A Lambda function that AWS Secrets Manager calls to rotate secrets: one that we generate ourselves, and one of a vendor's.

    aws secretsmanager rotate-secret --secret-id prod/app --rotation-lambda-arn ... --rotation-rules AutomaticallyAfterDays=30

Two handlers, for two functions: `jwt_handler` rotates the member JWT_SECRET of the JSON secret prod/app and leaves its other
members; `vendor_handler` rotates the member `password` of one that has the `username` too, and tells the vendor. The role of
the function needs DescribeSecret, GetSecretValue, PutSecretValue and UpdateSecretVersionStage on the secret, and lets
secretsmanager.amazonaws.com invoke it.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from authkit.secrets.rotation.aws_lambda import RotationFunction, rotation_handler

if TYPE_CHECKING:
    from authkit.secrets.rotation import RotatedVersions

jwt_handler = rotation_handler(kind="hmac", member="JWT_SECRET")


class Vendor:
    """Stands in for a vendor's API: accounts with one password each, changed by whoever knows it."""

    def __init__(self) -> None:
        self.passwords: dict[object, str | bytes | None] = {}

    def accepts(self, username: object, password: str | bytes) -> bool:
        known = self.passwords.get(username)
        return known is None or hmac.compare_digest(str(known).encode(), str(password).encode())

    def change(self, username: object, old: str | bytes, new: str | bytes | None) -> None:
        if not self.accepts(username, old):
            raise PermissionError("the old password is wrong")
        self.passwords[username] = new


class VendorPassword(RotationFunction):
    """AWS repeats a step that failed: what was done already is not done again."""

    def __init__(self, vendor: Vendor) -> None:
        super().__init__("password", length=40, member="password")
        self._vendor = vendor

    def set_secret(self, versions: RotatedVersions) -> None:
        username = versions.document()["username"]  # the other members of the JSON secret
        if username not in self._vendor.passwords or not self._vendor.accepts(username, versions.pending or ""):
            self._vendor.change(username, versions.current, versions.pending)

    def test_secret(self, versions: RotatedVersions) -> bool:
        return self._vendor.accepts(versions.document()["username"], versions.pending or "")


vendor_handler = VendorPassword(Vendor())
