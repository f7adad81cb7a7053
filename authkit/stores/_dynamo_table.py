"""A table of DynamoDB, a store's or the users': one call at a time, within a bound, and what its answers mean."""

from __future__ import annotations

import os
import re

from .._botocore import PASSES, REGION, hush, is_safe, quiet
from .._botocore import session as session_of
from .._lock import ProcessLock
from ..errors import ConfigurationError, StoreUnavailable
from ._circuit import Circuit
from ._dynamo_change import KEY, TTL, plain, typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ._dynamo_change import Change, Item

_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}|arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[A-Za-z0-9_.-]{3,255}")
_THROTTLED = frozenset(("ProvisionedThroughputExceededException", "TransactionConflictException"))
_FAILED = "ConditionalCheckFailedException"
_FIRST_WAIT = 0.025  # seconds before the second attempt at most; twice as long before each further one
_LONGEST_WAIT = 0.2  # seconds
_MADE_WITHIN = 60.0  # seconds for a new table
_BATCH, _SCAN = "batch_get_item", "scan"
_CALM = 4  # looks at an item that others change, at once; further ones come after a random wait
_PAUSE = 0.05  # seconds at most
_SAID = {
    "ResourceNotFoundException": "there is no such table: create_table() makes one",
    "ItemCollectionSizeLimitExceededException": "it is full",
    "ValidationException": "a value is too large, or the table's key is not the text pk",
}
_OLD = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}  # where it is not known, the item is read


class Table:
    """`timeout`: seconds for all attempts of one call together, about."""

    def __init__(
        self,
        name: str,
        region: str | None,
        endpoint: str | None,
        client: Any,
        timeout: float,
        monotonic: Callable[[], float],
        sleep: Callable[[float], object],
        random: Callable[[], float],
    ) -> None:
        if type(name) is not str or not _NAME.fullmatch(name):
            raise ConfigurationError("a table is named by 3 to 255 letters, digits and _.-, or by its ARN")
        if region is not None and not (type(region) is str and REGION.fullmatch(region)):
            raise ConfigurationError("a region is spelled as AWS does: eu-west-1")
        if endpoint is not None and not (type(endpoint) is str and is_safe(endpoint)):
            raise ConfigurationError("an endpoint is an https:// URL without path; http:// is for this machine only")
        if client is not None and (region is not None or endpoint is not None):
            raise ConfigurationError("a client brings its own region and endpoint: give those or a client")
        if type(timeout) not in (int, float) or not 0.01 <= timeout <= 60:
            raise ConfigurationError("the timeout of a table is 0.01 to 60 seconds")
        self.timeout = timeout
        self.monotonic, self.sleep, self.random = monotonic, sleep, random
        self._name, self._region, self._endpoint, self._given = name, region, endpoint, client
        self._circuit = Circuit("DynamoDB", clock=monotonic)
        self._made: tuple[int, Any] | None = None  # process, client
        self._making = ProcessLock()

    def read(self, place: str) -> Item:
        """The item there, as of now; empty if there is none."""
        return self._call("get_item", {"Key": {KEY: {"S": place}}, "ConsistentRead": True}, "Item")[0] or {}

    def read_all(self, places: set[str]) -> dict[str, Item]:
        """The items there are at these places, at most 100, as of now, by place."""
        keys = [{KEY: {"S": place}} for place in places]
        asked = {"RequestItems": {self._name: {"Keys": keys, "ConsistentRead": True}}}
        return self._call(_BATCH, asked, "Responses")[0] or {}

    def update(self, place: str, change: Change, *, once: bool = False) -> tuple[Item | None, Item | None]:
        """Change the item there: `(item afterwards, None)`; `(None, item as it is)` if the condition does not hold.

        The item as it is is None where DynamoDB does not tell, as not every one does, or there is none. `once`: rather not at
        all than twice; an attempt that may have been carried out is not repeated.
        """
        asked = {"Key": {KEY: {"S": place}}, "ReturnValues": "ALL_NEW", **_OLD, **change.asked()}
        item, failed, _ = self._call("update_item", asked, "Attributes", once=once)
        return (None, item) if failed else (item, None)

    def put(self, place: str, item: Item, condition: str = "", values: Item | None = None) -> tuple[bool, bool]:
        """Put an item there if `condition` holds: `(whether it was put, whether an attempt before may have put it)`."""
        asked: dict[str, Any] = {"Item": {KEY: {"S": place}, **typed(item)}}
        if condition:
            asked["ConditionExpression"] = condition
        if values:
            asked["ExpressionAttributeValues"] = typed(values)
        _, failed, doubtful = self._call("put_item", asked, "Attributes")
        return not failed, doubtful

    def drop(self, place: str) -> None:
        """Delete the item there."""
        self._call("delete_item", {"Key": {KEY: {"S": place}}}, "Attributes")

    def remove(self, place: str) -> bool:
        """Delete the item there: whether there was one. Where an answer was lost, there may have been."""
        item, _, doubtful = self._call("delete_item", {"Key": {KEY: {"S": place}}, "ReturnValues": "ALL_OLD"}, "Attributes")
        return item is not None or doubtful

    def scan(self, prefix: str) -> Iterator[tuple[str, Item]]:
        """Every item whose place begins with `prefix`, in no order: `(place, item)`. Reads the whole table."""
        asked: dict[str, Any] = {
            "ConsistentRead": True,
            "FilterExpression": f"begins_with({KEY}, :prefix)",
            "ExpressionAttributeValues": {":prefix": {"S": prefix}},
        }
        while True:
            page = self._call(_SCAN, asked, "")[0] or {}
            yield from page["items"].items()
            if page["next"] is None:
                return
            asked["ExclusiveStartKey"] = page["next"]

    def create(self) -> None:
        """Make the table unless it is there: paid for by request, with its TTL."""
        client = self.client()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            try:
                client.create_table(
                    TableName=self._name,
                    KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
                    BillingMode="PAY_PER_REQUEST",
                )
            except client.exceptions.ResourceInUseException:
                pass
            deadline, wait = self.monotonic() + _MADE_WITHIN, 0.01
            while client.describe_table(TableName=self._name)["Table"]["TableStatus"] not in ("ACTIVE", "UPDATING"):
                if self.monotonic() > deadline:
                    raise StoreUnavailable("the table is still being made")
                self.sleep(wait)
                wait = min(1.0, wait * 1.5)
            ttl = {"Enabled": True, "AttributeName": TTL}
            try:
                client.update_time_to_live(TableName=self._name, TimeToLiveSpecification=ttl)
            except ClientError as error:
                if _code(error) not in ("ValidationException", "UnknownOperationException"):  # on already; or it never sweeps
                    raise
        except ClientError as error:
            raise StoreUnavailable(f"the table cannot be made: {_code(error)}") from None
        except BotoCoreError as error:
            raise StoreUnavailable(f"the table cannot be made: {type(error).__name__}") from None

    def client(self) -> Any:
        """The client of this process: a forked child shares no socket with its parent. Raises: `ConfigurationError`."""
        if self._given is not None:
            return self._given
        made = self._made
        if made is None or made[0] != os.getpid():
            with self._making:
                made = self._made
                if made is None or made[0] != os.getpid():
                    self._made = made = (os.getpid(), self._new())
        return made[1]

    def _new(self) -> Any:
        session = session_of(None)
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        config = Config(
            connect_timeout=self.timeout / 2,
            read_timeout=self.timeout / 2,
            retries={"mode": "standard", "total_max_attempts": 1},  # `_call` repeats: botocore does not know the deadline
            max_pool_connections=32,  # as many as authkit has threads for I/O
        )
        try:
            return session.create_client("dynamodb", region_name=self._region, endpoint_url=self._endpoint, config=config)
        except (BotoCoreError, ValueError) as error:
            raise ConfigurationError(f"no client for DynamoDB can be made: {type(error).__name__}") from None

    def _call(self, action: str, asked: dict[str, Any], part: str, *, once: bool = False) -> tuple[Item | None, bool, bool]:
        """That part of the answer; whether the condition failed; whether an attempt before this may have been carried out.

        Raises: `StoreUnavailable`, `ConfigurationError`.
        """
        client = self.client()
        hush()
        deadline = self.monotonic() + self.timeout
        attempt, doubtful = 0, False
        while True:
            turn = self._circuit.enter()
            if not turn:
                raise StoreUnavailable("DynamoDB does not answer")
            done, code, passes, reached = self._ask(client, action, asked, part)
            if reached:
                self._circuit.passed(turn)
            else:
                self._circuit.failed(turn, code)
            if done is not None:
                item, failed, repeated = done
                return item, failed, doubtful or repeated
            doubtful = doubtful or code not in PASSES | _THROTTLED or not reached
            wait = self.random() * min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)
            if not passes or (once and doubtful) or self._given is not None or self.monotonic() + wait > deadline:
                raise StoreUnavailable(f"DynamoDB cannot be used: {_said(code, action)}")
            self.sleep(wait)
            attempt += 1

    def _ask(
        self, client: Any, action: str, asked: dict[str, Any], part: str
    ) -> tuple[tuple[Item | None, bool, bool] | None, str, bool, bool]:
        """One attempt: what was answered, if it was; else its code, whether another may help; whether DynamoDB was reached."""
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        quiet.asking = True
        try:
            answer = getattr(client, action)(**({} if action == _BATCH else {"TableName": self._name}), **asked)
            if "x-amzn-requestid" not in answer["ResponseMetadata"]["HTTPHeaders"]:
                return None, "not DynamoDB", False, False  # botocore takes any 200 for an answer: a captive portal's page, say
            if answer.get("UnprocessedKeys"):  # some of a batch: DynamoDB has too much to do
                return None, "ProvisionedThroughputExceededException", True, True
            found = answer.get(part) if part else answer
            read = _READ.get(action) or plain
            return (read(found) if found else None, False, False), "", False, True
        except ClientError as error:
            code, told = _code(error), error.response.get("ResponseMetadata", {})
            if code == _FAILED:
                old = error.response.get("Item")
                return (plain(old) if old else None, True, told.get("RetryAttempts", 0) > 0), "", False, True
            broken = told.get("HTTPStatusCode", 0) >= 500
            return None, code, broken or code in PASSES or code in _THROTTLED, not broken
        except (BotoCoreError, HTTPClientError) as error:  # its message may hold what was sent
            return None, type(error).__name__, isinstance(error, HTTPClientError), False
        except (KeyError, TypeError, ValueError, AttributeError) as error:  # an answer that is none
            return None, type(error).__name__, False, False
        finally:
            quiet.asking = False


class Attempts:
    """0, 1, 2 ... for as long as a call may take: what others change at the same time is looked at again."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._deadline = table.monotonic() + table.timeout
        self._next = 0

    def __iter__(self) -> Attempts:
        return self

    def __next__(self) -> int:
        """Raises: `StoreUnavailable`."""
        attempt = self._next
        if attempt > _CALM:
            self._table.sleep(self._table.random() * _PAUSE)
            if self._table.monotonic() > self._deadline:
                raise StoreUnavailable("DynamoDB: too many change one item at once")
        self._next += 1
        return attempt


def place(kind: str, digest: bytes, shard: int = 0) -> str:
    """The key of an item."""
    from base64 import urlsafe_b64encode

    name = urlsafe_b64encode(digest).decode().rstrip("=")
    return f"{kind}.{name}.{shard}" if shard else f"{kind}.{name}"


def _by_place(found: dict[str, list[dict[str, Any]]]) -> dict[str, Item]:
    """The items of a batch, which is of one table."""
    (items,) = found.values()
    return {item[KEY]["S"]: plain(item) for item in items}


def _page(answer: dict[str, Any]) -> Item:
    """The items of a page of a scan, by place, and where the next one begins."""
    return {"items": {item[KEY]["S"]: plain(item) for item in answer["Items"]}, "next": answer.get("LastEvaluatedKey")}


_READ: dict[str, Callable[[Any], Item]] = {_BATCH: _by_place, _SCAN: _page}


def _said(code: str, action: str) -> str:
    if code == "AccessDeniedException":
        return f"the caller lacks dynamodb:{action.title().replace('_', '')} on it"
    return _SAID.get(code, code)


def _code(error: Any) -> str:
    code = str(error.response.get("Error", {}).get("Code") or "")
    return code if re.fullmatch(r"\w{1,64}", code) else "an unknown error"
