"""What one request carries: the service, the bearer, and what was read already."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import strawberry

from consentline.domain.access import Action, Principal
from consentline.domain.audit import Actor, Subject, SubjectKind
from consentline.domain.datasets import DatasetVersion, VersionRef
from consentline.domain.erasures import Erasure
from consentline.domain.errors import RefusedError
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.objections import Objection
from consentline.domain.training import TrainingRun
from consentline.gql.audit import Reads
from consentline.gql.cursors import Cursors
from consentline.gql.ids import NodeId
from consentline.usecases import erasures, objections, people, posts
from consentline.usecases.feed import Feed
from consentline.usecases.service import Service

T = TypeVar("T")


class NodeLoader(Protocol):
    """How any node is found by its id; the types of the schema are tied together here, see `gql/nodes.py`."""

    async def __call__(self, context: "Context", node: NodeId) -> Any:
        """The view of the node, None when it is not recorded."""
        ...


class PermitSigner(Protocol):
    """How a run that the gate let start gets something to show for it."""

    def __call__(self, run: TrainingRun, inputs: Sequence[DatasetVersion]) -> str | None:
        """A fresh permit; None unless the run is RUNNING through the gate."""
        ...


class _Remembered:
    """Reads of one request, each done once however often it is asked for."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, ...], Any] = {}
        self._tasks: dict[tuple[str, ...], asyncio.Future[Any]] = {}

    async def get(self, key: tuple[str, ...], read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if key in self._values:
            return self._values[key]
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.ensure_future(read())
        # Shielded: a field that is given up must not take the others' answer with it.
        return await asyncio.shield(task)

    async def again(self, key: tuple[str, ...]) -> Any:
        """What was read, or is being read."""
        return self._values[key] if key in self._values else await asyncio.shield(self._tasks[key])

    def has(self, key: tuple[str, ...]) -> bool:
        return key in self._values or key in self._tasks

    def put(self, key: tuple[str, ...], value: Any) -> None:
        self._values[key] = value

    def clear(self) -> None:
        self._values.clear()
        self._tasks.clear()


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What came of a mutation: a value, or a refusal."""

    value: T | None
    refusal: RefusedError | None


@dataclass(frozen=True, slots=True)
class Context:
    """One request's view of the world.

    The upper graph is read once for a request, and again after a mutation or when an answer names something newer.
    `feed` is there where subscriptions can be followed; `after` is the id of the event that the client got last.
    """

    service: Service
    principal: Principal
    cursors: Cursors
    load_node: NodeLoader
    request_id: str = ""
    sign_permit: PermitSigner | None = None
    reads: Reads = field(default_factory=Reads)
    feed: Feed | None = None
    after: str | None = None
    _read: _Remembered = field(default_factory=_Remembered)

    @property
    def actor(self) -> Actor:
        """The bearer, as audit entries name them."""
        return Actor(self.principal.role.value, self.principal.token_id, self.request_id)

    async def enter_reads(self) -> None:
        """Enter into the audit whose records the answer shows: before it leaves.

        Raises:
            AuditUnavailableError: it cannot be entered, and the answer must not leave.
        """
        await self.reads.enter(self.service, self.actor)

    def may(self, action: Action) -> bool:
        """Whether the bearer's role allows the action."""
        return self.principal.may(action)

    def require(self, action: Action) -> None:
        """Return when the bearer's role allows the action.

        Raises:
            ForbiddenError: when it does not.
        """
        self.principal.require(action)

    async def lineage(self, *, models: Iterable[str] = (), versions: Iterable[VersionRef] = ()) -> Lineage:
        """The upper graph, recent enough to know these model versions and dataset versions."""
        lineage = await self._read.get(("lineage",), self.service.lineage)
        if all(key in lineage.models for key in models) and all(ref in lineage.versions for ref in versions):
            return lineage
        self._read.clear()
        return await self._read.get(("lineage",), self.service.lineage)

    async def now(self) -> Instant:
        """The database's time at its first use in this request."""
        return await self._read.get(("now",), self.service.now)

    async def user(self, key: str) -> people.User | None:
        """A person as they stand; that there is none is told of somebody, too."""
        self.reads.add([Subject(SubjectKind.USER, key)])
        return await self._read.get(("user", key), lambda: people.find_user(self.service, key))

    async def post(self, key: str) -> posts.Post | None:
        """A post as it stands."""
        return await self._read.get(("post", key), lambda: posts.find_post(self.service, key))

    async def objection(self, key: str) -> Objection | None:
        """An objection as it stands; that there is none is told, too."""
        self.reads.add([Subject(SubjectKind.OBJECTION, key)])
        return await self._read.get(("objection", key), lambda: objections.find_objection(self.service, key))

    async def erasure(self, key: str) -> Erasure | None:
        """An erasure as it stands; that there is none is told, too."""
        self.reads.add([Subject(SubjectKind.ERASURE, key)])
        return await self._read.get(("erasure", key), lambda: erasures.find_erasure(self.service, key))

    async def read_posts(self, keys: Iterable[str]) -> Mapping[str, posts.Post | None]:
        """Read many posts in one statement, for `post` to answer from; of a key that nothing names, None."""
        return await self._read_many("post", keys, posts.find_posts)

    async def read_users(self, keys: Iterable[str]) -> None:
        """Read many people at once, for `user` to answer from."""
        await self._read_many("user", keys, people.find_users)

    async def read_objections(self, keys: Iterable[str]) -> None:
        """Read many objections in one statement, for `objection` to answer from."""
        await self._read_many("objection", keys, objections.find_objections)

    async def read_erasures(self, keys: Iterable[str]) -> None:
        """Read many erasures in one statement, for `erasure` to answer from."""
        await self._read_many("erasure", keys, erasures.find_erasures)

    async def _read_many(
        self, kind: str, keys: Iterable[str], find: Callable[[Service, Sequence[str]], Awaitable[Mapping[str, Any]]]
    ) -> dict[str, Any]:
        asked = dict.fromkeys(keys)
        wanted = sorted(key for key in asked if not self._read.has((kind, key)))
        found: Mapping[str, Any] = await find(self.service, wanted) if wanted else {}
        read = {key: found.get(key) for key in wanted}
        for key, value in read.items():
            self._read.put((kind, key), value)
        return read | {key: await self._read.again((kind, key)) for key in asked if key not in read}

    async def change(self, change: Callable[[], Awaitable[T]]) -> Outcome[T]:
        """Run a use case that writes; a refusal is an outcome, everything else an error.

        What was read before is forgotten, so that the payload shows the new state.
        """
        try:
            value = await change()
        except RefusedError as error:
            return Outcome(None, error)
        self._read.clear()
        return Outcome(value, None)


Info: TypeAlias = strawberry.Info[Context, None]
