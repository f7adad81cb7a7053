"""`authkit explain`: which check refused a captured request, and the likely cause. Nothing secret is printed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import click

from ._exits import EXITS, Wrong
from ._frame import Command
from ._options import Whole, json_option, source_option
from ._output import Output
from ._store import store_option
from ._webhook import moment_option, now_option, option_option, refuse_twice_stdin, secret_from_option, url_option

if TYPE_CHECKING:
    from ..webhooks import Scheme
    from ._explain import Asked, Explained
    from ._webhook import Keys


@click.command(cls=Command)
@click.argument("file", required=False)
@click.option("--scheme", metavar="NAME", help="Of a webhook. Default: told by its headers.")
@click.option("--secret", "name", metavar="NAME", help="The secret of the webhook, or the key of a signature, in SOURCE.")
@source_option
@secret_from_option
@option_option
@url_option
@now_option
@click.option("--issuer", metavar="TEXT", help="Of a token. Default: AUTHKIT_ISSUER.")
@click.option("--audience", metavar="TEXT", help="Of a token. Default: AUTHKIT_AUDIENCE.")
@click.option("--key", metavar="NAME", help="The secret in SOURCE that is a token's key. Default: the key of the settings.")
@store_option
@click.option("--api-keys", "table", metavar="URL", help="The table of API keys: sqlite:///PATH or dynamodb://TABLE.")
@click.option("--prefix", default="ak", show_default=True, metavar="TEXT", help="What those API keys begin with.")
@click.option("--live", is_flag=True, help="Listen on this machine, and explain each request that comes. Ctrl-C ends it.")
@click.option("--port", type=Whole(0, 65_535), default=0, metavar="N", help="Where --live listens. Default: a free port.")
@json_option
def explain(
    file: str | None,
    scheme: str | None,
    name: str | None,
    source: str,
    secret_from: str | None,
    options: tuple[str, ...],
    at: str | None,
    moment: str | None,
    issuer: str | None,
    audience: str | None,
    key: str | None,
    url: str | None,
    live: bool,
    port: int,
    table: str | None,
    prefix: str,
    as_json: bool,
) -> int:
    """Say which check refuses a captured request, and why.

    FILE, or a pipe, has the text of an HTTP request, JSON with method, url, headers and body (or body_base64), a Lambda event,
    an entry of a HAR file, or what curl -v says. A webhook is verified with --secret, a bearer token as a service with these
    settings does it (with its own key, or by a provider), an API key with --api-keys, a signed request (RFC 9421) with the
    client's key as --secret. Exits with 1 if it is refused. Nothing of a credential is printed.
    """
    from ._webhook import options_of, scheme_of

    if live and file is not None:
        raise Wrong("--live takes no file: it explains what comes")
    if not live:
        refuse_twice_stdin(file, secret_from)
    out = Output(as_json)
    stated = None if scheme is None else scheme_of(scheme)
    has_secret = name is not None or secret_from is not None
    asked = _asked(
        stated, has_secret, (name, source, secret_from), options_of(options), at, moment_option(moment),
        (issuer, audience, key, source, url), (table, prefix),
    )  # fmt: skip
    if live:
        from ._listen import listen

        if has_secret:
            asked.keys(stated)  # what is wrong with it is said before anything comes
        return listen(port, asked, out)
    return tell(out, judged_file(file, asked))


def judged_file(file: str | None, asked: Asked) -> Explained:
    """What is to say of the capture in a file."""
    from ._capture import Unreadable, captured
    from ._explain import explained, of_unreadable

    try:
        found = captured(file)
    except Unreadable as event:
        return of_unreadable(event)
    return explained(found, asked)


def _asked(
    scheme: Scheme | None,
    has_secret: bool,
    secret: tuple[str | None, str, str | None],
    options: dict[str, Any],
    url: str | None,
    now: float | None,
    service: tuple[str | None, str | None, str | None, str, str | None],
    keys: tuple[str | None, str],
) -> Asked:
    from ._explain import Asked
    from ._webhook import keys_of

    @cache
    def read() -> Keys:
        return keys_of(None, *secret, others=True)

    def the_keys(of: Scheme | None) -> Keys:
        return keys_of(of, *secret) if of is not None and of.keyless else read()

    def the_service() -> Any:
        from .. import settings
        from ._doctor_issuer import SETTINGS
        from ._token import service_of

        issuer, _, key, _, _ = service
        if issuer is None and key is None and any(settings.get(name) is not None for name in SETTINGS):
            from ..guards._configured import verifiers

            [provider] = verifiers()
            return provider
        return service_of(*service)

    def the_table() -> Any:
        from ..apikeys import ApiKeys, open_keys

        assert keys[0] is not None
        return ApiKeys(open_keys(keys[0]), prefix=keys[1], track_use=False)

    return Asked(scheme, has_secret, the_keys, options, url, now, the_service, None if keys[0] is None else the_table)


def tell(out: Output, found: Explained) -> int:
    """Print it, and say how to exit."""
    what = found.credential or "request"
    of = f" of {found.scheme}" if found.scheme else ""
    if found.accepted:
        with_which = f", with the {found.matched} secret" if found.matched and not found.matched.isdigit() else ""
        out.line(f"accepted: {what}{of}{with_which}", "good")
    else:
        out.line(f"{what}{of} refused by the check of the {found.check} ({found.reason})", "bad")
        texts = (("found", found.found), ("cause" if found.proven else "likely", found.likely), ("mend", found.mend))
        for heading, text in texts:
            out.line(f"  {heading + ':':8}{text}")
        if found.tried:
            sorts = ", ".join(f"{sort} {count}" for sort, count in found.tried.items())
            out.line(f"  tried:  {sorts}", "faint")
    for note in found.notes:
        out.line(f"  note:   {note}", "faint")
    out.document(found.document())
    return EXITS["ok" if found.accepted else "failed"][0]
