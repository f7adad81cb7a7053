"""Login, verify and a private hello on AWS Lambda: three functions that share a table of users and one of sessions.

    login     POST {"username", "password"}         200 with the tokens; a name that nobody has is registered by it
    verify    POST {"token"}                        200 {"status": "valid", "user"}, or 401
    hello     GET, with Authorization: Bearer ...   200, or 401

Deploy each behind API Gateway, a Function URL or a load balancer. Settings: JWT_SECRET (at least 32 bytes),
USERS=dynamodb://users, SESSIONS=dynamodb://sessions, and SALT while there are hashes as the Serverless Handbook makes them.
Both tables are made once: `DynamoUsers("users").create_table()` and `DynamoStore("sessions").create_table()`.
"""

from __future__ import annotations

import os
from typing import Any

from authkit import Principal, Tokens, require_auth
from authkit.accounts import Accounts, HandbookSha256, PasswordHasher, open_users
from authkit.secrets import Environment, Secrets
from authkit.stores import open_store

URL = "https://api.example.com"

salt = os.environ.get("SALT")
hasher = PasswordHasher(insecure_also=[HandbookSha256(salt)] if salt else [])
tokens = Tokens(Secrets(Environment())["JWT_SECRET"], issuer=URL, audience=URL, store=open_store(os.environ["SESSIONS"]))
users = open_users(os.environ["USERS"])
accounts = Accounts(users, tokens, hasher, create_on_first_login=True)

login = accounts.login
verify = accounts.verify


@require_auth(tokens)
def hello(event: dict[str, Any], context: object, principal: Principal) -> dict[str, Any]:
    return {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": f"Hello, {principal.subject}."}
