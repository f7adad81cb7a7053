"""Endpoints in a module whose annotations are text, as most code has them; one names what only a type checker knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Header, Query
from fastapi import Request as FastRequest
from fastapi import Response as FastResponse
from pydantic import BaseModel

from authkit import Guard, Principal

if TYPE_CHECKING:
    from nowhere import OnlyForTheChecker  # type: ignore[import-not-found]


class Order(BaseModel):
    item: str
    count: int = 1


def page(size: int = 10) -> int:
    return size


def build(api: Guard) -> FastAPI:
    app = FastAPI()

    @app.post("/orders/{shop}")
    @api
    async def order(
        shop: str,
        body: Order,
        principal: Principal,
        size: Annotated[int, Depends(page)],
        q: Annotated[str | None, Query(max_length=5)] = None,
        x_trace: Annotated[str, Header()] = "none",
    ) -> dict[str, Any]:
        """Kept."""
        return {"shop": shop, "order": body.model_dump(), "who": principal.subject, "size": size, "q": q, "trace": x_trace}

    @app.get("/own")
    @api
    def own(request: FastRequest, response: FastResponse, principal: Principal | None = None) -> str:
        response.headers["x-own"] = request.url.path
        response.status_code = 202
        return "nobody" if principal is None else principal.subject

    @app.get("/unknown-names")
    @api
    async def unknown_names(principal: OnlyForTheChecker) -> str:
        return str(principal.subject)

    return app
