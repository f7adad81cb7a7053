"""`Catalogue`: bad tokens by name, each with what is wrong with it and how it is made of a good one."""

from __future__ import annotations

import json

from ..tokens import base64url
from ._forged import segment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from ._forged import Forger

    Make: TypeAlias = Callable[[Forger], str]
    Change: TypeAlias = Callable[[dict[str, Any], int], dict[str, Any]]  # of claims, now


class Catalogue:
    """`about`: name -> what is wrong. Whatever is wrong, the signature is right, unless it is the signature that is wrong."""

    def __init__(self) -> None:
        self.about: dict[str, str] = {}
        self._makers: dict[str, Make] = {}

    def made(self, forger: Forger) -> dict[str, str]:
        return {name: make(forger) for name, make in self._makers.items()}

    def add(self, name: str, about: str, make: Make) -> None:
        self._makers[name], self.about[name] = make, about

    def header(self, name: str, about: str, **members: Any) -> None:
        """A header with these members instead of its own."""
        self.add(name, about, lambda of: of.forge({**of.header(), **members}, of.claims()))

    def claims(self, name: str, about: str, change: Change) -> None:
        self.add(name, about, lambda of: of.forge(of.header(), change(of.claims(), int(of.clock()))))

    def text(self, name: str, about: str, change: Callable[[str], str], *, header: bool = False) -> None:
        """`change` turns the JSON text of the claims (or of the header) into what json.dumps would never write."""

        def make(of: Forger) -> str:
            texts = [as_json(members) for members in (of.header(), of.claims())]
            texts[0 if header else 1] = change(texts[0 if header else 1])
            return of.forge(texts[0].encode(), texts[1].encode("utf-8", "surrogatepass"))

        self.add(name, about, make)


def as_json(members: dict[str, Any]) -> str:
    return json.dumps(members, separators=(",", ":"))


def token(header: dict[str, Any] | bytes, claims: dict[str, Any] | bytes, signature: bytes) -> str:
    return f"{segment(header)}.{segment(claims)}.{base64url.encode(signature).decode()}"


def without(members: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key != name}


BAD = Catalogue()  # bad wherever they are sent
