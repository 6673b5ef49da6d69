"""Violations: members that could not be used when a training run read them, and the model versions that this taints.

A run is judged at its start, for its purpose, as known now: so what is learned late about that time counts, and what
happened afterwards does not.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from consentline.domain.at_use import is_ordinary, purpose_of, violates
from consentline.domain.datasets import Coverage, Membership, VersionRef
from consentline.domain.evaluation import Evaluator
from consentline.domain.instants import ALWAYS, EVER, Instant
from consentline.domain.lineage import Kind, Lineage, Node, model_node
from consentline.domain.policies import Policy
from consentline.domain.posts import PostFacts
from consentline.domain.training import RunStatus, TrainingRun


class Question(NamedTuple):
    """What the members that a run read are asked: whether they could be used for `purpose` at `at`."""

    purpose: str
    at: Instant


class Violation(NamedTuple):
    """A post that a run read although it could not be used."""

    run: str
    post: str


def question_of(run: TrainingRun) -> Question | None:
    """What the run's members are asked; None for a run that did not start, or failed: it will never have a product."""
    if run.started_at is None or run.status is RunStatus.FAILED:
        return None
    return Question(purpose_of(run), run.started_at)


def judged_inputs(lineage: Lineage, run: TrainingRun) -> list[VersionRef]:
    """The inputs of which it is known what they hold."""
    return [ref for ref in run.inputs if lineage.versions[ref].coverage is Coverage.COMPLETE]


def _started_since(lineage: Lineage, since: Instant) -> Sequence[TrainingRun]:
    started = lineage.started
    return started[bisect_left(started, since, key=lambda run: run.started_at or 0) :]


class Readers:
    """The runs that facts valid from `since` on may concern, by the versions that they read; false without any."""

    def __init__(self, lineage: Lineage, since: Instant = ALWAYS, *, only: Collection[str] | None = None) -> None:
        runs = _started_since(lineage, since) if only is None else (lineage.runs[key] for key in only)
        self._runs = lineage.runs
        self._questions: dict[str, Question] = {}
        self._reading: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self._found: dict[tuple[Membership, ...], frozenset[str]] = {}
        for run in runs:
            question = question_of(run)
            if question is None or question.at < since:
                continue
            for ref in judged_inputs(lineage, run):
                self._questions[run.key] = question
                self._reading[ref.dataset].append((ref.number, run.key))

    def __bool__(self) -> bool:
        return bool(self._reading)

    @property
    def datasets(self) -> list[str]:
        """The datasets of which any version was read, sorted."""
        return sorted(self._reading)

    def of(self, memberships: tuple[Membership, ...]) -> frozenset[str]:
        """The runs that read a post with these memberships, each once however many of its inputs hold the post."""
        if memberships not in self._found:
            self._found[memberships] = frozenset(
                run
                for membership in memberships
                for number, run in self._reading.get(membership.dataset, ())
                if membership.holds(number)
            )
        return self._found[memberships]

    def violations(
        self, policies: Collection[Policy], facts: Iterable[PostFacts], readers: Mapping[str, frozenset[str]]
    ) -> set[Violation]:
        """Of the posts with the runs that read them, those that could not be used; runs alike are judged once."""
        evaluators: dict[Question, Evaluator] = {}
        found: set[Violation] = set()
        for post in facts:
            if not is_ordinary(post):
                runs = (run for run in readers[post.key] if violates(post, policies, self._runs[run]))
                found.update(Violation(run, post.key) for run in runs)
                continue
            by_question: defaultdict[Question, list[str]] = defaultdict(list)
            for run in readers[post.key]:
                by_question[self._questions[run]].append(run)
            for question, runs in by_question.items():
                evaluator = evaluators.get(question)
                if evaluator is None:
                    evaluator = evaluators[question] = Evaluator(policies, *question)
                if evaluator.reasons(post):
                    found.update(Violation(run, post.key) for run in runs)
        return found


def differences(before: Collection[Violation], after: Collection[Violation]) -> dict[str, int]:
    """By how many posts the violations of each run changed, where they did."""
    counts = Counter(each.run for each in after)
    counts.subtract(each.run for each in before)
    return {run: count for run, count in counts.items() if count}


def concerned_by(lineage: Lineage, policies: Iterable[Policy]) -> list[str]:
    """The runs whose judgement rests on any of the policies: of its purpose, and begun while it is in force; sorted."""
    policies = tuple(policies)
    found: list[str] = []
    for run in lineage.runs.values():
        question = question_of(run)
        if question is not None and any(
            policy.purpose == question.purpose and policy.in_force(question.at, EVER) for policy in policies
        ):
            found.append(run.key)
    return sorted(found)


def models_tainted(lineage: Lineage, run: str) -> frozenset[str]:
    """The model versions that influence from the run reaches: its product, and all that comes of it."""
    return lineage.models_after(run)


def models_made_from(lineage: Lineage, model: str) -> frozenset[str]:
    """The model version, and all that comes of it."""
    return _models(lineage.all_downstream(model_node(model)))


def _models(nodes: Iterable[Node]) -> frozenset[str]:
    return frozenset(node.key for node in nodes if node.kind is Kind.MODEL_VERSION)


def versions_held_by(lineage: Lineage, model: str) -> list[VersionRef]:
    """The versions upstream of the model version of which it is known what they hold, sorted."""
    refs = (
        VersionRef(node.key, node.number)
        for node in lineage.all_upstream(model_node(model))
        if node.kind is Kind.DATASET_VERSION
    )
    return sorted(ref for ref in refs if lineage.versions[ref].coverage is Coverage.COMPLETE)


def read_datasets(lineage: Lineage) -> list[str]:
    """The datasets of whose members a run that may have a product read any, sorted."""
    return Readers(lineage).datasets


def models_reading(lineage: Lineage, datasets: Collection[str]) -> frozenset[str]:
    """The model versions that influence from the datasets' members reaches."""
    runs = (run for run in lineage.runs.values() if question_of(run) is not None) if datasets else ()
    return frozenset[str]().union(
        *(
            models_tainted(lineage, run.key)
            for run in runs
            if any(ref.dataset in datasets for ref in judged_inputs(lineage, run))
        )
    )
