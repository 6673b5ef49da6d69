"""The bare peer: the smallest Starlette handler that runs postUsage's Cypher and answers with the same JSON bytes."""

import json
import os
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
from neo4j import AsyncGraphDatabase
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from consentline.graph.posts import FOR_USAGE

BODIES = {key: body.encode() for key, body in json.loads(Path(os.environ["BENCH_BODIES"]).read_text()).items()}
DRIVER = AsyncGraphDatabase.driver(
    os.environ["CONSENTLINE_NEO4J_URI"],
    auth=(os.environ["CONSENTLINE_NEO4J_USER"], os.environ["CONSENTLINE_NEO4J_PASSWORD"]),
    notifications_min_severity="OFF",
)


async def answer(request: Request) -> Response:
    """Read the post, run the statement, answer with the bytes that the service gave for it."""
    post = orjson.loads(await request.body())["variables"]["post"]
    async with DRIVER.session(default_access_mode="READ") as session:
        result = await session.run(FOR_USAGE, {"asked": [[post]]})
        rows = [record async for record in result]
    assert rows
    return Response(BODIES[post], media_type="application/json")


@asynccontextmanager
async def lifespan(_app: Starlette):
    """Return the connections at the end."""
    yield
    await DRIVER.close()


app = Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan)
