"""Accounts on SQLite files: what a locked or full file is answered with, and that processes share sessions."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading

import pytest

from authkit import InvalidToken, Request
from authkit.accounts import SqliteUsers
from authkit.stores import MemoryStore, SqliteStore
from authkit.testing import asgi_scope

from .parts import JSON, PASSWORD, Service, tokens_of, told


class OnFiles(Service):
    def __init__(self, place, *, register=True, **options):
        self.place = place
        self.store = SqliteStore(place / "sessions.db", timeout=0.1)
        users = SqliteUsers(place / "users.db", timeout=0.1)
        if not register:
            users.add = lambda user: True  # they are there already
        super().__init__(users=users, tokens=tokens_of(store=self.store), **options)


@pytest.fixture
def service(tmp_path):
    return OnFiles(tmp_path)


def locked(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def test_a_session_of_one_process_is_the_others_too(service):
    other = OnFiles(service.place, register=False)
    pair = service.pair()
    assert told(other.verify(pair["access_token"])) == {"status": "valid", "user": "alice"}
    renewed = told(other.refresh(pair["refresh_token"]))
    assert service.refresh(pair["refresh_token"]).status == 200, "in the overlap the same successor, wherever it is asked for"
    assert service.send("/logout", {"refresh_token": renewed["refresh_token"]}).status == 204
    assert other.refresh(renewed["refresh_token"]).status == 401
    with pytest.raises(InvalidToken):
        tokens_of(store=SqliteStore(service.place / "sessions.db")).verify(pair["access_token"])


def test_a_locked_store_is_503_and_costs_nobody_the_session(tmp_path):
    service = OnFiles(tmp_path, store=MemoryStore())  # the limits are elsewhere: what is locked is what a session wants
    pair = service.pair()
    holding = locked(tmp_path / "sessions.db")
    for answer in (
        service.login(),
        service.refresh(pair["refresh_token"]),
        service.send("/logout", {"refresh_token": pair["refresh_token"]}),
    ):
        assert (answer.status, told(answer)["code"]) == (503, "temporarily_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    holding.rollback()
    holding.close()
    assert service.refresh(pair["refresh_token"]).status == 200


def test_a_locked_table_is_503_for_who_would_be_changed(service):
    pair = service.pair()
    holding = locked(service.place / "users.db")
    answer = service.send(
        "/password",
        {"current_password": PASSWORD, "new_password": "another correct horse"},
        {"authorization": f"Bearer {pair['access_token']}"},
    )
    assert answer.status == 503
    holding.rollback()
    holding.close()
    assert service.login().status == 200, "the old password is still the password"
    assert service.verify(pair["access_token"]).status == 200


async def test_no_file_is_touched_on_the_event_loop(service):
    threads = set()
    for part, names in ((service.store, ("get", "add", "swap", "look")), (service.users, ("find",))):
        for name in names:
            setattr(part, name, _noting(getattr(part, name), threads))
    sent = []

    async def send(message):
        sent.append(message)

    async def ask(path, body):
        sent.clear()

        async def receive():
            return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

        await service.accounts.app.asgi(asgi_scope("http", "POST", path, JSON), receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"] or b"null")

    status, pair = await ask("/login", {"username": "alice", "password": PASSWORD})
    assert status == 200
    assert (await ask("/refresh", {"refresh_token": pair["refresh_token"]}))[0] == 200
    assert (await ask("/verify", {"token": pair["access_token"]}))[0] == 200
    assert (await ask("/logout", {"refresh_token": pair["refresh_token"]}))[0] == 204
    assert threads
    assert threading.get_ident() not in threads


def _noting(method, threads):
    def call(*arguments):
        threads.add(threading.get_ident())
        return method(*arguments)

    return call


async def test_many_refreshes_at_once_in_threads_and_on_a_loop_are_one_successor(service):
    token = service.pair()["refresh_token"]

    async def on_loop():
        request = Request.build("POST", "/refresh", JSON, json.dumps({"refresh_token": token}).encode(), "203.0.113.5")
        from authkit._run import arun

        return await arun(service.accounts.refresh.answer(request))

    threads = [asyncio.to_thread(service.refresh, token) for _ in range(12)]
    answers = await asyncio.gather(*threads, *(on_loop() for _ in range(12)))
    assert {answer.status for answer in answers} == {200}
    assert len({told(answer)["refresh_token"] for answer in answers}) == 1
