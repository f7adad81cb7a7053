"""AWS on loopback: moto's server, and a strict stub for what moto does not do.

moto           (fixture) the address of a moto server, empty
strict_aws     (fixture) `StrictAws`: Secrets Manager, SSM's parameters and STS with faults on order; counts its calls
client(...)    a botocore client for either
AWS_ENV        what a process needs in its environment to sign requests to them

strict_aws.fail("GetSecretValue", "ThrottlingException", times=2)
strict_aws.deny("GetSecretValue")                    # AccessDeniedException, in AWS's words
strict_aws.drop("PutSecretValue", after=True)        # done, and the connection closed without an answer
strict_aws.calls["GetSecretValue"], strict_aws.calls["GetSecretValue", "AWSPENDING"]
"""

from __future__ import annotations

import collections
import contextlib
import functools
import http.server
import json
import threading
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.servers.aws_parameters import ParametersApi
from tests.servers.aws_secretsmanager import ACCOUNT, AwsError, SecretsManagerApi

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "us-east-1"
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/session"
AWS_ENV = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "stub-key-of-nobody",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "NO_PROXY": "127.0.0.1",
}


def client(service: str, endpoint: str, **config: Any) -> Any:
    """A client of botocore's for tests to arrange with; it does not retry, so that faults are seen as they come."""
    from botocore.config import Config

    with _making:  # making a client is not for several threads
        return _session().create_client(
            service,
            region_name=REGION,
            endpoint_url=endpoint,
            aws_access_key_id=AWS_ENV["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=AWS_ENV["AWS_SECRET_ACCESS_KEY"],
            config=Config(**{"retries": {"total_max_attempts": 1}, **config}),
        )


def keep(secrets: Any, name: str, value: str | bytes, **options: Any) -> None:
    """Have Secrets Manager keep `value` as AWSCURRENT of that secret, made if need be."""
    field = {"SecretString": value} if isinstance(value, str) else {"SecretBinary": value}
    try:
        secrets.put_secret_value(SecretId=name, **field, **options)
    except secrets.exceptions.ResourceNotFoundException:
        secrets.create_secret(Name=name, **field, **options)


_making = threading.Lock()


@functools.cache
def _session() -> Any:
    """One for all: what AWS's services look like is then read from the disk once."""
    from botocore.session import Session

    return Session()


class MotoServer:
    """A moto server on an ephemeral port. Importing moto takes a second: one for all tests, emptied before each."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"

    def reset(self) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST"), timeout=10).close()

    def close(self) -> None:
        self._server.stop()


class Fault(NamedTuple):
    """What goes wrong, and with which calls."""

    action: str
    kind: str  # "error", "deny", "slow", "drop" or "html"
    left: list[int]  # how many calls it still strikes
    code: str = ""
    message: str = ""
    stage: str | None = None
    after: bool = False
    seconds: float = 0.0


class StrictAws(http.server.ThreadingHTTPServer):
    """The stub. `calls`: how often each action, and each (action, stage), was asked; `asked`: every request, in order;
    `keys`: the access keys that signed them."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.secrets = SecretsManagerApi(REGION)
        self.parameters = ParametersApi(REGION)
        self.calls: collections.Counter[Any] = collections.Counter()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[str] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._serving = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._serving.start()

    def client(self, service: str = "secretsmanager", **config: Any) -> Any:
        """A botocore client that talks to this server."""
        return client(service, self.endpoint, **config)

    def fail(
        self,
        action: str,
        code: str,
        message: str = "no",
        *,
        times: int = 1 << 30,
        stage: str | None = None,
        after: bool = False,
    ) -> None:
        """HTTP 400 with that code (500 for InternalServiceError). `after`: the action is carried out all the same."""
        self._faults.append(Fault(action, "error", [times], code, message, stage, after))

    def deny(self, action: str, *, times: int = 1 << 30, stage: str | None = None) -> None:
        """AccessDeniedException as IAM words it."""
        self._faults.append(Fault(action, "deny", [times], "AccessDeniedException", stage=stage))

    def slow(self, action: str, seconds: float, *, times: int = 1 << 30) -> None:
        """Answer, but late."""
        self._faults.append(Fault(action, "slow", [times], seconds=seconds))

    def drop(self, action: str, *, times: int = 1 << 30, after: bool = False) -> None:
        """Close the connection without an answer. `after`: the action is carried out first."""
        self._faults.append(Fault(action, "drop", [times], after=after))

    def html(self, action: str, *, times: int = 1 << 30) -> None:
        """HTTP 200 with a page of HTML, as a captive proxy answers."""
        self._faults.append(Fault(action, "html", [times]))

    def mend(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults.clear()

    def strikes(self, action: str, stage: str | None) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.action in (action, "*") and fault.stage in (None, stage) and fault.left[0] > 0:
                    fault.left[0] -= 1
                    return fault
        return None

    def count(self, action: str, asked: dict[str, Any], key: str) -> None:
        with self._lock:
            self.calls[action] += 1
            if "VersionStage" in asked:
                self.calls[action, asked["VersionStage"]] += 1
            self.asked.append((action, asked))
            self.keys.append(key)

    def wait(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def handle_error(self, *_: object) -> None:
        """Whoever asked has gone."""

    def close(self) -> None:
        """Stop serving and release the port: whoever asks now is refused the connection."""
        if not self._stopped.is_set():
            self._stopped.set()
            self.shutdown()
            self._serving.join()
            self.server_close()


@contextlib.contextmanager
def strict() -> Iterator[StrictAws]:
    """A `StrictAws`, closed at the end."""
    server = StrictAws()
    try:
        yield server
    finally:
        server.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: StrictAws
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = self.headers.get("X-Amz-Target")
        key = self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        if target is None:
            form = dict(urllib.parse.parse_qsl(body.decode()))
            self._sts(form.pop("Action", ""), form, key)
            return
        service, _, action = target.partition(".")
        api = self.server.secrets if service == "secretsmanager" else self.server.parameters
        asked = json.loads(body)
        self.server.count(action, asked, key)
        fault = self.server.strikes(action, asked.get("VersionStage"))
        if fault is not None and fault.kind == "slow":
            self.server.wait(fault.seconds)
            fault = None
        done: AwsError | dict[str, Any] = AwsError("MissingAuthenticationTokenException", "Missing Authentication Token")
        if key and (fault is None or fault.after):
            try:
                done = api.answer(action, asked)
            except AwsError as error:
                done = error
        if fault is not None:
            if fault.kind == "drop":
                self.close_connection = True
                return
            if fault.kind == "html":
                self._send(200, b"<html><body>Please log in</body></html>", "text/html")
                return
            message = fault.message
            if fault.kind == "deny":
                message = (
                    f"User: {CALLER} is not authorized to perform: {api.service}:{action} on resource: {api.resource(asked)} "
                    f"because no identity-based policy allows the {api.service}:{action} action"
                )
            done = AwsError(fault.code, message)
        if isinstance(done, AwsError):
            status = 500 if done.code.startswith("InternalServ") else 400
            self._send(status, json.dumps({"__type": done.code, "message": done.message}).encode())
        else:
            self._send(200, json.dumps(done).encode())

    def _sts(self, action: str, form: dict[str, str], key: str) -> None:
        self.server.count(action, form, key)
        fault = self.server.strikes(action, None)
        if action != "AssumeRole" or fault is not None:
            code = fault.code if fault is not None else "InvalidAction"
            message = f"User: {CALLER} is not authorized to perform: sts:AssumeRole on resource: {form.get('RoleArn')}"
            told = f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
            body = f"<ErrorResponse><Error>{told}</Error></ErrorResponse>"
            self._send(403, body.encode(), "text/xml")
            return
        self._send(
            200,
            (
                '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
                "<AccessKeyId>ASIAASSUMEDROLE00000</AccessKeyId><SecretAccessKey>stub</SecretAccessKey>"
                "<SessionToken>stub</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
                f"<AssumedRoleUser><Arn>{form['RoleArn']}/x</Arn><AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser>"
                "</AssumeRoleResult></AssumeRoleResponse>"
            ).encode(),
            "text/xml",
        )

    def _send(self, status: int, body: bytes, kind: str = "application/x-amz-json-1.1") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "00000000-0000-4000-8000-000000000000")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""
