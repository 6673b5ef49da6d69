"""The HTTP application: five routes, and subscriptions over WebSocket; nothing else."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from consentline.domain.errors import ConsentlineError
from consentline.web import errors
from consentline.web.campaigns import CampaignEndpoint
from consentline.web.endpoint import Endpoint
from consentline.web.graphql import GraphQLEndpoint
from consentline.web.health import Readiness, alive
from consentline.web.ingest import IngestEndpoint
from consentline.web.requests import RequestLog
from consentline.web.sockets import SubscriptionSocket


def build_routes(
    endpoint: Endpoint,
    check_ready: Callable[[], Awaitable[None]],
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]] | None = None,
) -> ASGIApp:
    """The application over an endpoint; `check_ready` raises what keeps it from doing its work now."""
    graphql, sockets = GraphQLEndpoint(endpoint), SubscriptionSocket(endpoint)
    service, secret = endpoint.service, endpoint.secret
    app = Starlette(
        routes=[
            Route("/graphql", graphql.__call__, methods=["POST"]),
            WebSocketRoute("/graphql", sockets.__call__),
            Route("/ingest", IngestEndpoint(service, secret).__call__, methods=["POST"]),
            Route("/notices/campaign", CampaignEndpoint(service, secret).__call__, methods=["POST"]),
            Route("/healthz", alive, methods=["GET"]),
            Route("/readyz", Readiness(check_ready).__call__, methods=["GET"]),
        ],
        exception_handlers={
            ConsentlineError: errors.of_ours,
            HTTPException: errors.of_starlette,
            Exception: errors.of_fault,
        },
        lifespan=lifespan,
    )
    return RequestLog(_Shortcut(graphql, app))


class _Shortcut:
    """Leads POST /graphql, which is nearly every request, straight to its endpoint; the framework handles the rest.

    Errors are answered as the framework would: the routes above stay true.
    """

    def __init__(self, graphql: GraphQLEndpoint, app: ASGIApp) -> None:
        self._graphql = graphql
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] != "/graphql" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await self._graphql(request)
        except ConsentlineError as error:
            response = errors.of_ours(request, error)
        except Exception as error:
            await errors.of_fault(request, error)(scope, receive, send)
            raise
        await response(scope, receive, send)
