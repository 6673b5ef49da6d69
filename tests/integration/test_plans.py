"""Every statement by its plan: nothing scans what grows, and what an operation costs does not grow with the graph."""

from collections.abc import Callable, Coroutine
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

from consentline import graph as graph_package
from consentline.embedded import Server
from consentline.graph.upper import LineageCache
from consentline.settings import Settings
from consentline.usecases.service import Service
from tests.conftest import PSEUDONYMS
from tests.graphs import wipe
from tests.integration.plan_deliveries import deliver
from tests.integration.plan_graphs import SIZES, SUBJECTS, load_large, load_small
from tests.integration.plan_operations import Caller, ask, tell
from tests.integration.profiling import Operation, ProfilingGraph

Run = Callable[[Coroutine[Any, Any, Any]], Any]

RATIO = 1.05

# fmt: off
GROWING = frozenset({
    "User", "UserFact", "KNOWN", "ConsentState", "SAID", "SERVED",
    "Post", "PostChange", "CHANGED", "AUTHORED_BY", "DEPICTS", "Shard", "HAS_SHARD", "IN_SHARD",
    "Objection", "FILED_BY", "Erasure", "REQUESTED_BY", "Transition", "BECAME", "RetrainingFlag", "FLAGS", "CAUSED_BY",
    "Event", "TELLS_OF", "Delivery", "OF", "Holding",
    "AuditEntry", "AuditTerm",
})
# fmt: on
"""Labels and relationship types of which no statement may read all; the upper graph's own are loaded whole."""

SCANNING = {
    "verification.NODES": "a key that was to be erased may be left in any property of any node",
    "verification.RELATIONSHIPS": "likewise of any relationship",
}
"""The statements that read everything, and why; no service sends them: `consentline erasure verify` does."""

Measured = dict[str, dict[str, Operation]]
"""By the graph's size and the operation's name."""


@pytest.fixture(scope="module")
def measured(run: Run, session_service: Service, settings: Settings, neo4j_server: Server) -> Measured:
    """Every operation in the small graph and in the large one."""

    async def measure() -> Measured:
        graph = ProfilingGraph.connect(
            neo4j_server.uri,
            neo4j_server.user,
            neo4j_server.password,
            settings.neo4j_database,
            settings.transaction_timeout_seconds,
        )
        found: Measured = {}
        try:
            await wipe(session_service)
            for size, load in (("small", load_small), ("large", load_large)):
                await load(graph)
                service = Service(graph, LineageCache(graph), PSEUDONYMS, settings.establishment, settings.shard_size)
                caller = Caller(graph, service, size)
                await caller.call("lineage(read whole)", Service.lineage)
                await ask(caller)
                await tell(caller)
                await deliver(caller)
                found[size] = caller.operations
        finally:
            await graph.close()
        return found

    return run(measure())


GROWS_WITH = {
    "seal": "the members, all of which its digest covers",
    "policy": "the objections that are pending or upheld, and the members that runs read, all judged again",
    "policy(expired)": "the objections that are pending or upheld, and the members that runs read, all judged again",
    "record_training": "the objections that are pending or upheld, and the members that flag whatever uses them",
    "derive_model": "the objections that are pending or upheld, and the members that flag whatever uses them",
    "complete": "the objections that are pending or upheld, and the members that flag whatever uses them",
    "notice": "the datasets that runs read, of which it looks whether anything is due",
    "sweep": "the datasets that runs read, of which it looks whether anything is due",
    "notice(served before)": "the members that runs read, all of which are judged again",
    "build(given up)": "the people of whom it asks whom its selection covers, and the posts of those",
    "build": "the people of whom it asks whom its selection covers, and the posts of those",
    "build(again)": "the people of whom it asks whom its selection covers, and the posts of those",
    "coverage": "the people whom the policy governs, all of whom it counts",
    "list_objections(UPHELD)": "the objections that its total counts",
    "list_dead_letters": "the dead letters that its total counts",
    "cause_count": "the causes that it counts",
    "list_causes": "the causes that its total counts",
    "list_causes(OBJECTION)": "the causes that its total counts",
    "doctor": "the members, flags and objections, all of which it examines",
    "verify(audit)": "the entries, all of which it looks at",
    "find_traces": "everything that the graph holds, all of which it reads",
    "affected_post_count(flag)": "the causes whose posts it counts",
    "affected_post_count(broad causes)": "the members that runs read, of which it counts those of several causes",
    "resolve(RETRAINED)": "the members that runs read, to which the replacement is held",
    "retrainingPlan(of one)": "the model versions, whose flags it looks up",
    "retrainingPlan(of all)": "the causes of open flags, whose posts it names",
}
"""What an operation's cost is proportional to, where that grows by its nature; every other one must cost the same."""


WORDS = ("MATCH ", "MERGE ", "CREATE ", "CALL db.", "SHOW ")
"""What a constant holds that is a statement."""


def statements() -> dict[str, str]:
    """Every statement of the graph layer by its name, but for the migrations': those run before there is a graph."""
    found: dict[str, str] = {}
    for each in iter_modules(graph_package.__path__):
        if each.name != "migrations":
            constants = vars(import_module(f"{graph_package.__name__}.{each.name}")).items()
            found |= {
                f"{each.name}.{name}": value
                for name, value in constants
                if isinstance(value, str) and any(word in value for word in WORDS)
            }
    return found


def test_every_statement_is_profiled(measured: Measured) -> None:
    sent = {profile.statement for found in measured.values() for each in found.values() for profile in each.profiles}
    # Some are written in parts, each of which stands in a statement that is sent.
    assert sorted(name for name, text in statements().items() if not any(text in each for each in sent)) == []


@pytest.mark.parametrize("size", SIZES)
def test_no_statement_scans_what_grows(measured: Measured, size: str) -> None:
    names = {text: name for name, text in statements().items()}
    found = {
        f"{names[profile.statement]}: {operator}"
        for operation in measured[size].values()
        for profile in operation.profiles
        if names[profile.statement] not in SCANNING
        for operator in profile.offences(GROWING)
    }
    assert sorted(found) == []


def test_an_operation_costs_the_same_in_a_graph_four_times_as_large(measured: Measured) -> None:
    upper = frozenset(text for name, text in statements().items() if name.startswith("upper."))
    small, large = (
        {name: operation.hits_without(upper) for name, operation in measured[size].items()} for size in SIZES
    )
    table = [f"{name:34} {small[name]:9} {large[name]:9}  {GROWS_WITH.get(name, '')}" for name in small]
    print("\n".join(table))  # noqa: T201 - shown with -s, or when the assertion fails
    grown = [f"{name}: {small[name]} -> {large[name]}" for name in small if large[name] > RATIO * small[name]]
    assert [each for each in grown if each.partition(": ")[0] not in GROWS_WITH] == []


def test_a_post_in_a_thousand_versions_costs_what_a_post_in_one_costs(measured: Measured) -> None:
    for found in measured.values():
        assert found["postUsage(in 1 version)"].hits == found["postUsage(in 1,000 versions)"].hits


def test_an_objection_of_who_wrote_very_much_costs_at_most_twenty_hits_a_post(measured: Measured) -> None:
    for found in measured.values():
        assert found["file_objection"].hits <= 20 * SUBJECTS["heavy"]
