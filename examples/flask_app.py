"""Flask: a guard on a view, on a blueprint's views, and over the whole app. Run it: flask --app examples.flask_app run"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Flask, Response

from authkit import Principal, Tokens, current_principal, rate_limit, require_auth, require_roles
from authkit.address import ClientAddress
from authkit.secrets import Environment, Secrets

secrets = Secrets(Environment())
tokens = Tokens(secrets["JWT_SECRET"], issuer="https://login.example.com", audience="https://api.example.com")

app = Flask(__name__)
reports = Blueprint("reports", __name__, url_prefix="/reports")


@app.get("/private")
@require_auth(tokens)
def private(principal: Principal) -> dict[str, str]:
    return {"message": f"Hello, {principal.subject}."}


@reports.get("/export")
@require_auth(tokens)
@require_roles("analyst")
def export() -> Response:
    def lines() -> Iterator[str]:
        principal = current_principal()  # still there while the body is being sent
        yield f"# exported by {principal.subject if principal else 'nobody'}\n"
        yield "1999,2000\n"

    return Response(lines(), mimetype="text/csv")


app.register_blueprint(reports)

# Over the whole app, 404s included: a limit by address. The socket's other end is the client: no proxy stands between.
app.wsgi_app = rate_limit("100/minute", client=ClientAddress.peer())(app.wsgi_app)  # type: ignore[method-assign]
