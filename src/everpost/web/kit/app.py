"""The HTTP application of a node: health for load balancers, metrics for Prometheus."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class Health:
    """What a node says of itself: `ready` is asked before mail is sent here, `why` says what is missing."""

    ready: bool
    why: str = ""


def make_app(health: Callable[[], Awaitable[Health]], metrics: Callable[[], bytes]) -> Starlette:
    """`health` is asked at every look, so it must be cheap and bounded in time; `metrics` runs in a thread."""

    async def live(_: Request) -> Response:
        return PlainTextResponse("live\n")

    async def ready(_: Request) -> Response:
        answer = await health()
        if answer.ready:
            return JSONResponse({"ready": True})
        return JSONResponse({"ready": False, "why": answer.why}, status_code=503)

    async def numbers(_: Request) -> Response:
        text = await asyncio.to_thread(metrics)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/metrics", numbers),
        ]
    )
