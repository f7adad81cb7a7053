"""`except_for`: the paths that it names are open, and no other spelling of any path is."""

from __future__ import annotations

import pytest

from authkit import (
    Allow,
    ConfigurationError,
    Deny,
    Request,
    chain,
)
from tests.parts import AUTH, Handler

# except_for

EXEMPT = ["/health", "/public/a", "/public/a/b", "/public/a.b", "/public/é", "/deep/x/y"]
SPELLINGS = [
    "//health",
    "/health/",
    "/health//",
    "/./health",
    "/health/.",
    "/../health",
    "/x/../health",
    "/health/..",
    "/Health",
    "/HEALTH",
    "/healt",
    "/healthz",
    "/health.",
    "/health;x",
    "/health;",
    ";/health",
    "/health%00",
    "/health\0",
    "/health%2f",
    "/%68ealth",
    "/health%20",
    "\\health",
    "/health\\",
    "/%2e/health",
    "/health ",
    " /health",
    "health",
    "",
    "/",
    "/health?",
    "/heal%74h",
    "/health%3b",
    "/public",
    "/public/",
    "/public//",
    "/public//a",
    "/public/../admin",
    "/public/..",
    "/public/./a",
    "/public/a/../../admin",
    "/public/%2e%2e/admin",
    "/public/..;/admin",
    "/public/..\\admin",
    "/public/a;x=1",
    "/public/a%2fb",
    "/public/a%5cb",
    "/public/a%252fb",
    "/public/a\\b",
    "/public/\0",
    "/public/%00",
    "/public/a%00",
    "/PUBLIC/a",
    "/public.a",
    "/publica",
    "/publicx/a",
    "/./public/a",
    "//public/a",
    "/x/public/a",
    "/public/%",
    "/public/a/.",
    "/public/a/..",
    "/deep",
    "/deep/x",
    "/deep/x/",
    "/deep/../deep/x/y",
]


@pytest.mark.parametrize("path", EXEMPT)
def test_an_exempt_path_needs_no_credential(path):
    handler = Handler()
    open_ones = AUTH.except_for("/health", "/public/*", "/deep/x/*")
    assert open_ones(handler.fn)(Request.build("GET", path)).status == 200
    assert handler.principal is None


@pytest.mark.parametrize("path", SPELLINGS)
def test_no_other_spelling_is_exempt(path):
    """AUZ-07."""
    handler = Handler()
    open_ones = AUTH.except_for("/health", "/public/*", "/deep/x/*")
    request = Request("GET", path, raw_path=path)
    assert open_ones(handler.fn)(request).status == 401
    assert handler.entered == 0


@pytest.mark.parametrize(
    "raw", ["/x%2f..%2fhealth", "/%68ealth%00", "/health%25", "/a/../health", "//health", "/health;x", "/HEALTH%2e"]
)
def test_a_path_whose_original_spelling_was_another_is_not_exempt(raw):
    """A server that decodes and tidies first may show the router `/health`."""
    assert AUTH.except_for("/health")(Handler().fn)(Request("GET", "/health", raw_path=raw)).status == 401


def test_the_sixty_spellings_are_sixty():
    assert len(set(SPELLINGS)) >= 60


@pytest.mark.parametrize(
    "header", ["x-original-url", "x-forwarded-uri", "x-rewrite-url", "x-forwarded-path", "host", "x-original-uri"]
)
def test_no_header_makes_a_path_exempt(header):
    """AUZ-09."""
    request = Request.build("GET", "/private", {header: "/health"})
    assert AUTH.except_for("/health")(Handler().fn)(request).status == 401


@pytest.mark.parametrize(
    "path",
    ["/login*", "health", "", "/*", "/a*b", "/a/*/b", "*", "/a//b", "/a/../b", "/a;b", "/a%2fb", "/a\\b", "/**", 1, None],
)
def test_a_path_that_names_no_segments_is_refused(path):
    with pytest.raises(ConfigurationError, match="except_for"):
        AUTH.except_for(path)


def test_except_for_wants_a_path_and_makes_a_new_guard():
    with pytest.raises(ConfigurationError):
        AUTH.except_for()
    AUTH.except_for("/x")
    assert AUTH.decide(Request.build("GET", "/x")).status == 401
    both = chain(AUTH).except_for("/x").except_for("/y")
    assert [both.decide(Request.build("GET", path)).__class__ for path in ("/x", "/y", "/z")] == [Allow, Allow, Deny]
