"""The exchanges of the tour, each with the status and the guard that are expected of it."""

from __future__ import annotations

import json
import os
import time
from base64 import b32decode

from authkit import Tokens
from authkit.accounts.totp import code_at, step_at
from authkit.testing import Clock
from authkit.webhooks import sign

from . import service
from .tour import Tour


def walk(tour: Tour) -> None:
    """From a stranger to one who has logged out again."""
    tour.chapter("Register", "POST a name and a password. Kept of the password is its hash (argon2id), and that alone.")
    bob = {"username": "bob", "password": "a pillow full of lightning"}
    new = tour.post("/register", bob, expect=201, why="nobody had this name; bob is logged in, and may do what everybody may")
    tour.post("/register", bob, expect=409, guard="registration", why="now somebody has it")
    short = {"username": "carol", "password": "1234567"}
    tour.post("/register", short, expect=400, guard="registration", why="a password has eight characters or more")

    tour.chapter("Log in", "What comes back is a pair: an access token for handlers, a refresh token for the next pair.")
    wrong = {"username": "alice", "password": "wrong"}
    tour.post("/login", wrong, expect=401, guard="login", why="the password is wrong")
    nobody = {"username": "nobody", "password": "wrong"}
    tour.post("/login", nobody, expect=401, guard="login", why="there is no such user: the same bytes, after the same time")
    pair = tour.post("/login", _login("alice"), expect=200, why="name and password belong together").json()
    alice = pair["access_token"]
    grace = tour.post("/login", _login("grace"), expect=200, why="so do these").json()["access_token"]
    tour.post("/verify", {"token": alice}, expect=200, why="the token is good")

    tour.chapter("Public and private", "A handler without a guard is open. @require_auth closes it.")
    tour.get("/public", expect=200, guard=None, why="no guard stands here; @public says that this is on purpose")
    tour.get("/private", expect=401, guard="require_auth", why="no credential was sent")
    tour.get("/private", token=alice, expect=200, why="the token is good: the handler gets the principal")

    tour.chapter("Scopes and roles", "@require_scopes and @require_roles judge the principal that @require_auth has found.")
    tour.get("/reports", token=alice, expect=200, why="alice was granted reports:read")
    tour.get("/reports", token=grace, expect=403, guard="require_scopes", why="grace was not")
    tour.get("/admin", token=grace, expect=200, why="grace has the role admin")
    tour.get("/admin", token=alice, expect=403, guard="require_roles", why="alice has not")

    tour.chapter(
        "Hostile tokens", "Whatever is wrong with a token, the client reads the same 401. The audit log knows the reason."
    )
    forger = Tokens(os.urandom(32), issuer=service.ISSUER, audience=service.AUDIENCE)
    tour.get("/private", token=forger.issue("alice"), expect=401, guard="require_auth", why="signed with another key")
    past = Tokens(
        service.secrets["DEMO_JWT_SECRET"], issuer=service.ISSUER, audience=service.AUDIENCE, clock=Clock(time.time() - 3600)
    )
    tour.get(
        "/private", token=past.issue("alice"), expect=401, guard="require_auth", why="expired three quarters of an hour ago"
    )
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + alice.split(".")[1] + "."
    tour.get("/private", token=unsigned, expect=401, guard="require_auth", why='its header says "alg": "none"')

    tour.chapter("Addresses and limits", "@allow_ips, @deny_ips and @rate_limit share one idea of who the client is.")
    tour.get("/office", expect=200, why="127.0.0.1 is in 127.0.0.0/8")
    tour.get("/branch", expect=403, guard="allow_ips", why="it is not in 203.0.113.0/24")
    spoofed = {"x-forwarded-for": "203.0.113.7"}
    tour.get("/branch", headers=spoofed, expect=403, guard="allow_ips", why="a header does not change where you are")
    for _ in range(3):
        tour.get("/limited", expect=200, why="three a minute are allowed")
    tour.get("/limited", expect=429, guard="rate_limit", why="this is the fourth; Retry-After says when to come back")

    tour.chapter("Webhooks", "@verify_webhook checks the signature over the raw body, before anything parses it.")
    body = json.dumps({"action": "opened"}).encode()
    signed = sign("github", service.secrets["DEMO_WEBHOOK_SECRET"], body)
    tour.post("/webhooks/github", body, headers=signed, expect=200, why="GitHub and we share the secret that signed this")
    tour.post(
        "/webhooks/github",
        body + b" ",
        headers=signed,
        expect=401,
        guard="verify_webhook",
        why="one byte of the body was changed",
    )

    tour.chapter("Refresh", "A refresh token is good once: for the next pair, whose roles and scopes are read again.")
    first = {"refresh_token": pair["refresh_token"]}
    second = tour.post("/refresh", first, expect=200, why="alice gets a new pair, without her password").json()
    tour.get("/private", token=second["access_token"], expect=200, why="the new access token is good")
    lost = tour.post("/refresh", first, expect=200, why="the first answer may have been lost on the way").json()
    tour.check(lost["refresh_token"] == second["refresh_token"], "it is the same successor as before, not a second one")
    tour.wait(service.OVERLAP + 0.2, "after which nobody who asks again has merely lost an answer")
    tour.post("/refresh", first, expect=401, guard="refresh", why="alice or a thief? Either way the session is ended")
    last = {"refresh_token": second["refresh_token"]}
    tour.post("/refresh", last, expect=401, guard="refresh", why="it ended with all its tokens, the newest")
    tour.get("/private", token=second["access_token"], expect=401, guard="require_auth", why="and its access tokens")

    tour.chapter("Second factor", "The code of an authenticator app after the password; a handler may want that it was shown.")
    session = new.json()["access_token"]
    tour.get("/vault", token=session, expect=401, guard="require_auth", why="bob has shown a password, and that alone")
    key = tour.post("/mfa/totp", {}, token=session, expect=200, why="a key for the app, as text and for a QR code").json()
    code = {"code": code_at(b32decode(key["secret"]), step_at(time.time()))}
    codes = tour.post("/mfa/totp/confirm", code, token=session, expect=200, why="the app has the key: its code is right").json()
    begun = tour.post("/login", bob, expect=401, guard="login", why="the password is right, and from now on not enough").json()
    guess = {"mfa_token": begun["mfa_token"], "code": "12345"}
    tour.post("/mfa", guess, expect=401, guard="mfa", why="this is not the code, and few wrong ones are allowed")
    lost = {"mfa_token": begun["mfa_token"], "code": codes["recovery_codes"][0]}
    strong = tour.post("/mfa", lost, expect=200, why="bob has lost the phone: a recovery code, good once").json()
    tour.get("/vault", token=strong["access_token"], expect=200, why="the token says how he logged in, and when")

    tour.chapter("Change a password", "Who changes it has to know the present one; every session before ends.")
    change = {"current_password": bob["password"], "new_password": "an armful of thunder"}
    renewed = tour.post("/password", change, token=strong["access_token"], expect=200, why="bob has another, and a new session")
    tour.get("/private", token=strong["access_token"], expect=401, guard="require_auth", why="the session before is over")
    tour.get("/private", token=renewed.json()["access_token"], expect=200, why="the new one is good")

    tour.chapter("Log out", "What is over is over at once, not when the access token would have expired.")
    pair = tour.post("/login", _login("alice"), expect=200, why="alice logs in again").json()
    tour.get("/private", token=pair["access_token"], expect=200, why="her token is good")
    tour.post("/logout", {"refresh_token": pair["refresh_token"]}, expect=204, why="alice leaves")
    tour.get("/private", token=pair["access_token"], expect=401, guard="require_auth", why="her token left with her")
    again = {"refresh_token": pair["refresh_token"]}
    tour.post("/refresh", again, expect=401, guard="refresh", why="and nothing brings it back")


def _login(name: str) -> dict[str, str]:
    return {"username": name, "password": service.PASSWORDS[name]}
