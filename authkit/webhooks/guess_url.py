"""How the URL that a sender signed differs from the one that we verify with: proxies, stages, ports, slashes, queries.

Of a URL only its scheme and the kind of difference are told: its query may be a secret.
"""

from __future__ import annotations

from itertools import product

from .guess import Guess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from .guess import Case

    Ways: TypeAlias = list[tuple[str, str]]  # what it becomes, and the words for it

STAGES = ("prod", "production", "dev", "staging", "test", "stage", "v1", "$default", "default", "api")
MAX_URLS = 300
MEND = "pass url= exactly as it is registered with the sender, not as the request has it behind a proxy or stage"
_PORTS = {"https": "443", "http": "80"}


def guesses(case: Case) -> Iterator[Guess]:
    """The delivery with other URLs, and with other methods where the method is signed."""
    if "method" in case.scheme.fields:
        for method in ("POST", "GET", "PUT", "PATCH", "DELETE"):
            if method != case.method:
                yield Guess(
                    case.but(method=method),
                    f"it was signed for {method}: the method was changed on its way",
                    "pass the method as the sender sent it",
                )
    if case.url is None or case.scheme.needs is None:
        return
    scheme, separator, rest = case.url.partition("://")
    if not separator:
        scheme, rest = "", case.url
    end = min((at for at in (rest.find(mark) for mark in "/?#") if at >= 0), default=len(rest))
    authority, target = rest[:end], rest[end:]
    path, mark, query = target.partition("?")
    ways = (_schemes(scheme), _authorities(case, scheme, authority), _paths(case, path), _queries(query if mark else None))
    found = []
    for combination in product(*ways):
        words = [word for _, word in combination if word]
        if words:
            (one, _), (host, _), (where, _), (asked, _) = combination
            found.append((len(words), f"{one}://{host}{where}{asked}" if one else f"{where}{asked}", words))
    for _, url, words in sorted(found, key=lambda one: one[0])[:MAX_URLS]:  # those that differ least come first
        yield Guess(case.but(url=url), "the sender signed another URL: " + ", ".join(words), MEND)


def _schemes(scheme: str) -> Ways:
    if not scheme:
        return [("", "")]
    other = {"https": "http", "http": "https"}.get(scheme)
    return [(scheme, "")] + ([(other, f"with {other}, not {scheme}")] if other else [])


def _authorities(case: Case, scheme: str, authority: str) -> Ways:
    if not scheme:
        return [("", "")]
    host, colon, port = authority.rpartition(":")
    has_port = bool(colon) and port.isdigit()
    bare = host if has_port else authority
    found: Ways = [(authority, "")]
    if has_port:
        found.append((bare, "without the port"))
    else:
        found += [
            (f"{bare}:{port}", f"with the port {port}") for port in dict.fromkeys((_PORTS.get(scheme, "443"), "443", "80"))
        ]
    if bare != bare.lower():
        found.append((bare.lower(), "with the host in small letters"))
    for header in ("host", "x-forwarded-host", "x-original-host", "x-host"):
        for text in case.headers.get_all(header):
            named = text.partition(",")[0].strip()
            if named and named != authority and len(named) <= 253 and named.isascii() and named.isprintable():
                found.append((named, f"with the host of the {header} header"))
    return found


def _paths(case: Case, path: str) -> Ways:
    from urllib.parse import quote, unquote

    found: Ways = [(path, "")]
    found.append((path[:-1], "without the slash at the end") if path.endswith("/") else (path + "/", "with a slash at the end"))
    own = tuple(dict.fromkeys(case.stages))
    for stage in (*own, *(stage for stage in STAGES if stage not in own)):
        if path == f"/{stage}" or path.startswith(f"/{stage}/"):
            found.append((path[len(stage) + 1 :] or "/", f"without the stage {stage} before the path"))
        else:
            found.append((f"/{stage}{path}", f"with the stage {stage} before the path"))
    first = path[1:].partition("/")
    if first[1] and not any(path.startswith(f"/{stage}/") for stage in (*own, *STAGES)):
        found.append(("/" + first[2], "without the first part of the path"))
    if unquote(path) != path:
        found.append((unquote(path), "with the path decoded"))
    encoded = quote(path, safe="/%", errors="surrogatepass")
    if encoded != path:
        found.append((encoded, "with the path encoded"))
    return found


def _queries(query: str | None) -> Ways:
    from urllib.parse import parse_qsl, quote, unquote_plus, urlencode

    if query is None:
        return [("", ""), ("?", "with a question mark at the end")]
    found: Ways = [("?" + query, ""), ("", "without the query")]
    parts = query.split("&")
    if len(parts) > 1:
        found.append(("?" + "&".join(sorted(parts)), "with the query sorted"))
        found.append(("?" + "&".join(reversed(parts)), "with the query in another order"))
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return found
    for text, words in (
        (urlencode(pairs, errors="surrogatepass"), "with the query encoded"),
        (urlencode(pairs, quote_via=quote, errors="surrogatepass"), "with the query encoded"),
        (unquote_plus(query), "with the query decoded"),
    ):  # fmt: skip
        if text != query:
            found.append(("?" + text, words))
    return found
