"""Counting the statements that an operation costs."""

from consentline.domain.access import Principal, Role
from consentline.gql.context import Context
from consentline.gql.cursors import Cursors
from consentline.gql.execution import Answer, Engine, Operation
from consentline.gql.nodes import load_node
from consentline.gql.schema import build_schema
from tests.conftest import Api

ENGINE = Engine(build_schema())


def statements_of(api: Api, document: str, role: Role = Role.ADMIN) -> int:
    """How many statements the operation sends once the upper graph is in memory."""

    async def ask() -> Answer:
        context = Context(api.service, Principal(role, "test"), Cursors("secret"), load_node)
        return await ENGINE.run(Operation(document), context)

    api.run(api.service.lineage())
    before = api.service.graph.statements
    answer = api.run(ask())
    assert not answer.errors
    return api.service.graph.statements - before
