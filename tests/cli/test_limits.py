"""`authkit limits`: what is left for somebody of a limit that a program has, or that the command line states."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from authkit import Allow, Principal, Request, chain, cli, rate_limit
from authkit._run import run
from authkit._state import State
from authkit.cli._exits import Wrong
from authkit.cli._limit_key import key_of
from authkit.cli._limits import spelled
from authkit.limits import by_header, by_path
from authkit.stores import Rate, SqliteStore, open_store
from tests.cli.command import authkit, environment
from tests.guards.rate_parts import Known
from tests.servers.redis import free_port, redis_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.redis import RedisServer

PROGRAM = '''
"""A program with limits of every kind."""
import sys
from authkit import Request, Response, chain, rate_limit, Guard
from authkit.limits import by_header
from authkit.stores import MemoryStore, SqliteStore

print("loading")
store = SqliteStore("limits.db")

class Known(Guard):
    identifies = True

by_address = rate_limit("5/minute", "20/hour", name="address", store=store)
by_principal = rate_limit("3/minute", key="principal", name="user", store=store, algorithm="sliding-window")
by_key = rate_limit("4/minute", key=by_header("x-api-key"), name="keys", store=store, algorithm="fixed-window")
both = rate_limit("2/minute", key=("ip", lambda request: request.path), name="both", store=store)
api = chain(by_address, Known(), chain(by_principal), by_key)
nameless = rate_limit("5/minute", store=store)
own = rate_limit("5/minute", name="own", store=MemoryStore())
places = rate_limit("2 concurrent", "9/minute", name="places", store=store)

@both
def handler(request: Request) -> Response:
    return Response(200)

nothing = 1
'''

PEOPLE = """
from authkit.accounts import Accounts, LoginLimits, MemoryUsers
from authkit.stores import SqliteStore
from authkit import Tokens

key = "a key for these tests only, and long enough"
tokens = Tokens(key, issuer="https://a", audience="https://a", store=SqliteStore("tokens.db"))
limits = LoginLimits(account_here="5/hour", account=("30/day", "100/day"), address=("30/day", "300/day"), name="staff")
accounts = Accounts(MemoryUsers(), tokens, store=SqliteStore("limits.db"), limits=limits)
"""
GUESSING = """
from authkit.errors import InvalidCredentials
from people import accounts

for _ in range(3):
    try:
        accounts.authenticate("Alice", "a guess", client="203.0.113.7")
    except InvalidCredentials:
        pass
"""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def ask(place: Path, guard: str, *requests: str) -> None:
    """The program itself, in a process of its own, decides about requests."""
    decide = "handler" if guard == "handler" else f"{guard}.decide"
    lines = [
        f"from program import {guard}",
        "from authkit import Request",
        *(f"{decide}(Request.build({one}))" for one in requests),
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=place, env=environment(), check=True, capture_output=True)


def left(place: Path, *words: str, **env: str) -> dict[str, list[int]]:
    said = authkit("limits", "show", *words, "--json", cwd=place, **env)
    assert said.code == 0, said.err
    return {limit["name"]: [rate["left"] for rate in limit["rates"]] for limit in said.json["limits"]}


def test_what_is_left_is_told_and_nothing_is_taken(place: Path) -> None:
    ask(place, "by_address", *["peer='203.0.113.7'"] * 3)
    for _ in range(3):
        assert left(place, "ip:203.0.113.7", "--app", "program:by_address") == {"address": [2, 17]}
    assert left(place, "ip:203.0.113.8", "--app", "program:by_address") == {"address": [5, 20]}


def test_it_is_shown_to_people_as_a_table(place: Path) -> None:
    ask(place, "by_address", "peer='203.0.113.7'")
    said = authkit("limits", "show", "ip:203.0.113.7", "--app", "program:by_address", cwd=place)
    first, *rows = [line.split("  ") for line in said.out.splitlines()]
    assert [cell.strip() for cell in first if cell] == ["NAME", "LIMIT", "LEFT", "ONE MORE IN"]
    assert [[cell.strip() for cell in row if cell][:3] for row in rows] == [
        ["address", "5/minute", "4 of 5"],
        ["address", "20/hour", "19 of 20"],
    ]
    assert said.err == "loading\n"


def test_who_was_refused_sees_nothing_left_and_when_there_is_more(place: Path) -> None:
    ask(place, "by_address", *["peer='203.0.113.7'"] * 9)
    said = authkit("limits", "show", "ip:203.0.113.7", "--app", "program:by_address", "--json", cwd=place).json
    [minute, hour] = said["limits"][0]["rates"]
    assert (minute["count"], minute["period"], minute["burst"], minute["left"]) == (5, 60, 5, 0)
    assert 0 < minute["next"] <= 12
    assert hour["left"] == 15  # what was refused took nothing


def test_the_limits_of_a_program_are_listed_without_its_store(place: Path) -> None:
    said = authkit("limits", "show", "--app", "program", "--json", cwd=place)
    assert {limit["name"]: limit["algorithm"] for limit in said.json["limits"] if limit["rates"]} == {
        "address": "token-bucket",
        "user": "sliding-window",
        "keys": "fixed-window",
        "both": "token-bucket",
        None: "token-bucket",
        "own": "token-bucket",
        "places": "token-bucket",
    }
    assert [limit["concurrent"] for limit in said.json["limits"] if limit["concurrent"]] == [2]
    assert not any("held" in limit for limit in said.json["limits"])
    table = authkit("limits", "show", "--app", "program", cwd=place).out
    assert "5/minute, 20/hour" in table
    assert "2 concurrent" in table
    assert not (place / "limits.db").exists()


@pytest.mark.parametrize(
    ("app", "names"),
    [("program:api", ["address", "user", "keys"]), ("program:by_key", ["keys"]), ("program:handler", ["both"])],
)
def test_limits_are_found_in_a_chain_a_guard_and_a_guarded_handler(app: str, names: list[str], place: Path) -> None:
    said = authkit("limits", "show", "--app", app, "--json", cwd=place).json
    assert [limit["name"] for limit in said["limits"]] == names


def test_a_limit_of_a_program_is_chosen_by_its_name(place: Path) -> None:
    assert list(left(place, "ip:::1", "--app", "program:api", "--name", "address")) == ["address"]
    said = authkit("limits", "show", "ip:::1", "--app", "program:api", "--name", "other", cwd=place)
    assert said.code == 4
    assert "address, user, keys" in said.err


def test_of_several_limits_those_are_shown_that_count_by_such_a_key(place: Path) -> None:
    assert list(left(place, "ip:203.0.113.7", "--app", "program:api")) == [
        "address",
        "user",
        "keys",
    ]  # the anonymous by address
    assert list(left(place, "principal:alice", "--issuer", "", "--app", "program:api")) == ["user"]


def test_a_handlers_key_of_two_parts_takes_two_words(place: Path) -> None:
    ask(place, "handler", "'GET', '/a', peer='203.0.113.7'")
    assert left(place, "ip:203.0.113.7", "key:/a", "--app", "program:handler") == {"both": [1]}
    assert left(place, "ip:203.0.113.7", "key:/b", "--app", "program:handler") == {"both": [2]}
    said = authkit("limits", "show", "ip:203.0.113.7", "--app", "program:handler", cwd=place)
    assert said.code == 2
    assert "counts by ip and key" in said.err


def test_a_header_is_read_from_a_pipe_and_stays_out_of_everything(place: Path) -> None:
    ask(place, "by_key", "headers={'X-Api-Key': 'hunter2-Zx81Qw'}, peer='203.0.113.7'")
    words = ("limits", "show", "header", "--app", "program:by_key", "--json")
    said = authkit(*words, "--value-from", "-", cwd=place, stdin="hunter2-Zx81Qw\n")
    assert said.json["limits"][0]["rates"][0]["left"] == 3
    assert "hunter2" not in said.all
    assert authkit(*words, cwd=place).code == 2
    assert authkit("limits", "show", "header:hunter2-Zx81Qw", "--app", "program:by_key", cwd=place).code == 2


def test_reset_gives_everything_back_to_that_key_alone(place: Path) -> None:
    ask(place, "by_address", *["peer='203.0.113.7'"] * 3, "peer='203.0.113.8'")
    said = authkit("limits", "reset", "ip:203.0.113.7", "--app", "program:by_address", "--json", cwd=place)
    assert said.json == {"name": "address", "algorithm": "token-bucket", "left_before": [2, 17], "held_before": None}
    assert left(place, "ip:203.0.113.7", "--app", "program:by_address") == {"address": [5, 20]}
    assert left(place, "ip:203.0.113.8", "--app", "program:by_address") == {"address": [4, 19]}


def test_reset_wants_one_limit_and_one_key(place: Path) -> None:
    said = authkit("limits", "reset", "ip:::1", "--app", "program:api", cwd=place)
    assert said.code == 2
    assert "--name is one of address, user, keys" in said.err
    assert authkit("limits", "reset", "--app", "program:by_address", cwd=place).code == 2


IN_HAND = """
import subprocess, sys
from authkit import Request, Response
from program import places

@places
def handler(request):
    print(subprocess.run(sys.argv[1:], capture_output=True, text=True).stdout)
    return Response(200)

handler(Request.build(peer="203.0.113.7"))
"""


def test_requests_that_are_being_handled_are_shown_and_let_go_of(place: Path) -> None:
    """Asked while the program handles one; it says how many are in, and of a limit by time what is left."""

    def meanwhile(*words: str) -> str:
        command = [sys.executable, "-c", IN_HAND, sys.executable, "-m", "authkit.cli", "limits", *words]
        done = subprocess.run(command, cwd=place, env=environment(), check=True, capture_output=True, text=True)
        return done.stdout.partition("\n")[2]

    app = ("ip:203.0.113.7", "--app", "program:places", "--json")
    stated = ("ip:203.0.113.7", "--limit", "9/minute", "--limit", "2 concurrent", "--name", "places", "--json")
    [shown] = json.loads(meanwhile("show", *stated, "--store", "sqlite:///limits.db"))["limits"]
    assert (shown["concurrent"], shown["held"], shown["rates"][0]["left"]) == (2, 1, 8)
    assert json.loads(meanwhile("reset", *app))["held_before"] == 1
    assert "2 concurrent  1 of 2" in meanwhile("show", *app[:-1])
    said = authkit("limits", "reset", *app[:-1], cwd=place).out.splitlines()
    assert said == [
        "places: all permits are there again (8 of 9 were left)",
        "places: all places are free again (0 of 2 were held)",
    ]


def test_a_limit_of_places_alone_is_looked_at(place: Path) -> None:
    stated = ("--limit", "3 concurrent", "--name", "n", "--store", "sqlite:///limits.db", "--json")
    gate = SqliteStore(place / "limits.db").gate("n", 3)
    for number in range(3):
        gate.enter("everybody", f"h{number}", 600)
    shown = authkit("limits", "show", "global", *stated, cwd=place).json["limits"][0]
    assert (shown["held"], shown["rates"]) == (3, [])
    assert authkit("limits", "reset", "global", *stated, cwd=place).json["held_before"] == 3
    assert gate.held("everybody") == 0
    assert authkit("limits", "show", "global", *stated, "--burst", "3", cwd=place).code == 2


def test_a_stated_limit_is_the_same_as_the_programs(place: Path) -> None:
    """Name, rates and algorithm say which limit it is: no program is needed."""
    ask(place, "by_address", *["peer='2001:db8:1:2::9'"] * 2)
    stated = ("--limit", "5/minute", "--limit", "20 per 60 minutes", "--name", "address", "--store", "sqlite:///limits.db")
    assert left(place, "ip:2001:db8:1:2::77", *stated) == {"address": [3, 18]}
    said = authkit("limits", "reset", "ip:2001:db8:1:2::1", *stated, cwd=place)
    assert said.out == "address: all permits are there again (3 of 5, 18 of 20 were left)\n"
    assert left(place, "ip:2001:db8:1:2::77", "--app", "program:by_address") == {"address": [5, 20]}


def test_the_logins_of_an_account_are_looked_at_and_reset(tmp_path: Path) -> None:
    (tmp_path / "people.py").write_text(PEOPLE)
    subprocess.run([sys.executable, "-c", GUESSING], cwd=tmp_path, env=environment(), check=True)
    app = ("--app", "people:accounts")
    assert left(tmp_path, "account:ALICE", *app) == {"staff:account": [27, 97]}
    assert left(tmp_path, "account:alice", "ip:203.0.113.7", *app) == {"staff:here": [2]}
    assert left(tmp_path, "ip:203.0.113.7", *app) == {"staff:address": [27, 297]}
    assert left(tmp_path, "account:bob", *app) == {"staff:account": [30, 100]}
    for key in (["account:alice"], ["account:alice", "ip:203.0.113.7"]):
        assert authkit("limits", "reset", *key, *app, cwd=tmp_path).code == 0
    assert left(tmp_path, "account:alice", *app) == {"staff:account": [30, 100]}
    assert left(tmp_path, "account:alice", "ip:203.0.113.7", *app) == {"staff:here": [5]}
    assert authkit("limits", "show", "account:a\u200b", *app, cwd=tmp_path).code == 2


@pytest.mark.parametrize("algorithm", ["token-bucket", "sliding-window", "fixed-window"])
def test_a_limit_on_a_server_is_looked_at_and_reset(algorithm: Any, redis: RedisServer, tmp_path: Path) -> None:
    url = f"{redis.url}?timeout=10"
    guard = rate_limit("5/day", name="api", store=open_store(url), algorithm=algorithm)
    assert [isinstance(guard.decide(Request.build(peer="203.0.113.7")), Allow) for _ in range(7)] == [True] * 5 + [False] * 2
    stated = ("ip:203.0.113.7", "--limit", "5/day", "--name", "api", "--algorithm", algorithm)
    assert left(tmp_path, *stated, AUTHKIT_STORE=url) == {"api": [0]}
    assert authkit("limits", "reset", *stated, "--store", url, "--json", cwd=tmp_path).json["left_before"] == [0]
    assert left(tmp_path, *stated, AUTHKIT_STORE=url) == {"api": [5]}
    again = rate_limit("5/day", name="api", store=open_store(url), algorithm=algorithm)  # as in another process
    assert isinstance(again.decide(Request.build(peer="203.0.113.7")), Allow)


def test_a_server_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    stated = ("ip:203.0.113.7", "--limit", "5/day", "--name", "api", "--store", f"redis://127.0.0.1:{free_port()}")
    for action in ("show", "reset"):
        said = authkit("limits", action, *stated, "--json", cwd=tmp_path)
        assert (said.code, said.json["error"]) == (5, "unavailable")


def test_the_algorithm_and_the_burst_of_a_stated_limit_count(place: Path) -> None:
    stated = ("--limit", "4/minute", "--name", "n", "--store", "sqlite:///limits.db")
    SqliteStore(place / "limits.db").limiter("n", (Rate(4, 60),), "sliding-window").take("everybody")
    SqliteStore(place / "limits.db").limiter("n", (Rate(4, 60, 9),)).take("everybody", 5)
    assert left(place, "global", *stated, "--algorithm", "sliding-window") == {"n": [3]}
    assert left(place, "global", *stated, "--burst", "9") == {"n": [4]}
    assert left(place, "global", *stated) == {"n": [4]}
    said = authkit("limits", "show", "global", *stated, "--burst", "9", "--algorithm", "fixed-window", cwd=place)
    assert (said.code, said.out) == (2, "")


def test_what_a_program_counts_by_itself_is_told_by_the_stores_own_key(place: Path) -> None:
    SqliteStore(place / "limits.db").limiter("login:address", (Rate(30, 60),)).take("203.0.113.7")
    stated = ("--limit", "30/minute", "--name", "login:address", "--store", "sqlite:///limits.db")
    assert left(place, "raw:203.0.113.7", *stated) == {"login:address": [29]}


@pytest.mark.parametrize(
    ("app", "why"),
    [("program:own", "memory of each process"), ("program:nameless", "no name")],
)
def test_a_limit_that_cannot_be_looked_at_from_here_says_why(app: str, why: str, place: Path) -> None:
    for action in ("show", "reset"):
        said = authkit("limits", action, "ip:203.0.113.7", "--app", app, cwd=place)
        assert (said.code, said.out) == (2, "")
        assert why in said.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["ip:::1"], 2),
        (["ip:::1", "--app", "program:api", "--limit", "1/s"], 2),
        (["ip:::1", "--app", "program:api", "--store", "sqlite:///limits.db"], 2),
        (["ip:::1", "--app", "program:api", "--burst", "3"], 2),
        (["ip:::1", "--app", "not a module"], 2),
        (["ip:::1", "--app", "no_such_module"], 2),
        (["ip:::1", "--app", "program:no_such_name"], 4),
        (["ip:::1", "--app", "program:nothing"], 4),
        (["ip:::1", "--limit", "5/minute", "--store", "sqlite:///limits.db"], 2),
        (["ip:::1", "--limit", "5/fortnight", "--name", "n", "--store", "sqlite:///limits.db"], 2),
        (["ip:::1", "--limit", "5/minute", "--name", "n", "--store", "sqlite:///limits.db"], 4),
        (["ip:::1", "--limit", "5/minute", "--name", "n", "--store", "memory:"], 2),
        (["ip:not-an-address", "--app", "program:by_address"], 2),
        (["alice", "--app", "program:by_principal"], 2),
        (["ip:", "--app", "program:by_address"], 2),
        (["global:x", "--app", "program:by_address"], 2),
        (["principal:alice", "--app", "program:by_principal"], 2),
        (["principal:alice", "--issuer", "", "--app", "program:by_address"], 2),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_what_cannot_be_meant_is_refused(
    words: list[str], code: int, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    try:
        assert cli.main(["limits", "show", *words, "--json"]) == code
    finally:
        sys.modules.pop("program", None)
    said = capsys.readouterr()
    assert set(json.loads(said.out)) == {"error", "message"}
    assert said.err.removeprefix("loading\n").startswith("authkit: ")
    assert "Traceback" not in said.err


@pytest.mark.parametrize("statement", ["raise ValueError('hunter2-Zx81Qw')", "raise SystemExit(3)", "import no_such_module"])
def test_a_program_that_does_not_load_is_told_by_kind_and_place_only(statement: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(f"x = 1\n{statement}\n")
    said = authkit("limits", "show", "--app", "broken", cwd=tmp_path)
    assert (said.code, said.out) == (2, "")
    assert "line 2" in said.err
    assert "hunter2" not in said.err


# The key is the guard's own


def counted(guard: Any, request: Request, principal: Principal | None = None) -> str:
    """The key under which the guard itself counts that request."""
    seen: list[str] = []
    request.state = State()
    request.state.principal = principal
    guard._key = (lambda read: lambda request: seen.append(read(request)) or seen[-1])(guard._key)
    run(guard.check(request))
    return seen[0]


@pytest.mark.parametrize("prefix", [48, 64, 128])
@pytest.mark.parametrize(
    "address", ["203.0.113.7", "2001:db8:1:2:3:4:5:6", "::1", "::ffff:203.0.113.7", "2001:DB8::1"]
)  # fmt: skip
def test_an_address_is_the_key_that_the_guard_counts(address: str, prefix: int) -> None:
    guard = rate_limit("5/minute", ipv6_prefix=prefix)
    assert key_of([f"ip:{address}"], guard.limit.parts, prefix=prefix) == counted(guard, Request.build(peer=address))


@pytest.mark.parametrize("issuer", [None, "https://login.example.com"])
@pytest.mark.parametrize("subject", ["alice", "a:b", "x" * 500, "Ünï"])
def test_a_principal_is_the_key_that_the_guard_counts(subject: str, issuer: str | None) -> None:
    guard = rate_limit("5/minute", key="principal")
    chain(Known(), guard).prepare()
    theirs = counted(guard, Request.build(), Principal(subject, issuer=issuer))
    assert key_of([f"principal:{subject}"], guard.limit.parts, issuer=issuer or "") == theirs


def test_who_is_anonymous_or_sends_no_header_is_told_by_address() -> None:
    for key in ("principal", by_header("x-api-key")):
        guard = rate_limit("5/minute", key=key)
        assert key_of(["ip:203.0.113.7"], guard.limit.parts) == counted(guard, Request.build(peer="203.0.113.7"))


def test_a_header_a_path_and_several_parts_are_the_keys_that_the_guard_counts() -> None:
    guard = rate_limit("5/minute", key=("ip", by_path, by_header("x-api-key"), "global"))
    request = Request.build("GET", "/a", {"X-Api-Key": "k"}, peer="203.0.113.7")
    words = ["ip:203.0.113.7", "key:path /a", "header", "global"]
    assert key_of(words, guard.limit.parts, value=lambda: "k") == counted(guard, request)


def test_an_address_behind_a_proxy_is_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHKIT_TRUSTED_PROXIES", "10.0.0.0/8")
    guard = rate_limit("5/minute")
    request = Request.build(headers={"X-Forwarded-For": "203.0.113.7"}, peer="10.0.0.1")
    assert key_of(["ip:203.0.113.7"], guard.limit.parts) == counted(guard, request)


def test_words_that_a_part_cannot_mean_are_wrong() -> None:
    for words, parts in (
        (["key:a"], ("ip",)),
        (["ip:::1"], ("global",)),
        ([], ("ip",)),
        (["header"], None),
        (["raw:a", "ip:::1"], None),
        (["ip:::1", "account:alice"], None),
        (["account:a", "account:b"], None),
    ):
        with pytest.raises(Wrong):
            key_of(words, parts)


@pytest.mark.parametrize("text", ["10/second", "5 per 2 hours", "100/minute", "1/day", "7 per 90 seconds"])
def test_a_rate_is_spelled_as_it_is_read(text: str) -> None:
    assert Rate.parse(spelled(Rate.parse(text))) == Rate.parse(text)
    assert spelled(Rate.parse(text, 3)).endswith(", burst 3")


def test_looking_leaves_the_working_directory_as_it_was(place: Path) -> None:
    authkit("limits", "show", "--app", "program", cwd=place, PYTHONDONTWRITEBYTECODE="1")
    assert set(os.listdir(place)) == {"program.py"}
