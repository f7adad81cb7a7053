"""How `RedisStore` reaches Redis: URLs and clients, passwords, sockets and TLS; and that no password is ever shown."""

from __future__ import annotations

import datetime
import pickle
import ssl
import subprocess
import sys
import traceback

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from authkit import ConfigurationError
from authkit.errors import StoreUnavailable
from authkit.stores._redis_way import way_to
from authkit.stores.redis_store import RedisStore
from tests.servers.fault_proxy import fault_proxy
from tests.servers.redis import SERVICE, redis_server

from .parts import admitted, rates

PASSWORD = "pw-3f8a1c5e9d7b"


def works(store):
    limiter = store.limiter("a", rates("5 per 300 days"))
    limiter.reset("k")
    found = admitted(limiter, times=9)
    store.close()
    return found == 5


def found(where):
    way = way_to(where, 0.1)
    assert not isinstance(way, ConfigurationError)
    return way


@pytest.fixture(scope="module")
def server():
    with redis_server() as server:
        yield server


@pytest.mark.parametrize(
    ("url", "kind", "addresses", "service"),
    [
        ("redis://h", "one", [("h", 6379)], ""),
        ("redis://u:p@h:1/3", "one", [("h", 1)], ""),
        ("redis://:p%40@[::1]:7000/", "one", [("::1", 7000)], ""),
        ("rediss://h:1?ssl_ca_certs=/x", "one", [("h", 1)], ""),
        ("unix:///run/redis%20x.sock?db=2", "one", [("/run/redis x.sock", 0)], ""),
        ("redis+cluster://u:p@a,b:7001,[::1]", "cluster", [("a", 6379), ("b", 7001), ("::1", 6379)], ""),
        ("rediss+cluster://a:1", "cluster", [("a", 1)], ""),
        ("redis+sentinel://a,b:26380/main/1", "sentinel", [("a", 26379), ("b", 26380)], "main"),
        ("redis+sentinel://:p@a/main?sentinel_password=q", "sentinel", [("a", 26379)], "main"),
    ],
)
def test_a_url_says_where_to_go(url, kind, addresses, service):
    way = found(url)
    assert (way.kind, way.addresses, way.service) == (kind, addresses, service)
    RedisStore(url)  # no I/O


@pytest.mark.parametrize(
    "url",
    [
        "", "redis:", "redis://", "h", "http://h", "redis+x://h", "mysql://h",
        "redis://h:x", "redis://h:99999", "redis://h/x", "redis://h/1/2", "redis://a,b", "redis://a,", "unix://",
        "unix+cluster:///x", "redis+cluster://", "redis+cluster://a,/", "redis+cluster://a/1",
        "redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel:///main", "redis+sentinel://a/main/x",
        "redis://h?x=1", "redis://h?socket_timeout=100", "redis://h?db=x", "redis://h?db", "redis://h?retry_on_timeout=1",
        "redis://h?ssl_ca_certs=/x", "rediss://h?ssl_cert_reqs=none", "rediss://h?ssl_check_hostname=false",
        "rediss://h?ssl_min_version=TLSv1", "redis://h?password=x", "redis://h?db=1&db=2", "redis://h#x", "redis://:a#b@h",
        None, 3, b"redis://h", object(),
    ],
)  # fmt: skip
def test_what_is_no_address_or_weakens_tls_is_a_configuration_error(url):
    with pytest.raises(ConfigurationError):
        RedisStore(url)


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefix": "a{b}"}, {"prefix": "a b"}, {"prefix": "x" * 65}, {"prefix": b"a"}, {"prefix": None},
        {"timeout": 0}, {"timeout": -1}, {"timeout": 61}, {"timeout": None}, {"timeout": True}, {"timeout": float("nan")},
    ],
)  # fmt: skip
def test_a_wrong_setting_is_a_configuration_error(wrong):
    with pytest.raises(ConfigurationError):
        RedisStore("redis://h", **wrong)


def test_no_message_and_no_traceback_of_ours_shows_a_password():
    for call in (
        lambda: RedisStore(f"redis://u:{PASSWORD}@h:x"),
        lambda: RedisStore(f"redis://u:{PASSWORD}@127.0.0.1:1").get("k"),
    ):
        with pytest.raises((ConfigurationError, StoreUnavailable)) as caught:
            call()
        error = caught.value
        assert PASSWORD not in str(error) + repr(error)
        assert error.__cause__ is None
        assert error.__context__ is None or error.__suppress_context__
        ours = traceback.TracebackException.from_exception(error, capture_locals=True)
        frames = [frame for frame in ours.stack if "/authkit/" in frame.filename]
        assert frames
        assert all(PASSWORD not in str(frame.locals) for frame in frames)
    store = RedisStore(f"redis://u:{PASSWORD}@h")
    assert PASSWORD not in repr(store) + str(vars(store)) + repr(store.limiter("a", rates("1/s"))) + repr(store.gate("g", 1))
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(store)


def test_a_password_opens_and_a_wrong_one_does_not():
    with redis_server() as server:
        server.say("CONFIG", "SET", "requirepass", PASSWORD)
        host = f"127.0.0.1:{server.port}"
        assert works(RedisStore(f"redis://:{PASSWORD}@{host}", timeout=5))
        assert works(RedisStore(f"redis://default:{PASSWORD}@{host}/2", timeout=5))
        for wrong in (f"redis://:no@{host}", f"redis://{host}"):
            with pytest.raises(StoreUnavailable, match="WRONGPASS"):
                RedisStore(wrong, timeout=5).get("k")


def test_a_number_chooses_the_database(server):
    one, two = RedisStore(f"{server.url}/1", timeout=5), RedisStore(f"{server.url}?db=2", timeout=5)
    assert one.add("k", 60)
    assert two.add("k", 60)
    assert not RedisStore(redis.Redis(port=server.port, db=1), timeout=5).add("k", 60)
    with pytest.raises(StoreUnavailable):
        RedisStore(f"{server.url}/99", timeout=5).get("k")


def test_a_unix_socket_will_do(tmp_path):
    path = tmp_path / "redis.sock"
    with redis_server("--unixsocket", str(path)):
        assert works(RedisStore(f"unix://{path}", timeout=5))
        assert works(RedisStore(redis.Redis(unix_socket_path=str(path)), timeout=5))


def test_a_client_gives_its_address_and_keeps_its_connections(server):
    client = redis.Redis(port=server.port, decode_responses=True, socket_timeout=None)
    store = RedisStore(client, timeout=5)
    assert works(store)
    assert store.add("bytes", 60, b"\xff")
    assert store.get("bytes") == b"\xff"
    store.close()
    assert client.ping()


def test_a_client_of_sentinels_gives_their_addresses():
    sentinel = redis.Sentinel([("a", 1), ("b", 2)], sentinel_kwargs={"password": PASSWORD})
    way = found(sentinel.master_for(SERVICE, password="p"))
    assert (way.kind, way.addresses, way.service) == ("sentinel", [("a", 1), ("b", 2)], SERVICE)


def test_a_clients_own_timeouts_are_not_ours(server):
    """A client made without any would wait for ever."""
    from time import monotonic

    store = RedisStore(redis.Redis(port=server.port, socket_timeout=None), timeout=0.1)
    assert works(store)
    server.freeze()
    try:
        start = monotonic()
        with pytest.raises(StoreUnavailable):
            store.get("k")
        assert monotonic() - start < 0.5
    finally:
        server.thaw()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost, that is its own authority: the server's context, and the file to trust."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return context, pem


def test_tls_checks_authority_and_name(server, certificate):
    context, pem = certificate
    with fault_proxy(server.port, context) as proxy:
        assert works(RedisStore(f"rediss://localhost:{proxy.port}?ssl_ca_certs={pem}", timeout=5))
        for wrong in (f"rediss://localhost:{proxy.port}", f"rediss://127.0.0.1:{proxy.port}?ssl_ca_certs={pem}"):
            with pytest.raises(StoreUnavailable, match="no connection"):
                RedisStore(wrong, timeout=5).get("k")
        with pytest.raises(StoreUnavailable):
            RedisStore(f"redis://localhost:{proxy.port}", timeout=1).get("k")
        client = redis.Redis("localhost", proxy.port, ssl=True, ssl_ca_certs=str(pem))
        assert works(RedisStore(client, timeout=5))


def test_redis_is_imported_when_a_store_is_made_and_not_before():
    program = (
        "import sys, authkit.stores.redis_store as s; assert 'redis' not in sys.modules; "
        "s.RedisStore('redis://h'); assert 'redis' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
