"""A Django project in an interpreter of its own: settings are configured once. Prints what was found open, as JSON."""

# ruff: noqa: E402  # Django wants its settings before anything of it is imported

import json
import sys
import types

import django
from django.conf import settings
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views import View

from authkit import chain, public, require_auth
from authkit.testing import TokenMint, open_routes

api = chain(require_auth(TokenMint().tokens))
security = types.ModuleType("security")
security.api, security.but, security.shadow = api, api.except_for("/open/", "/shop/*"), api.shadow()
sys.modules["security"] = security

settings.configure(ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"], MIDDLEWARE=sys.argv[1:], SECRET_KEY="x" * 50)
django.setup()
from django.core.handlers.wsgi import WSGIHandler
from django.urls import include, path, re_path


def view(request, **_):
    return HttpResponse("1")


async def aview(request):
    return HttpResponse("1")


class Plain(View):
    def get(self, request):
        return HttpResponse("1")


class OnMethod(Plain):
    @method_decorator(api)
    def get(self, request):
        return HttpResponse("1")

    def post(self, request):
        return HttpResponse("1")


@method_decorator(api, name="dispatch")
class OnDispatch(Plain):
    pass


@method_decorator([api], name="dispatch")
class OnDispatchList(Plain):
    pass


@method_decorator(api.shadow(), name="dispatch")
class Shadowed(Plain):
    pass


class Direct(View):
    @api
    def get(self, request):
        return HttpResponse("1")


@public(reason="a page for everybody")
class Named(Plain):
    pass


class Inherits(Named):
    pass


urls = types.ModuleType("urls")
urls.urlpatterns = [
    path("open/", view),
    path("guarded/", api(view)),
    path("async/", api(aview)),
    path("named/", public(reason="x")(aview)),
    path("shop/", include([path("<int:id>/", view), path("mine/", api(view))])),
    re_path(r"^old/(?P<id>\d+)/$", view),
    path("plain/", Plain.as_view()),
    path("wrapped/", api(Plain.as_view())),
    path("on-method/", OnMethod.as_view()),
    path("on-dispatch/", OnDispatch.as_view()),
    path("on-dispatch-list/", OnDispatchList.as_view()),
    path("shadowed/", Shadowed.as_view()),
    path("direct/", Direct.as_view()),
    path("class-named/", Named.as_view()),
    path("inherits/", Inherits.as_view()),
]
sys.modules["urls"] = urls

from django.test import Client


def answer(path, method="GET"):
    return Client().generic(method, path).status_code


def stranger(route):
    path = route.path.replace("<int:id>", "1").replace("(?P<id>\\d+)", "1").rstrip("$")
    return answer(path, *route.methods[:1])


found = open_routes(None)
ways = ("urls", urls, urls.urlpatterns, WSGIHandler())
closed = ("guarded", "shop/mine", "wrapped", "on-method", "on-dispatch", "on-dispatch-list", "direct")
print(
    json.dumps(
        {
            "routes": sorted((route.path, list(route.methods)) for route in found),
            "answers": sorted({stranger(route) for route in found}),
            "same": [open_routes(way) == found for way in ways],
            "behind": len(open_routes(api(WSGIHandler()))),
            "closed": sorted({answer(f"/{path}/") for path in closed}),
        }
    )
)
