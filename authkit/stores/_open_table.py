"""From a URL to a table of users or of API keys."""

from __future__ import annotations

from ..errors import ConfigurationError
from ._open import path_in, table_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


def open_table(
    url: str, what: str, memory: Callable[[], T], sqlite: Callable[[str], T], dynamo: Callable[[str, str | None, str | None], T]
) -> T:
    """The table that `url` names. `what` it holds, for messages. `sqlite` is given a path, `dynamo` name, region and endpoint.

    Raises: `ConfigurationError` for every other URL. It never repeats it.
    """
    scheme, _, rest = url.partition(":") if isinstance(url, str) else ("", "", "")
    if scheme == "sqlite":
        path = path_in(rest)
        if path is None:
            raise ConfigurationError(f"a file of {what} is sqlite:///relative/path.db or sqlite:////absolute/path.db")
        return sqlite(path)
    if scheme == "dynamodb":
        found = table_in(rest, ("region", "endpoint"))
        if found is None:
            raise ConfigurationError(
                f"a table of {what} is dynamodb://NAME?region=eu-west-1; its options are region and endpoint, each once"
            )
        return dynamo(found[0], found[1].get("region"), found[1].get("endpoint"))
    if url == "memory:":
        return memory()
    raise ConfigurationError(f"a table of {what} is named by a URL: memory:, sqlite:///PATH or dynamodb://TABLE")
