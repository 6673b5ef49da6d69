"""Random upper graphs with open flags, and what comes of them when a plan is followed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from consentline.domain.affected import AffectedPosts, Event, Holding, PlanCause
from consentline.domain.datasets import Coverage, DatasetVersion, VersionRef, VersionStatus
from consentline.domain.flags import FlagStatus, RetrainingFlag
from consentline.domain.instants import EVER, Instant
from consentline.domain.lineage import Kind, Lineage, Node
from consentline.domain.plan_obstacles import Undecided
from consentline.domain.plan_steps import BaseChoice, BaseRelation, InputChoice, Method, Plan, PlannedInput, Step
from consentline.domain.plans import Planner
from consentline.domain.posts import PostFacts
from consentline.domain.training import Derivation, DerivationKind, ModelStatus, ModelVersion, TrainingRun
from consentline.domain.usage import ReadBy, influence
from tests.unit.domain.factories import AI, RECORDED, ref, run, version

T = TypeVar("T")

NUMBERS = {"d": 4, "e": 3}
UNKNOWN = ("u:1", "w:1")


def flag(model: str, due: int = RECORDED) -> RetrainingFlag:
    return RetrainingFlag(f"flag of {model}", model, FlagStatus.OPEN, None, RECORDED, due, None, None)


def models_reached(
    lineage: Lineage, held_in: Iterable[VersionRef], known_at: Instant, counts: ReadBy
) -> frozenset[str]:
    """The model versions that used, in any relation, a post held in `held_in` and read by a run that `counts`."""
    uses = influence(lineage, Node(Kind.POST, ""), held_in, known_at, counts)
    return frozenset(use.model_version for use in uses if use.model_version is not None)


@dataclass
class World:
    """What is recorded, made up by a generator of random numbers."""

    random: Random
    versions: dict[VersionRef, DatasetVersion] = field(default_factory=dict[VersionRef, DatasetVersion])
    runs: dict[str, TrainingRun] = field(default_factory=dict[str, TrainingRun])
    models: dict[str, ModelVersion] = field(default_factory=dict[str, ModelVersion])
    derivations: list[Derivation] = field(default_factory=list[Derivation])

    def __post_init__(self) -> None:
        for dataset, numbers in NUMBERS.items():
            for number in range(1, numbers + 1):
                status = VersionStatus.WITHDRAWN if self.chance(10) else VersionStatus.SEALED
                self.add(version(f"{dataset}:{number}", status=status))
        self.add(version("u:1", Coverage.UNDOCUMENTED))
        self.add(version("w:1", Coverage.DECLARED))
        for number in range(self.random.randint(2, 11)):
            self.random.choice([self.train, self.train, self.train, self.derive, self.generate, self.clean])(number)
        self.posts = {f"p{number}": self.holdings() for number in range(6)}
        self.ineligible = {each: self.random.choice([0, 0, 0, 3, None]) for each in self.versions}
        self.lineage = Lineage(
            revision="revision",
            titles={each.dataset: each.dataset for each in self.versions},
            versions=self.versions,
            runs=self.runs,
            models=self.models,
            derivations=tuple(self.derivations),
        )
        self.flag()

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def some(self, values: Iterable[T], most: int = 2) -> list[T]:
        values = list(values)
        return self.random.sample(values, min(len(values), self.random.randint(0, most)))

    def add(self, made: DatasetVersion) -> None:
        self.versions[made.ref] = made

    def model(self, key: str) -> None:
        status = ModelStatus.RETIRED if self.chance(10) else ModelStatus.ACTIVE
        self.models[key] = ModelVersion(key, *key.split(":"), status, RECORDED)

    def train(self, number: int) -> None:
        produced = None if self.chance(15) else f"m:{number}"
        made = run(
            f"r{number}",
            *sorted(map(str, self.some(self.versions))),
            produced=produced,
            started_from=sorted(self.some(self.models)),
            purpose=self.random.choice([AI, AI, "ADS", None]),
        )
        self.runs[made.key] = made
        if produced is not None:
            self.model(produced)

    def derive(self, number: int) -> None:
        bases = self.some(self.models)
        if bases:
            kind = self.random.choice(list(DerivationKind))
            self.derivations += [Derivation(f"m:{number}", base, kind, RECORDED, RECORDED) for base in bases]
            self.model(f"m:{number}")

    def generate(self, number: int) -> None:
        name = f"s:{number + 1}" if self.chance(30) else f"s{number}:1"
        self.add(version(name, generated_by=sorted(self.some(self.models))))

    def clean(self, number: int) -> None:
        made = [str(each) for each in self.versions if each.dataset[0] in "st"]
        self.add(version(f"t{number}:1", derived_from=sorted(self.some(made))))

    def holdings(self) -> tuple[Holding, ...]:
        """Intervals that do not overlap, in one or both datasets."""
        found: list[Holding] = []
        for dataset, numbers in NUMBERS.items():
            begin = self.random.randint(1, numbers + 2)
            while begin <= numbers:
                end = None if self.chance(30) else self.random.randint(begin + 1, numbers + 1)
                found.append(Holding(dataset, begin, end, f"{dataset}/2/{self.random.randrange(4):x}/0"))
                begin = numbers + 1 if end is None or self.chance(70) else end + 1
        return tuple(found)

    def held_in(self, post: str) -> list[VersionRef]:
        return [
            VersionRef(dataset, number)
            for dataset, numbers in NUMBERS.items()
            for number in range(1, numbers + 1)
            if any(each.dataset == dataset and each.holds(number) for each in self.posts[post])
        ]

    def flag(self) -> None:
        """Events flag what used their posts, for all purposes or one; some flags were resolved meanwhile."""
        causes: dict[str, set[PlanCause]] = {post: set() for post in self.posts}
        for number in range(self.random.randint(1, 4)):
            event, purpose = Event("Objection", f"o{number}"), self.random.choice([None, None, AI])
            for post in self.some(self.posts, 3):
                counted = [self.held_in(post), EVER, lambda run, p=purpose: p is None or run.purpose in (None, p)]
                causes[post] |= {PlanCause(model, event) for model in models_reached(self.lineage, *counted)}
        flagged = sorted({cause.model for each in causes.values() for cause in each})
        resolved = set(self.some(flagged, 2)) if self.chance(50) else set[str]()
        self.flags = {
            model: flag(model, RECORDED + self.random.randint(1, 4)) for model in flagged if model not in resolved
        }
        self.replaced = {
            model: self.random.choice(sorted(self.models)) for model in self.some(self.models, 3) if self.chance(60)
        }
        self.replaced = {model: other for model, other in self.replaced.items() if model != other}
        self.affected = [
            AffectedPosts(frozenset(cause for cause in each if cause.model in self.flags), self.posts[post], (post,))
            for post, each in causes.items()
            if any(cause.model in self.flags for cause in each)
        ]

    @property
    def undecided(self) -> Undecided:
        """Nothing is ruled out by what has no manifest."""
        counts = {ref(name): [len(each.keys) for each in self.affected] for name in UNKNOWN}
        return Undecided(counts, counts)

    def planner(self) -> Planner:
        return Planner(self.lineage, self.flags, self.replaced, self.affected, self.count_ineligible, self.undecided)

    def count_ineligible(self, asked: VersionRef, _purpose: str) -> int | None:
        return self.ineligible[asked]

    def posts_of(self, model: str) -> list[str]:
        """The posts for which a model version is flagged."""
        return [each.keys[0] for each in self.affected if any(cause.model == model for cause in each.causes)]

    def facts(self, posts: Sequence[str]) -> list[tuple[PostFacts, tuple[Holding, ...]]]:
        return [(PostFacts(post), self.posts[post]) for post in posts]


worlds = st.integers(0, 2**64 - 1).map(lambda seed: World(Random(seed)))  # noqa: S311, nothing secret


class Follower:
    """Does every step of a plan as it says; `made` is what then stands in for each model version of the plan."""

    def __init__(self, world: World, plan: Plan) -> None:
        self._world = world
        self._versions, self._runs, self._models = dict(world.versions), dict(world.runs), dict(world.models)
        self._derivations = list(world.derivations)
        self.made: dict[str, str] = {}
        for step in plan.steps:
            if step.method is Method.REPLACE:
                self.made[step.model] = self._stand_in(step, step.model, BaseRelation.REPLACED_BY)
            else:
                self._make(step, f"{step.model}+new")

    @property
    def lineage(self) -> Lineage:
        """The upper graph as it is then."""
        return replace(
            self._world.lineage,
            versions=self._versions,
            runs=self._runs,
            models=self._models,
            derivations=tuple(self._derivations),
        )

    def _make(self, step: Step, new: str) -> None:
        self.made[step.model] = new
        self._models[new] = replace(self._models[step.model], key=new)
        for each in self._world.derivations:
            if each.model == step.model:
                base = self._stand_in(step, each.base, BaseRelation.DERIVED_FROM)
                self._derivations.append(replace(each, model=new, base=base))
        if step.run is not None:
            old = self._runs[step.run]
            bases = tuple(self._stand_in(step, base, BaseRelation.STARTED_FROM) for base in old.started_from)
            read = tuple(self._read(step, each) for each in step.inputs)
            self._runs[new] = replace(old, key=new, inputs=read, started_from=bases, produced=new)

    def _stand_in(self, step: Step, base: str, relation: BaseRelation) -> str:
        (found,) = (each for each in step.bases if (each.model, each.relation) == (base, relation))
        return self.made[found.instead] if found.choice is BaseChoice.RETRAINED else found.instead

    def _read(self, step: Step, each: PlannedInput) -> VersionRef:
        if each.choice in (InputChoice.KEEP, InputChoice.UNDOCUMENTED):
            return each.version
        if each.choice is InputChoice.SUCCESSOR:
            assert each.successor is not None
            return each.successor
        built = version(f"built for {step.model} {each.version.dataset}:{each.version.number}")
        if each.choice is InputChoice.REGENERATE:
            generators = {
                self._stand_in(step, base.model, base.relation)
                for base in step.bases
                if base.relation is BaseRelation.GENERATED_INPUT
            }
            built = replace(built, generated_by=tuple(sorted(generators)))
        self._versions[built.ref] = built
        return built.ref
