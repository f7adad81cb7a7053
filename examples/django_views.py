"""Django: guards on function views and class-based views, sync and async. `urlpatterns` is ready for a project to include.

For the whole project, name a guard in the settings: MIDDLEWARE = [..., "examples.django_views.api"].
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from authkit import Principal, Tokens, chain, require, require_auth, require_scopes
from authkit.access import owner
from authkit.secrets import Environment, Secrets

secrets = Secrets(Environment())
tokens = Tokens(secrets["JWT_SECRET"], issuer="https://login.example.com", audience="https://api.example.com")

api = require_auth(tokens).except_for("/health")


@require_auth(tokens)
def private(request: HttpRequest, principal: Principal) -> JsonResponse:
    return JsonResponse({"message": f"Hello, {principal.subject}."})


@chain(require_auth(tokens), require(owner("username")))
async def profile(request: HttpRequest, username: str) -> JsonResponse:
    return JsonResponse({"profile": username})


@method_decorator(chain(require_auth(tokens), require_scopes("orders:read")), name="dispatch")
class Orders(View):
    def get(self, request: HttpRequest, **kwargs: Any) -> JsonResponse:
        return JsonResponse({"orders": [1, 2]})


urlpatterns = [
    path("private", private),
    path("users/<str:username>", profile),
    path("orders", Orders.as_view()),
]
