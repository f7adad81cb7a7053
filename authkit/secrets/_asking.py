"""Asking the sources in their order: what each said, and whether what it raised ends the search."""

from __future__ import annotations

from ..errors import ConfigurationError, SecretNotFound, SecretUnavailable, Unavailable
from .source import OneSecretUnavailable, SecretSource
from .versions import Masked, SecretVersions, is_blank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TypeAlias

    Found: TypeAlias = dict[str, tuple[SecretVersions, bool]]  # by name: the versions, and whether they are all of them


class Answer(Masked):
    """What the chain said: `found` by name, and if the wanted one is not among them, the `failure` that says why."""

    __slots__ = ("found", "failure", "weaker", "failed_too")

    def __init__(self, found: Found, failure: Exception | None, weaker: bool, failed_too: Sequence[str] = ()) -> None:
        self.found = found
        self.failure = failure
        self.weaker = weaker  # whether a source that failed was passed over
        self.failed_too = failed_too  # the names that the question that failed was about as well


class Chain(Masked):
    """The sources, the first one first."""

    __slots__ = ("_sources", "batches", "local")

    def __init__(self, sources: Sequence[SecretSource]) -> None:
        self._sources = tuple(sources)
        self.batches = any(map(_batches, sources))  # whether one call may bring several secrets
        self.local = all(source.local for source in sources)

    def ask(self, names: Sequence[str], current_only: bool, pass_over: bool) -> Answer:
        """The secret `names[0]` from the first source that has it, and what that tells of the others. It may block.

        `pass_over`: go on to the next source when one fails, with a warning. Raises nothing of a source's.
        """
        name, others = names[0], list(names[1:])
        learned: Found = {}
        failed: Exception | None = None
        for place, source in enumerate(self._sources):
            found, failure = _ask(source, [name, *others], current_only)
            if failure is not None:
                if not pass_over or not isinstance(failure, Unavailable):
                    return Answer(learned, failure, False, others if _of_all(source, failure) else ())
                _warn_passed_over(name, source, failure)
                failed, others = failed or failure, []
            elif found is not None:
                return Answer({**learned, **found}, None, failed is not None)
            elif others:
                others = self._open(place, others, learned)
        if failed is not None:
            return Answer(learned, failed, True)
        return Answer(learned, SecretNotFound(f"no source has the secret {name}; tried: {self}"), False)

    def _open(self, place: int, others: list[str], learned: Found) -> list[str]:
        """Those of the others that may be asked of the next source: the one at `place` is known not to have them."""
        source = self._sources[place]
        if not source.local or not any(map(_batches, self._sources[place + 1 :])):
            return []
        still_open = []
        for name in others:
            found, failure = _ask(source, [name], False)
            if found is not None:
                learned.update(found)
            elif failure is None:
                still_open.append(name)
        return still_open

    def __repr__(self) -> str:
        return ", ".join(map(_shown, self._sources))


def _batches(source: SecretSource) -> bool:
    return type(source).fetch_many is not SecretSource.fetch_many


def _ask(source: SecretSource, names: Sequence[str], current_only: bool) -> tuple[Found | None, Exception | None]:
    """What `source` says of `names[0]`: found, that it has none (None, None), or the exception to raise."""
    name = names[0]
    try:
        answer = _checked(source.fetch_many(names, current_only=current_only), names)
    except SecretNotFound:
        return None, None
    except OneSecretUnavailable as error:  # made anew, as the other two: what it was raised from may hold anything
        return None, OneSecretUnavailable(_words(error), retry_after=_seconds(error))
    except SecretUnavailable as error:
        return None, SecretUnavailable(_words(error), retry_after=_seconds(error))
    except ConfigurationError as error:
        return None, ConfigurationError(_words(error))
    except Exception as error:  # of this not even the message is repeated: only its kind and place are told
        return None, SecretUnavailable(f"{_shown(source)} failed for the secret {name}: {_kind_and_place(error)}")
    if name not in answer:
        return None, ConfigurationError(f"{_shown(source)} gave no text for the secret {name}, or only white space")
    complete = not current_only or not _batches(source)
    return {name: (versions, complete) for name, versions in answer.items()}, None


def _checked(answer: Mapping[str, Any], names: Sequence[str]) -> dict[str, SecretVersions]:
    """What is fit for use of an answer. Nothing that it raises leaves `_ask`: its locals hold values."""
    found = {}
    for name in names:
        value = answer.get(name)
        if isinstance(value, SecretVersions):
            found[name] = value
        elif not is_blank(value):
            found[name] = SecretVersions(value)
    return found


def _of_all(source: SecretSource, failure: Exception) -> bool:
    """Whether a failure is one of the whole question, and not only of the name that was wanted."""
    return type(failure) is SecretUnavailable and _batches(source)


def _shown(source: SecretSource) -> str:
    try:
        return str(source)
    except Exception:
        return type(source).__name__


def _words(error: Exception) -> str:
    try:
        return str(error)
    except Exception:
        return type(error).__name__


def _seconds(error: SecretUnavailable) -> int:
    seconds = getattr(error, "retry_after", 1)  # a subclass need not have called our __init__
    return seconds if type(seconds) is int else 1


def _kind_and_place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return type(error).__name__ + place


def _warn_passed_over(name: str, source: SecretSource, error: Exception) -> None:
    import logging

    logging.getLogger("authkit.secrets").warning(
        "%s did not answer for the secret %s (%s): the next source is asked, because on_error is insecure_next",
        _shown(source), name, type(error).__name__,
    )  # fmt: skip
