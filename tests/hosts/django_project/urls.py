"""Views of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from typing import Any

import django
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, re_path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from authkit import Principal, chain, current_principal

from .security import adds, api, blocks, cookies, drops, reads, three, who

closed: list[str] = []
guarded = chain(who, adds)


def subject() -> str:
    principal = current_principal()
    return principal.subject if principal else "-"


@guarded
def sync(request: HttpRequest, number: int, principal: Principal) -> HttpResponse:
    return HttpResponse(f"{principal.subject} {subject()} {number}", status=201)


@guarded
async def asynchronous(request: HttpRequest, number: int, principal: Principal) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse(f"{principal.subject} {subject()} {number}", status=201)


@csrf_exempt
@guarded
def exempt_outside(request: HttpRequest) -> HttpResponse:
    return HttpResponse(subject())


@guarded
@csrf_exempt
def exempt_inside(request: HttpRequest) -> HttpResponse:
    return HttpResponse(subject())


@guarded
def protected(request: HttpRequest) -> HttpResponse:
    return HttpResponse(subject())


@guarded
def raises(request: HttpRequest) -> HttpResponse:
    raise Http404


@chain(who, cookies)
def cookie(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("x")
    response.set_cookie("own", "1", httponly=True)
    return response


@chain(drops)
def dropped(request: HttpRequest) -> JsonResponse:
    seen = {
        "meta": request.META.get("HTTP_X_INTERNAL"),
        "headers": request.headers.get("x-internal"),
        "cookies": request.COOKIES,
    }
    scope = getattr(request, "scope", {"headers": []})
    return JsonResponse(
        {**seen, "scope": [name.decode() for name, _ in scope["headers"] if name in (b"x-internal", b"cookie")]}
    )


def parts() -> Iterator[str]:
    try:
        for _ in range(3):
            yield subject() + ";"
    finally:
        closed.append(subject())


async def aparts() -> AsyncIterator[str]:
    try:
        for _ in range(3):
            await asyncio.sleep(0)
            yield subject() + ";"
    finally:
        closed.append(subject())


@guarded
def streamed(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(parts())


@guarded
async def astreamed(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(aparts())


@guarded
def file(request: HttpRequest) -> FileResponse:
    return FileResponse(BytesIO(b"a file"), content_type="text/plain")


@method_decorator(guarded, name="dispatch")
class ByName(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(subject())


@method_decorator(guarded, name="dispatch")
class AsyncByName(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(subject())


class OneMethod(View):
    @method_decorator(guarded)
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(subject())

    @guarded
    def post(self, request: HttpRequest, principal: Principal) -> HttpResponse:
        return HttpResponse(principal.subject)

    def delete(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("open")


# Before 5.2 `method_decorator` makes a plain method of an async one, whatever it is given; see the test of that.
on_async_method = method_decorator(guarded) if django.VERSION >= (5, 2) else guarded


class AsyncOneMethod(View):
    @on_async_method
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(subject())

    @guarded
    async def post(self, request: HttpRequest, principal: Principal) -> HttpResponse:
        return HttpResponse(principal.subject)


class OwnDispatch(View):
    @guarded
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)

    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(subject())


@method_decorator([guarded, chain(three)], name="dispatch")
class Limited(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(subject())


@csrf_exempt
@chain(reads)
def body(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


@csrf_exempt
@chain(reads)
def form(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"post": request.POST.dict(), "body": request.body.decode()})


@csrf_exempt
@chain(reads)
async def abody(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


@csrf_exempt
@chain(reads)
def stream(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.read())


def reads_first(view: Any) -> Any:
    def wrapper(request: HttpRequest) -> Any:
        request.read(1)
        return view(request)

    return csrf_exempt(wrapper)


@chain(blocks)
async def ablocking(request: HttpRequest) -> HttpResponse:
    return HttpResponse("x")


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse(subject())


@api
def also_guarded(request: HttpRequest) -> HttpResponse:
    return HttpResponse(subject())


urlpatterns = [
    path("sync/<int:number>", sync),
    path("async/<int:number>", asynchronous),
    path("exempt-outside", exempt_outside),
    path("exempt-inside", exempt_inside),
    path("protected", protected),
    path("raises", raises),
    path("cookie", cookie),
    path("dropped", dropped),
    path("streamed", streamed),
    path("astreamed", astreamed),
    path("file", file),
    path("by-name", ByName.as_view()),
    path("async-by-name", AsyncByName.as_view()),
    path("one-method", csrf_exempt(OneMethod.as_view())),
    path("async-one-method", csrf_exempt(AsyncOneMethod.as_view())),
    path("own-dispatch", OwnDispatch.as_view()),
    path("limited", Limited.as_view()),
    path("body", body),
    path("form", form),
    path("abody", abody),
    path("stream", stream),
    path("consumed", reads_first(body)),
    path("ablocking", ablocking),
    path("plain", plain),
    path("also-guarded", also_guarded),
    re_path(r"^(?P<rest>.*)/tail$", plain),
]
