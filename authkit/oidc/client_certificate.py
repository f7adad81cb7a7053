"""`ClientCertificate`: where the certificate stands that the client has shown in the TLS handshake, and who may say so."""

from __future__ import annotations

from binascii import Error, a2b_base64
from hashlib import sha256

from ..address import ClientAddress
from ..errors import ConfigurationError
from ..tokens import base64url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._network_sources import NetworkSource
    from ..http import Request

MAX_CERTIFICATE = 65_536  # characters, of a whole chain
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class ClientCertificate:
    """One of the places, by its class methods; or `read`, a function of the request that gives PEM, DER, or None.

    Whoever terminates TLS has seen that the client holds the certificate's key; nothing here can. Not checked: its chain and
    its dates: of a bound token (RFC 8705) only the thumbprint counts. Raises: `ConfigurationError`.
    """

    def __init__(self, read: Callable[[Request], str | bytes | None], client: ClientAddress | None = None) -> None:
        if not callable(read) or isinstance(read, type):
            raise ConfigurationError("certificate is a ClientCertificate, or a function of the request that gives PEM or DER")
        self._read = read
        self._client = client

    @classmethod
    def api_gateway(cls) -> ClientCertificate:
        """A custom domain of API Gateway with mutual TLS: what its event says. Disable the default endpoint, which has none."""
        return cls(_of_event)

    @classmethod
    def header(cls, name: str, *trusted_proxies: str | NetworkSource, client: ClientAddress | None = None) -> ClientCertificate:
        """A header that a proxy in `trusted_proxies` sets: URL-encoded PEM, or `:base64:` of DER (RFC 9440).

        Of any other peer it is not read. Trusts that the proxy sets or removes it in each request: nginx with `proxy_set_header
        X-Client-Cert $ssl_client_escaped_cert`, say. `client`: a `ClientAddress` that names the proxies instead.
        """
        if type(name) is not str or not name or not name.isascii() or not name.replace("-", "").isalnum():
            raise ConfigurationError("the header of a client certificate is the name of a request header")
        if (client is None) is not bool(trusted_proxies):
            raise ConfigurationError("the header of a client certificate is read from trusted proxies alone: name them")
        return cls(lambda request: _of_header(request, name), client or ClientAddress(trusted_proxies))

    @classmethod
    def alb(cls, *subnets: str | NetworkSource, leaf: bool = False) -> ClientCertificate:
        """An Application Load Balancer with mutual TLS, in these subnets; without any, only of a Lambda target.

        `leaf`: its mode is "verify", which has another header than "passthrough". Trusts that mutual TLS is on at each of its
        listeners: where it is off, the header is whatever the client has sent.
        """
        name = "x-amzn-mtls-clientcert-leaf" if leaf else "x-amzn-mtls-clientcert"
        if subnets:
            return cls.header(name, *subnets)
        return cls(lambda request: _of_header(request, name) if _is_alb_event(request) else None)

    async def thumbprint(self, request: Request) -> str | None:
        """SHA-256 of the certificate (`x5t#S256`); None if there is none. Raises: `Unavailable` as a list of proxies does."""
        client = self._client
        if client is not None:
            if client.waits:
                await client.load()
            if not client.is_trusted_peer(request):
                return None
        der = _der(self._read(request))
        return None if der is None else base64url.encode(sha256(der).digest()).decode()


def _of_header(request: Request, name: str) -> str | bytes | None:
    lines = request.field(name)
    # A second line is somebody's attempt to be believed instead. Some hosts join them before we see them; none holds a comma.
    if len(lines) != 1 or not 0 < len(lines[0]) <= MAX_CERTIFICATE or "," in lines[0]:
        return None
    text = lines[0].strip(" \t")
    if text[:1] == ":":
        return _decoded(text[1:-1]) if len(text) > 2 and text[-1] == ":" else None
    from urllib.parse import unquote

    return unquote(text, errors="replace")  # "+" stands for itself, in base64


def _of_event(request: Request) -> str | None:
    event = request.native
    if request.host != "aws_lambda" or not isinstance(event, dict):
        return None
    context = event.get("requestContext")
    for place in ("identity", "authentication"):
        found: Any = context
        for step in (place, "clientCert", "clientCertPem"):
            found = found.get(step) if isinstance(found, dict) else None
        if isinstance(found, str) and found:
            return found
    return None


def _is_alb_event(request: Request) -> bool:
    context = request.native.get("requestContext") if isinstance(request.native, dict) else None
    return request.host == "aws_lambda" and isinstance(context, dict) and "elb" in context


def _der(found: object) -> bytes | None:
    """The first certificate, which is the client's own: those of its chain come after it, and nothing else stands there."""
    if isinstance(found, bytes) and found[:1] == b"\x30":
        return found
    text = found.decode("ascii", "replace") if isinstance(found, bytes) else found
    if not isinstance(text, str) or len(text) > MAX_CERTIFICATE:
        return None
    before, begin, rest = text.partition(_BEGIN)
    body, end, chain = rest.partition(_END)
    if not (begin and end) or before.strip() or chain.strip()[: len(_BEGIN)] not in ("", _BEGIN):
        return None
    return _decoded("".join(body.split()))


def _decoded(text: str) -> bytes | None:
    try:
        return a2b_base64(text.encode("ascii"), strict_mode=True) or None
    except (Error, ValueError):
        return None
