"""What was known of datasets, runs and models at a moment: which of them used a post, or may have."""

import functools
from collections.abc import Callable
from typing import Any

from tests.oracle.answers import PostUsage, Use
from tests.oracle.facts import RELATIONS, NodeId, Objection, PathStep, Reading, Selection, Version, VersionId
from tests.oracle.known_people import covers_any, covers_platform
from tests.oracle.known_posts import KnownPosts
from tests.oracle.ledger import Offence


class KnownLineage(KnownPosts):
    """Influence, followed by listing every path."""

    @functools.cached_property
    def versions(self) -> dict[VersionId, Version]:
        everything = self.facts.versions.items()
        return {key: each for key, each in everything if each.sealed_at is not None and each.sealed_at <= self.known_at}

    @functools.cached_property
    def runs(self) -> list[Reading]:
        """The runs that had started; one that was only authorised has read nothing."""
        readings = []
        for run in self.facts.runs.values():
            if run.started_at is None or run.start_recorded_at is None or run.start_recorded_at > self.known_at:
                continue
            ended = run.produced_recorded_at is not None and run.produced_recorded_at <= self.known_at
            reading = Reading(
                key=run.key,
                inputs=run.inputs,
                started_from=run.started_from,
                purpose=run.purpose,
                gated=run.gated,
                started_at=run.started_at,
                recorded_at=run.start_recorded_at,
                produced=run.produced if ended else None,
            )
            readings.append(reading)
        return readings

    @functools.cached_property
    def edges(self) -> list[PathStep]:
        """Every edge of influence but HELD_IN."""
        edges: list[PathStep] = []
        for run in self.runs:
            reading = ("TRAINING_RUN", run.key)
            edges += [("CONSUMED_BY", version_node(version), reading) for version in run.inputs]
            edges += [("STARTED", ("MODEL_VERSION", base), reading) for base in run.started_from]
            if run.produced is not None:
                edges.append(("PRODUCED", reading, ("MODEL_VERSION", run.produced)))
        for version in self.versions.values():
            here = version_node(version.id)
            edges += [("GENERATED", ("MODEL_VERSION", model), here) for model in version.generated_by]
            edges += [("DERIVED_DATASET", version_node(upstream), here) for upstream in version.derived_from]
        for (base, derived, _kind), recorded in self.facts.derivations.items():
            if recorded <= self.known_at:
                edges.append(("DERIVED", ("MODEL_VERSION", base), ("MODEL_VERSION", derived)))
        return sorted(set(edges), key=repr)

    def held_in(self, post: str) -> list[VersionId]:
        return sorted(
            version.id
            for version in self.versions.values()
            if version.coverage == "COMPLETE" and post in version.members
        )

    def paths_of_influence(self, post: str) -> list[tuple[PathStep, ...]]:
        """Every path from the post to a model version, or to a run that produced none."""
        producing = {run.key for run in self.runs if run.produced is not None}
        growing = [(("HELD_IN", ("POST", post), version_node(version)),) for version in self.held_in(post)]
        reported: list[tuple[PathStep, ...]] = []
        while growing:
            path = growing.pop()
            relation, _, here = path[-1]
            if here[0] == "MODEL_VERSION" or (here[0] == "TRAINING_RUN" and here[1] not in producing):
                reported.append(path)
            # Members go nowhere along DERIVED_DATASET: the derived version's own manifest says what it holds.
            barred = "DERIVED_DATASET" if relation == "HELD_IN" else None
            growing += [(*path, edge) for edge in self.edges if edge[1] == here and edge[0] != barred]
        return reported

    def readers(self, post: str) -> dict[str, list[Reading]]:
        """The model versions that influence from the post reaches, each with the runs that read it on the way."""
        reached: dict[str, list[Reading]] = {}
        for run in self.runs:
            if run.inputs & set(self.held_in(post)):
                for node in self.downstream(("TRAINING_RUN", run.key)):
                    if node[0] == "MODEL_VERSION":
                        reached.setdefault(node[1], []).append(run)
        return reached

    def downstream(self, node: NodeId) -> set[NodeId]:
        """All that influence from it reaches."""
        reached, growing = set[NodeId](), {node}
        while growing:
            growing = {to for _, source, to in self.edges if source in growing} - reached
            reached |= growing
        return reached

    def run_that_read(self, path: tuple[PathStep, ...]) -> Reading:
        """The first run of the path: the one that read the post."""
        (_, _, node) = path[1]
        return next(run for run in self.runs if run.key == node[1])

    # -- use --

    def post_usage(self, post: str) -> PostUsage:
        by_end: dict[NodeId, list[tuple[PathStep, ...]]] = {}
        for path in self.paths_of_influence(post):
            by_end.setdefault(path[-1][2], []).append(path)
        uses = sorted((self._use(paths) for paths in by_end.values()), key=lambda use: use_order(use))
        undocumented = self._undocumented(post)
        verdict = "USED" if uses else "UNKNOWN" if undocumented else "NOT_USED"
        return PostUsage(verdict, uses, self.held_in(post), undocumented)

    def _use(self, paths: list[tuple[PathStep, ...]]) -> Use:
        """The use that these paths to one end witness."""
        relation = min((relation_of(path) for path in paths), key=RELATIONS.index)
        best = min(
            (path for path in paths if relation_of(path) == relation),
            key=lambda path: (len(path), self.run_that_read(path).started_at, keys_along(path)),
        )
        run, version, end = self.run_that_read(best), best[0][2], best[-1][2]
        return Use(
            model_version=end[1] if end[0] == "MODEL_VERSION" else None,
            relation=relation,
            training_run=run.key,
            dataset_version=(version[1], version[2]),
            used_at=run.started_at,
            path=best,
        )

    def possible_versions(self, objection: Objection) -> list[VersionId]:
        scope = self.posts_in_scope(objection)
        jurisdictions = self.jurisdictions_ever(objection.filing.user)
        return self._versions_that_cannot_rule_out(
            covers=lambda selection: covers_any(selection.jurisdictions, jurisdictions),
            holds=lambda members: bool(members & set(scope)),
        )

    def offence(self, replacement: str, post: str) -> Offence | None:
        """Why the model version is no remedy for the use of the post: its own upstream used it, or may have."""
        end = ("MODEL_VERSION", replacement)
        paths = [path for path in self.paths_of_influence(post) if path[-1][2] == end]
        if paths:
            return Offence(path=self._use(paths).path)
        upstream = [run for run in self.runs if end in self.downstream(("TRAINING_RUN", run.key))]
        undocumented = self._undocumented(post, upstream)
        return Offence(undocumented=tuple(undocumented)) if undocumented else None

    def _undocumented(self, post: str, runs: list[Reading] | None = None) -> list[VersionId]:
        description = self.description(post)
        return self._versions_that_cannot_rule_out(
            runs=self.runs if runs is None else runs,
            covers=lambda selection: self._selection_covers(selection, post),
            holds=lambda members: post in members,
            ruled_out=lambda run: description is not None and run.started_at < description.published_at,
        )

    def _versions_that_cannot_rule_out(
        self,
        covers: Callable[[Selection], bool],
        holds: Callable[[set[str]], bool],
        ruled_out: Callable[[Reading], bool] = lambda run: False,
        runs: list[Reading] | None = None,
    ) -> list[VersionId]:
        """The versions without a COMPLETE manifest that a run consumed and that may hold what is asked for."""
        consumed = {each for run in (self.runs if runs is None else runs) if not ruled_out(run) for each in run.inputs}
        return sorted(
            version
            for version in consumed
            if self.versions[version].coverage != "COMPLETE" and self._may_hold(version, covers, holds)
        )

    def _may_hold(self, key: VersionId, covers: Callable[[Selection], bool], holds: Callable[[set[str]], bool]) -> bool:
        version = self.versions[key]
        if version.coverage == "COMPLETE":
            return holds(version.members)
        if version.coverage == "UNDOCUMENTED" or version.selection is None or covers(version.selection):
            return True
        return any(self._may_hold(upstream, covers, holds) for upstream in version.derived_from)

    def _selection_covers(self, selection: Selection, post: str) -> bool:
        description, author = self.description(post), self.author(post)
        if description is None or author is None:
            return True
        published = description.published_at
        return (
            covers_any(selection.jurisdictions, self.jurisdictions_ever(author))
            and covers_platform(selection.platforms, description.platform)
            and (selection.published_from is None or selection.published_from <= published)
            and (selection.published_before is None or published < selection.published_before)
        )

    def user_usage(self, user: str) -> str:
        posts = [post for post in self.described_posts() if self.author(post) == user]
        posts += [post for post, author in self.facts.erased_posts.items() if author == user]
        verdicts = {self.post_usage(post).verdict for post in posts}
        jurisdictions = self.jurisdictions_ever(user)
        never_recorded = self._versions_that_cannot_rule_out(
            covers=lambda selection: covers_any(selection.jurisdictions, jurisdictions),
            holds=lambda members: False,
        )
        if "USED" in verdicts:
            return "USED"
        return "UNKNOWN" if "UNKNOWN" in verdicts or never_recorded else "NOT_USED"


def version_node(version: VersionId) -> NodeId:
    return ("DATASET_VERSION", *version)


def relation_of(path: tuple[PathStep, ...]) -> str:
    """How the end of the path was reached."""
    relations = [relation for relation, _, _ in path]
    if relations[-1] == "PRODUCED":
        relations.pop()
    if relations[-1] in ("DERIVED", "STARTED"):
        return "DERIVED_MODEL"
    return "TRAINED_ON" if relations == ["HELD_IN", "CONSUMED_BY"] else "SYNTHETIC_DATA"


def keys_along(path: tuple[PathStep, ...]) -> list[tuple[Any, ...]]:
    """The keys of the nodes from the post on; the kinds of nodes count only between equal keys."""
    nodes = [path[0][1], *(to for _, _, to in path)]
    return [node[1:] for node in nodes] + [node[:1] for node in nodes]


def use_order(use: Use) -> tuple[str, str, str]:
    return (use.model_version or "", use.training_run, use.reached[1])
