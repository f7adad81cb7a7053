"""Secrets that stand in somebody's documentation. Whoever attacks a service tries these first (CVE-2023-27524)."""

from __future__ import annotations

# Written as people write them; compared without case, spaces, hyphens and underscores.
_WRITTEN = (
    # placeholders
    "changeit", "change me", "change me please", "change this", "change this secret", "change me in production",
    "default", "dev", "development", "dev secret", "dev secret key", "example", "example secret", "hello world",
    "insecure", "jwt secret", "jwt secret key", "key", "letmein", "my secret", "my secret key", "my super secret",
    "my super secret key", "none", "not a secret", "null", "pass", "password", "placeholder", "replace me", "sample",
    "secret", "secret key", "secret value", "secret123", "shh", "shhh", "shhhh", "shhhhh", "signing key",
    "super secret", "super secret key", "test", "test key", "test secret", "todo", "top secret", "undefined", "unsafe",
    "xxx", "xxxx", "your secret", "your secret here", "your secret key", "your secret key here", "your jwt secret",
    "your super secret key", "your token", "your webhook secret",
    # jwt.io, and the libraries that copied it
    "your-256-bit-secret", "your-384-bit-secret", "your-512-bit-secret", "a-string-secret-at-least-256-bits-long",
    "your-secret-key-at-least-32-bytes-long", "a-string-secret-at-least-512-bits-long-which-is-longer-than-the-others",
    # Supabase: what `supabase start` and its compose file sign with
    "super-secret-jwt-token-with-at-least-32-characters-long", "your-super-secret-jwt-token-with-at-least-32-characters-long",
    # frameworks: Superset, FastAPI, Flask, Express, Airflow
    "\\2\\1thisismyscretkey\\1\\2\\e\\y\\y\\h", "\x02\x01thisismyscretkey\x01\x02\\e\\y\\y\\h", "thisismyscretkey",
    "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET", "thisISaSECRET_1234", "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    "TEST_NON_DEV_SECRET", "USE_YOUR_OWN_SECURE_RANDOM_KEY",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf", '_5#y2L"F4Q8z\nì]/', "keyboard cat",
    "temporary_key", "SomeRandomString", "SomeRandomStringSomeRandomString", "key that should be changed",
    # webhook documentation: GitHub, Standard Webhooks and Svix, Stripe, Slack, Clerk
    "It's a Secret to Everybody", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_test_secret", "8f742231b10e8888abcd99yyyzzz85a5", "whsec_MY_VOICE_IS_MY_PASSPORT_VERIFY_ME",
)  # fmt: skip

_PREFIXES = ("djangoinsecure",)  # what startproject writes in front of the key that it makes up


def _normal(text: str) -> str:
    return "".join(text.split()).replace("-", "").replace("_", "").casefold()


_SAMPLES = frozenset(map(_normal, _WRITTEN))


def is_sample(value: str | bytes) -> bool:
    """Whether `value` is a secret that was published as an example, whatever its case, spaces, hyphens and underscores."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if len(value) > 512:
        return False
    normal = _normal(value)
    return normal in _SAMPLES or normal.startswith(_PREFIXES)
