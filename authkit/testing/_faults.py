"""`Fault`: what is wrong with an issuer's answers, until it is mended."""

from __future__ import annotations

HUGE = 2 << 20  # bytes: twice what a key set or a document of metadata may have
GARBAGE = b"\x00\xff<html>not what you asked for"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault:
    """`status`: another one, with a body of its own only if `body` is given. `delay`: seconds before the answer. `drop`: the
    connection is shut without one. `cut`: it is shut half-way. `drip`: seconds between one byte of the answer and the next.
    `garbage`: what is no JSON. `huge`: JSON of 2 MiB. `body`: these bytes. `content_type`, `headers`: of the answer.
    `redirect`: to that URL. `times`: so many requests are answered like that, then they are as they should be again.
    """

    def __init__(
        self,
        *,
        status: int | None = None,
        delay: float = 0.0,
        drop: bool = False,
        cut: bool = False,
        drip: float = 0.0,
        garbage: bool = False,
        huge: bool = False,
        body: bytes | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        redirect: str | None = None,
        times: int | None = None,
    ) -> None:
        self.status = 302 if redirect is not None and status is None else status
        self.delay = delay
        self.drop = drop
        self.cut = cut
        self.drip = drip
        self.body = GARBAGE if garbage else body
        self.huge = huge
        self.left = times
        told = {"Content-Type": content_type, "Location": redirect}
        self.headers = {**(headers or {}), **{name: value for name, value in told.items() if value is not None}}

    def content(self, good: bytes) -> bytes:
        if self.huge:
            return good.rstrip()[:-1] + b', "padding": "' + b"x" * HUGE + b'"}'
        return good if self.body is None else self.body
