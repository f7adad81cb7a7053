"""What is refused before the body is read: a delivery whose headers say already that no body makes it good."""

from __future__ import annotations

from .delivery import only
from .reading import check_expected, key_named, said, when
from .sent import Sent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from .places import Place
    from .verifier import Verifier

    Early: TypeAlias = Callable[[Any, str, str], None]

_AT_HAND = ("header", "query", "claim", "jose")  # where a place stands that no body is needed for


def early(verifier: Verifier, *, reads_url: bool = True) -> Early | None:
    """The function that looks at headers, URL and method; None where signatures stand in the body.

    It raises `InvalidSignature` with the reasons that `Verifier.verify` has for them, and verifies nothing. `reads_url`: the
    URL that it is given is the delivery's, so that places in the query are looked at too.
    """
    scheme = verifier.scheme
    if scheme.plain:
        read = verifier._read

        def glance(headers: Any, url: str, method: str) -> None:
            read(headers, b"", None, url, method)

        return glance

    def at_hand(place: Place | None) -> bool:
        return place is None or (place.kind in _AT_HAND and (reads_url or place.kind != "query"))

    if scheme.each or not all(at_hand(place) for place in (*(row[0] for row in scheme.rows), *scheme.also_places)):
        return None
    expected = tuple(item for item in scheme.expected if at_hand(item[0]))
    names_key = all(at_hand(place) for place in scheme.key_places)

    def look(headers: Any, url: str, method: str) -> None:
        sent = Sent(only(scheme, headers), b"", url, method)
        row, signatures, timestamp = said(scheme, sent)
        if scheme.algorithm.startswith("jws"):
            sent.read_jws(signatures[0], detached=scheme.algorithm == "jws-detached")
        now = verifier._clock()
        if scheme.timed and at_hand(row[2]):
            verifier._check_age(when(scheme, sent, row, timestamp)[1], now)
        if sent.claims:
            verifier._check_validity(sent.claims, now)
        check_expected(expected, sent, verifier._options)
        if names_key:
            key_named(scheme, sent)

    return look
