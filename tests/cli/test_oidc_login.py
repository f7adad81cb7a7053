"""`authkit oidc login`, against a real provider's pages; and what anybody else on the machine may bring to its address."""

from __future__ import annotations

import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from authkit.cli._exits import Failed
from authkit.cli._oidc_client import Client
from authkit.cli._oidc_flow import begun
from authkit.cli._oidc_loopback import REFUSED, TAKEN
from authkit.oidc import OIDCProvider, TokenProfile
from authkit.testing import FakeIssuer
from tests.cli.command import SECONDS, Said, authkit, start
from tests.cli.test_documented import members as documented
from tests.servers.oidc_provider import has_node, oidc_provider
from tests.servers.person import Person

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.oidc_provider import OidcProviderServer

pytestmark = pytest.mark.skipif(not has_node(), reason="no node on this machine")

BROWSER = """
import os, sys, time
print("noise")
place = os.path.dirname(__file__)
with open(place + "/half", "w") as file:
    file.write(sys.argv[1])
os.rename(place + "/half", place + "/seen")
for _ in range(1200):
    if os.path.exists(place + "/closed"):
        break
    time.sleep(0.05)
"""
SECRET = "web-secret-0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def op() -> Iterator[OidcProviderServer]:
    with oidc_provider() as running:
        yield running
        running.faults([])


class Waiting:
    """The command, which waits for a browser. `address`: where it wants it; `asked`: the fields of that."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.words = process.stderr.readline().decode()
        self.address = process.stderr.readline().decode().strip()
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(self.address).query).items()}
        self.back = self.asked["redirect_uri"]

    def bring(self, **fields: str) -> httpx.Response:
        return httpx.get(f"{self.back}?{urlencode(fields)}", trust_env=False, timeout=30)

    def end(self) -> Said:
        out, err = self.process.communicate(timeout=SECONDS)
        return Said(self.process.returncode, out.decode(), err.decode())


@contextmanager
def waiting(issuer: str, *words: str, cwd: Path, client: str = "spa", **env: str) -> Iterator[Waiting]:
    browser = () if "BROWSER" in env else ("--no-browser",)
    process = start("oidc", "login", issuer, "--client-id", client, *browser, *words, cwd=cwd, piped=False, **env)
    try:
        yield Waiting(process)
    finally:
        process.kill()
        process.communicate()


def walked(found: Waiting, person: Person, **more: Any) -> str:
    """Through the provider's pages to the address that its answer is brought to."""
    return person.go(found.address, found.back, **more)


class TestWho:
    def test_somebody_logs_in_and_is_told_who_they_are(self, op: OidcProviderServer, tmp_path: Path) -> None:
        with Person() as alice, waiting(op.issuer, "--scope", "email", "--scope", "profile", cwd=tmp_path) as found:
            page = httpx.get(walked(found, alice), trust_env=False)
            said = found.end()
        assert (said.code, said.err) == (0, "")
        for text in ("logged in", "alice", op.issuer, "Alice Example", "alice@example.test"):
            assert text in said.out
        assert (page.status_code, page.content) == (200, TAKEN)
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert found.asked["code_challenge_method"] == "S256"
        assert found.asked["scope"] == "openid email profile"
        assert len({found.asked[name] for name in ("state", "nonce", "code_challenge")}) == 3

    def test_the_json_is_the_result_and_holds_no_token_unless_it_is_asked_for(
        self, op: OidcProviderServer, tmp_path: Path
    ) -> None:
        members, _ = documented("oidc login")
        with Person("bob") as bob:
            for reveal in ((), ("--reveal",)):
                with waiting(op.issuer, "--json", "--scope", "email", *reveal, cwd=tmp_path) as found:
                    httpx.get(walked(found, bob), trust_env=False)
                    said = found.end()
                assert said.code == 0, said.err
                assert said.json["subject"] == "bob"
                assert (said.json["email"], said.json["unverified_email"]) == (None, "bob@example.test")
                assert set(said.json) == members - (
                    {"refresh_token"} if reveal else {"access_token", "id_token", "refresh_token"}
                )
                assert ("eyJ" in said.all) == bool(reveal)

    def test_more_may_be_asked_but_nothing_that_is_ours_to_say(self, op: OidcProviderServer, tmp_path: Path) -> None:
        words = ("--parameter", "prompt=login", "--parameter", "ui_locales=de en")
        with Person() as alice, waiting(op.issuer, *words, cwd=tmp_path) as found:
            assert (found.asked["prompt"], found.asked["ui_locales"]) == ("login", "de en")
            httpx.get(walked(found, alice), trust_env=False)
            assert found.end().code == 0
        for wrong in (
            ("state=x",),
            ("nonce=x",),
            ("max_age=0",),
            ("redirect_uri=x",),
            ("prompt",),
            ("=x",),
            ("prompt=a", "prompt=b"),
        ):
            more = [word for one in wrong for word in ("--parameter", one)]
            said = authkit("oidc", "login", op.issuer, "--client-id", "spa", "--no-browser", *more, cwd=tmp_path)
            assert (said.code, said.out) == (2, ""), wrong

    def test_a_client_may_have_a_secret_and_its_own_port(self, op: OidcProviderServer, tmp_path: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = ("--client-secret-env", "WEB_SECRET", "--port", str(port), "--scope", "profile")
        with Person() as alice, waiting(op.issuer, *words, cwd=tmp_path, client="web", WEB_SECRET=SECRET) as found:
            assert found.back == f"http://127.0.0.1:{port}/callback"
            httpx.get(walked(found, alice), trust_env=False)
            said = found.end()
        assert said.code == 0, said.err
        assert SECRET not in said.all + found.address

    def test_a_browser_is_opened_and_may_last_as_long_as_it_likes(self, op: OidcProviderServer, tmp_path: Path) -> None:
        """It writes, too, where the command must not be disturbed."""
        (tmp_path / "browser.py").write_text(BROWSER)
        browser = f"{sys.executable} {tmp_path / 'browser.py'} %s"
        with Person() as alice, waiting(op.issuer, "--json", cwd=tmp_path, BROWSER=browser) as found:
            httpx.get(walked(found, alice), trust_env=False)
            said = found.end()
        assert said.json["subject"] == "alice"
        end = time.monotonic() + SECONDS
        while not (tmp_path / "seen").exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert (tmp_path / "seen").read_text() == found.address
        (tmp_path / "closed").touch()


class TestRefused:
    def test_who_says_no_at_the_provider_is_not_logged_in(self, op: OidcProviderServer, tmp_path: Path) -> None:
        with Person() as alice, waiting(op.issuer, "--json", cwd=tmp_path) as found:
            page = httpx.get(walked(found, alice, cancels=True), trust_env=False)
            said = found.end()
        assert (said.code, said.json["error"]) == (1, "failed")
        assert said.err == "authkit: the provider gives no code: access_denied\n"
        assert page.content == TAKEN

    def test_answers_to_no_attempt_end_nothing(self, op: OidcProviderServer, tmp_path: Path) -> None:
        with Person() as alice, waiting(op.issuer, cwd=tmp_path) as found:
            good = walked(found, alice)
            code = parse_qs(urlsplit(good).query)["code"][0]
            state = found.asked["state"]
            bad = [
                httpx.get(address, trust_env=False)
                for address in (
                    f"{found.back}?code={code}",
                    f"{found.back}?code={code}&state=",
                    f"{found.back}?code={code}&state={state[:-1]}",
                    f"{found.back}?code={code}&state={state}&state={state}",
                    f"{found.back}?code={code}&code=x&state={state}",
                    f"{found.back}?code=%ff&state={state}",
                    f"{found.back}?error=access_denied&state=x",
                    f"{found.back}?{'&'.join(f'x{number}=1' for number in range(100))}&state={state}",
                    f"{found.back}/?code={code}&state={state}",
                    f"{found.back.removesuffix('callback')}?code={code}&state={state}",
                    found.back.replace("/callback", "/favicon.ico"),
                )
            ]
            bad.append(httpx.get(good, headers={"host": "evil.example"}, trust_env=False))
            bad.append(httpx.post(good, trust_env=False))
            assert {(page.status_code, page.content) for page in bad} == {(400, REFUSED), (404, REFUSED), (501, REFUSED)}
            assert httpx.get(good, trust_env=False).status_code == 200
            assert found.end().code == 0

    @pytest.mark.parametrize(
        ("fields", "code", "says"),
        [
            ({"code": "forged"}, 1, "the token endpoint refused the grant: invalid_grant"),
            ({}, 1, "neither a code nor an error"),
            ({"error": "temporarily_unavailable"}, 5, "temporarily_unavailable"),
            ({"error": "s3cret-words", "error_description": "s3cret-words"}, 1, "the provider gives no code: refused"),
            ({"code": "x", "iss": "https://evil.example"}, 1, "of another provider (iss)"),
        ],
    )
    def test_an_answer_that_does_not_hold_is_told_in_our_words(
        self, op: OidcProviderServer, tmp_path: Path, fields: dict[str, str], code: int, says: str
    ) -> None:
        with waiting(op.issuer, cwd=tmp_path) as found:
            page = found.bring(state=found.asked["state"], **{"iss": op.issuer, **fields})
            said = found.end()
        assert (said.code, said.out) == (code, "")
        assert says in said.err
        assert "s3cret" not in said.err + page.text

    def test_an_answer_has_to_say_of_whom_it_is_where_the_provider_promises_that(
        self, op: OidcProviderServer, tmp_path: Path
    ) -> None:
        before = op.counts().get("POST /token")
        with waiting(op.issuer, cwd=tmp_path) as found:
            found.bring(state=found.asked["state"], code="x")
            said = found.end()
        assert said.code == 1
        assert "another provider" in said.err
        assert op.counts().get("POST /token") == before

    def test_a_code_is_taken_once(self, op: OidcProviderServer, tmp_path: Path) -> None:
        """Whoever brings it a second time finds nobody, or is not believed."""
        with Person() as alice, waiting(op.issuer, cwd=tmp_path) as found, ThreadPoolExecutor(8) as threads:
            good = walked(found, alice)
            before = op.counts()["POST /token"]

            def brought(_: int) -> int:
                try:
                    return httpx.get(good, trust_env=False, timeout=30).status_code
                except httpx.TransportError:
                    return 0

            pages = list(threads.map(brought, range(8)))
            assert found.end().code == 0
        assert pages.count(200) == 1
        assert set(pages) <= {0, 200, 400}
        assert op.counts()["POST /token"] == before + 1

    @pytest.mark.parametrize("kind", ["another nonce", "another client", "unsigned", "none"])
    def test_an_id_token_that_is_not_the_answer_is_refused(self, tmp_path: Path, kind: str) -> None:
        with FakeIssuer() as issuer:
            issuer.says["authorization_endpoint"] = issuer.url + "/authorize"
            with waiting(issuer.url, cwd=tmp_path) as found:
                nonce = found.asked["nonce"]
                tokens = {
                    "another nonce": issuer.id_token(nonce="n-2"),
                    "another client": issuer.id_token(nonce=nonce, aud="other"),
                    "unsigned": issuer.id_token(nonce=nonce, aud="spa").rpartition(".")[0] + ".",
                    "none": None,
                }
                issuer.pages["/token"] = {"access_token": "s3cret-token", "token_type": "Bearer", "id_token": tokens[kind]}
                found.bring(state=found.asked["state"], code="c")
                said = found.end()
        assert (said.code, said.out) == (1, "")
        assert "the ID token is refused" in said.err
        assert "s3cret" not in said.err

    def test_a_provider_that_is_no_openid_provider_is_said_to_be_none(self, tmp_path: Path) -> None:
        for command in ("login", "token"):
            said = authkit("oidc", command, "--provider", "github", "--client-id", "spa", cwd=tmp_path, stdin="s3cret",
                           AUTHKIT_GITHUB_CLIENT_ID="spa", AUTHKIT_GITHUB_CLIENT_SECRET="s3cret")  # fmt: skip
            assert (said.code, said.out) == (2, "")
            assert "no OpenID Provider" in said.err

    def test_what_a_provider_wants_of_its_id_tokens_is_wanted_here_too(self) -> None:
        """Google's hosted domain, say; and whom a token is about is the provider's to say."""

        class Strict(OIDCProvider):
            login_profile = TokenProfile(types=("JWT", ""), subject=["oid"], check=lambda claims: claims.get("hd") == "ours")

        with FakeIssuer() as issuer:
            issuer.says["authorization_endpoint"] = issuer.url + "/authorize"
            client = Client(Strict(issuer.url, audience="spa"), "spa", None, None)
            for domain, reason in (("ours", None), ("theirs", "token_rule"), (..., "token_rule")):
                flow = begun(client, "http://127.0.0.1:1/callback", ())
                made = issuer.id_token(nonce=flow.nonce, aud="spa", hd=domain, oid="u-17")
                issuer.pages["/token"] = {"access_token": "opaque", "token_type": "Bearer", "id_token": made}
                if reason is None:
                    assert flow.identity(*flow.judged({"state": flow.state, "code": "c"})).key == (issuer.url, "u-17")
                else:
                    with pytest.raises(Failed, match=reason):
                        flow.judged({"state": flow.state, "code": "c"})

    def test_a_name_comes_from_userinfo_of_the_same_subject_alone(self, tmp_path: Path) -> None:
        with FakeIssuer() as issuer:
            issuer.says |= {"authorization_endpoint": issuer.url + "/authorize", "userinfo_endpoint": issuer.url + "/me"}
            for subject, code in (("alice", 0), ("mallory", 1)):
                issuer.pages["/me"] = {"sub": subject, "name": "A. Example", "email": "a@example.test", "email_verified": True}
                with waiting(issuer.url, "--json", cwd=tmp_path) as found:
                    made = issuer.id_token(nonce=found.asked["nonce"], aud="spa")
                    issuer.pages["/token"] = {"access_token": "opaque", "token_type": "Bearer", "id_token": made}
                    found.bring(state=found.asked["state"], code="c")
                    said = found.end()
                assert said.code == code, said.err
                assert said.json.get("email") == ("a@example.test" if code == 0 else None)


class TestWaiting:
    def test_it_waits_no_longer_than_it_was_told(self, op: OidcProviderServer, tmp_path: Path) -> None:
        said = authkit("oidc", "login", op.issuer, "--client-id", "spa", "--no-browser", "--timeout", "1s", cwd=tmp_path)
        assert (said.code, said.out) == (5, "")
        assert "nobody came back from the provider within 1 seconds" in said.err

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_who_will_not_wait_any_longer_ends_it(
        self, op: OidcProviderServer, tmp_path: Path, number: signal.Signals, code: int
    ) -> None:
        with waiting(op.issuer, cwd=tmp_path) as found:
            found.process.send_signal(number)
            said = found.end()
        assert (said.code, said.out) == (code, "")
        assert said.err.count("\n") == 1

    def test_a_port_that_is_taken_is_said_before_anything_is_asked(self, op: OidcProviderServer, tmp_path: Path) -> None:
        before = op.counts()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            said = authkit("oidc", "login", op.issuer, "--client-id", "spa", "--port", port, "--json", cwd=tmp_path)
        assert (said.code, said.json["error"]) == (5, "unavailable")
        assert "Address already in use" in said.err
        assert op.counts() == before

    def test_an_issuer_that_does_not_answer_is_exit_code_5(self, op: OidcProviderServer, tmp_path: Path) -> None:
        op.faults([{"path": "/.well-known/openid-configuration", "status": 503, "times": 1}])
        said = authkit("oidc", "login", op.issuer, "--client-id", "spa", "--no-browser", cwd=tmp_path)
        assert (said.code, said.out) == (5, "")
