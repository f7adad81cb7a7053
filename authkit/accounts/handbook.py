"""`HandbookSha256`: hashes of the Serverless Handbook, hex SHA-256 of password + salt + user name + password."""

from __future__ import annotations

from ..errors import ConfigurationError
from ..secrets.versions import is_blank, sealed
from .names import canonical
from .older import OlderHash

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re


class HandbookSha256(OlderHash):
    """For `PasswordHasher(insecure_also=[HandbookSha256(salt=...)])`. `salt`: the one text that all of its hashes share.

    What it gives up: such a hash is one round of SHA-256, so whoever has the table and the salt tries billions of passwords in
    a second. A user who logs in gets another one; whoever never does keeps it, so delete those that are left after some time.
    The user name is tried as it was typed and in its canonical form: somebody who was registered as `Alice` types that.
    """

    __slots__ = ()

    def __init__(self, salt: str) -> None:
        if is_blank(salt) or not isinstance(salt, str):
            raise ConfigurationError("salt is text, and not empty")
        hidden = sealed(salt)
        del salt

        def matches(password: bytes, username: str | None, found: re.Match[str]) -> bool:
            if username is None:
                raise ValueError
            import hashlib
            from hmac import compare_digest

            names = dict.fromkeys((username, canonical(username) or username))
            shared, good = str(hidden()).encode(), False
            for name in names:
                made = hashlib.sha256(password + shared + name.encode("utf-8", "replace") + password).hexdigest()
                good |= compare_digest(made.encode(), found[0].encode())
            return good

        super().__init__("handbook-sha256", "[0-9a-f]{64}", matches, weak=True)
