"""A Flask site that people log in to at an OpenID Provider. Run it: flask --app examples.flask_site run

Settings: SITE_URL (https://notes.example.com, or http://127.0.0.1:5000), OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET,
SESSION_KEY (at least 32 bytes). At the provider: the redirect URI SITE_URL/callback; after a logout SITE_URL/; and, for
logouts that begin there, the back-channel URI SITE_URL/backchannel-logout.
"""

from __future__ import annotations

import os

from flask import Flask, Response, redirect, render_template_string, request
from werkzeug.wrappers import Response as AnyResponse

from authkit import Principal, require_auth
from authkit.oidc import OIDCProvider
from authkit.secrets import Environment, Secrets
from authkit.stores import open_store

URL, CLIENT_ID = os.environ["SITE_URL"], os.environ["OIDC_CLIENT_ID"]
secrets = Secrets(Environment())

provider = OIDCProvider(os.environ["OIDC_ISSUER"], audience=CLIENT_ID)
login = provider.login(
    client_id=CLIENT_ID,
    client_secret=secrets["OIDC_CLIENT_SECRET"],
    redirect_uri=f"{URL}/callback",
    session_key=secrets["SESSION_KEY"],
    scopes=["openid", "profile"],
    store=open_store(os.environ.get("SESSION_STORE", "sqlite:///sessions.db")),
    logged_out_uri=f"{URL}/",
    idle=int(os.environ.get("SESSION_IDLE", 3600)),  # seconds without a request
)
signed_in = require_auth(login.session)  # a browser is sent to log in, and comes back to the page that it wanted
whoever = require_auth(login.session, optional=True)

app = Flask(__name__)
app.add_url_rule("/login", view_func=login.start.flask)
app.add_url_rule("/callback", view_func=login.callback.flask)
app.add_url_rule("/logout", view_func=login.logout.flask, methods=["GET", "POST"])
app.add_url_rule("/backchannel-logout", view_func=login.backchannel_logout.flask, methods=["POST"])

notes: dict[tuple[str, str], list[str]] = {}  # stands for your own database

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Notes</title>
<h1>Notes</h1>
{% if who %}
  <p>You are <b id="who">{{ who.name or who.subject }}</b>.</p>
  <form method="post" action="/logout"><button>Log out</button></form>
{% else %}
  <p>Nobody is logged in.</p>
{% endif %}
{% if mine is none %}
  <p><a href="/notes">Your notes</a></p>
{% else %}
  <ul>{% for note in mine %}<li>{{ note }}</li>{% endfor %}</ul>
  <form method="post"><label>New note <input name="text" maxlength="200" required></label> <button>Keep</button></form>
{% endif %}
</html>
"""


def page(principal: Principal | None, mine: list[str] | None = None) -> str:
    return render_template_string(PAGE, who=principal and provider.identity(principal), mine=mine)


@app.get("/")
@whoever
def home(principal: Principal | None) -> str:
    return page(principal)


@app.get("/notes")
@signed_in
def read(principal: Principal) -> str:
    return page(principal, notes.get(provider.identity(principal).key, []))


@app.post("/notes")
@signed_in  # of a form on another site it would be 403
def write(principal: Principal) -> AnyResponse:
    notes.setdefault(provider.identity(principal).key, []).append(request.form["text"][:200])
    return redirect("/notes", 303)


@app.after_request
def without_scripts(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    return response
