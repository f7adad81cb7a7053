"""Second factors as users type them: checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import assert_type

from authkit import Tokens
from authkit.accounts import Accounts, MemoryUsers, SecondFactor, User
from authkit.endpoint import Endpoint
from authkit.secrets import Secret
from authkit.stores import MemoryStore


def send_code(user: User, code: str) -> None: ...


async def send_link(user: User, token: str) -> None: ...


factor = SecondFactor(
    Secret.of("a secret of at least 32 bytes, for types alone"), issuer="Example", required=True, send_code=send_code,
    send_link=send_link, limits=["5/minute", "30/day"], sends="5/hour", max_age=60,
)  # fmt: skip
tokens = Tokens("a key for types alone, and long enough", issuer="https://a", audience="https://a", store=MemoryStore())
accounts = Accounts(MemoryUsers(), tokens, second_factor=factor)


def of_endpoints() -> list[Endpoint]:
    second = [accounts.mfa, accounts.totp, accounts.totp_confirm, accounts.totp_remove, accounts.recovery]
    return [*second, accounts.link, accounts.link_confirm]


def of_operators() -> None:
    assert_type(accounts.remove_second_factor("alice"), User)
    assert_type(factor.reseal(MemoryUsers()), int)


async def of_operators_on_a_loop() -> None:
    assert_type(await accounts.aremove_second_factor("alice"), User)
    assert_type(await factor.areseal(MemoryUsers()), int)
