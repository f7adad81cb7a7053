"""`AskingJSON`: an `Asking` of an API that is asked over https and answers JSON. For whoever writes a provider."""

from __future__ import annotations

from .._fetch import Unfetched, checked_url, fetch
from ..errors import ConfigurationError, Unavailable
from ..secrets.secret import Secret
from ..secrets.versions import is_blank
from ..tokens.strict_json import parse_object
from ._client import client_of
from ._held import whole_seconds
from .asking import Asking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .._fetch import Answer
    from ..decision import FrozenDict

MAX_BYTES = 262_144  # of an answer
PATIENCE = 600  # seconds: the most that a server is believed who says when to come back


class AskingJSON(Asking):
    """What a subclass's `ask` is written with: `asked`, which sends one question and gives status, headers and JSON.

    `client_id`, `client_secret` (text or a `Secret`, whose newest value is used): what shows the server who asks, by HTTP's
    Basic; none: nobody does. Everything else as `Asking` says. Raises: `ConfigurationError`.
    """

    def __init__(
        self, *, client_id: str | None = None, client_secret: Any = None, transport: Any = None, **settings: Any
    ) -> None:
        shown: dict[str, Any] = {name: settings[name] for name in ("clock", "random") if name in settings}
        wrong, client = (None, None) if client_id is None else client_of(client_id, secret=client_secret, **shown)
        del client_secret  # what is raised below may be shown with its locals
        if wrong is not None:
            raise ConfigurationError(wrong)
        self._client = client
        self._transport = transport
        super().__init__(**settings)

    def asked(
        self,
        url: str,
        *,
        json: Mapping[str, Any] | None = None,
        bearer: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], FrozenDict | None]:
        """What `url` answers with GET, or with POST to `json`: its status, its headers by their names in lower case, and its
        JSON object, None if it is not 200. `bearer`: a token to send. It blocks, for at most `timeout` seconds.

        Raises: `Unavailable` for no answer, for 429 and from 500 on, and for 401 where we are who was not believed.
        """
        sent = {"accept": "application/json", **(headers or {})}
        content = None
        if json is not None:
            from ..tokens.issue import encoded

            content = encoded(dict(json))
            sent["content-type"] = "application/json"
        if bearer is not None:
            sent["authorization"] = f"Bearer {bearer}"
        client = self._client
        seen = client.authenticate({}, sent, url) if client is not None else None
        answer = self._answer(url, sent, content)
        if answer.status == 401 and client is not None and client.recheck(seen):  # it has been rotated since it was read
            client.authenticate({}, sent, url)
            answer = self._answer(url, sent, content)
        if answer.status == 429 or answer.status >= 500 or (answer.status == 401 and client is not None):
            raise self.unavailable(answer.status, answer.headers)
        if answer.status != 200:
            return answer.status, answer.headers, None
        try:
            return 200, answer.headers, parse_object(answer.content)
        except ValueError:
            pass
        raise Unfetched("its answer is not JSON with one reading")

    def _answer(self, url: str, headers: Mapping[str, str], content: bytes | None) -> Answer:
        return fetch(
            checked_url("url", url),
            max_bytes=MAX_BYTES,
            seconds=self._timeout,
            headers=headers,
            form=content,
            transport=self._transport,
        )

    def unavailable(self, status: int, headers: Mapping[str, str]) -> Unavailable:
        """What to raise for an answer that decides nothing. When to come back is what it says: in `Retry-After`, or in
        `X-RateLimit-Reset` (epoch seconds) where nothing remains, at most 10 minutes.
        """
        wait = whole_seconds(headers.get("retry-after"))
        if wait is None and headers.get("x-ratelimit-remaining") == "0":
            reset = whole_seconds(headers.get("x-ratelimit-reset"))
            wait = None if reset is None else int(reset - self._clock()) + 1
        why = ": what we authenticate with is wrong" if status == 401 else ""
        return Unavailable(f"it answered {status}{why}", retry_after=min(PATIENCE, max(1, wait if wait is not None else 30)))


def hidden(value: Any) -> Any:
    """`value`, as a `Secret` if it is text, bytes or a JWK, so that no traceback shows it; whatever else it is, as it is."""
    if isinstance(value, dict) and value:
        from ..tokens.issue import encoded

        try:
            value = encoded(value)
        except (TypeError, ValueError, RecursionError):  # no JWK: whoever takes it says so
            return value
    return Secret.of(value) if isinstance(value, (str, bytes)) and not is_blank(value) else value
