"""Whether a replacement model version is clean of the posts for which another one was flagged."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from consentline.domain.datasets import Coverage, Membership, VersionRef
from consentline.domain.instants import ALWAYS, EVER, Instant
from consentline.domain.lineage import Edge, Kind, Lineage, Node
from consentline.domain.posts import PostFacts
from consentline.domain.usage import cannot_rule_out, influence


@dataclass(frozen=True, slots=True)
class Offence:
    """A post that the replacement used (`path` witnesses it), or that `version`, upstream of it, cannot rule out."""

    post: str
    path: tuple[Edge, ...] = ()
    version: VersionRef | None = None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.post} may be held in {self.version}"
        return " -> ".join([self.post, *(str(edge.target) for edge in self.path)])


def offences(
    lineage: Lineage, replacement: str, posts: Iterable[tuple[PostFacts, tuple[Membership, ...]]]
) -> Iterator[Offence]:
    """The posts that stand against the replacement, each with one reason; nothing when its whole upstream is clean."""
    consumed = consumed_upstream(lineage, replacement)
    for post, memberships in posts:
        held_in = lineage.holding(memberships, EVER)
        uses = influence(lineage, Node(Kind.POST, post.key), held_in, EVER)
        used = next((use for use in uses if use.model_version == replacement), None)
        if used is not None:
            yield Offence(post.key, path=used.path)
            continue
        unruled = _first_not_ruled_out(lineage, consumed, post, frozenset(held_in))
        if unruled is not None:
            yield Offence(post.key, version=unruled)


def consumed_upstream(lineage: Lineage, model: str) -> dict[VersionRef, Instant]:
    """Every version that a run upstream of the model version read, sorted, with the latest start of such a run.

    Upstream is reached through bases, derivations and generators.
    """
    found: dict[VersionRef, Instant] = {}
    seen = {model}
    pending = [model]
    while pending:
        current = pending.pop()
        upstream = {each.base for each in lineage.derivations if each.model == current}
        run = lineage.trained_by.get(current)
        if run is not None:
            upstream.update(run.started_from)
            for ref in run.inputs:
                found[ref] = max(found.get(ref, ALWAYS), run.started_at or ALWAYS)
                upstream.update(_generators(lineage, ref))
        pending.extend(upstream - seen)
        seen |= upstream
    return dict(sorted(found.items()))


def _generators(lineage: Lineage, ref: VersionRef) -> set[str]:
    """The model versions that wrote the version, or any that it is derived from."""
    seen = {ref}
    pending = [ref]
    generators: set[str] = set()
    while pending:
        version = lineage.versions[pending.pop()]
        generators.update(version.generated_by)
        fresh = set(version.derived_from) - seen
        seen |= fresh
        pending.extend(fresh)
    return generators


def _first_not_ruled_out(
    lineage: Lineage, consumed: Mapping[VersionRef, Instant], post: PostFacts, held_in: frozenset[VersionRef]
) -> VersionRef | None:
    description = post.described(EVER)
    for ref, started_at in consumed.items():
        version = lineage.versions[ref]
        # A post known to be published after a run started is ruled out of that run.
        if description is not None and started_at < description.published_at:
            continue
        if version.coverage is not Coverage.COMPLETE and cannot_rule_out(
            lineage,
            version,
            EVER,
            selected=lambda each: each.declares(post, EVER),
            held=held_in.__contains__,
        ):
            return ref
    return None
