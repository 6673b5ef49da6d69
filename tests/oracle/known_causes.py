"""What was known of the reasons to retrain at a moment: causes, each with the posts that were used under it."""

from collections.abc import Callable, Iterable, Iterator

from tests.oracle.facts import CauseId, Erasure, Policy, Reading, VersionId
from tests.oracle.known_lineage import KnownLineage

Matches = Callable[[Reading], bool]  # whether a run that read the post makes its use a matter of the cause


def any_run(_run: Reading) -> bool:
    return True


class KnownCauses(KnownLineage):
    """The causes that the facts demand, in whatever order they were recorded."""

    def demanded_flags(self, now: int) -> dict[str, dict[CauseId, set[str]]]:
        """For each model version to be retrained: its causes, each with the posts that it used."""
        flags: dict[str, dict[CauseId, set[str]]] = {}
        for post in sorted(set[str]().union(*(version.members for version in self.versions.values()))):
            readers = self.readers(post)
            for cause, matches in self.causes(post, now) if readers else ():
                for model_version, runs in readers.items():
                    if any(matches(run) for run in runs):
                        flags.setdefault(model_version, {}).setdefault(cause, set()).add(post)
        for run, posts in self.violations().items():
            for node in self.downstream(("TRAINING_RUN", run)) if posts else ():
                if node[0] == "MODEL_VERSION":
                    flags.setdefault(node[1], {})[(run, "VIOLATION")] = posts
        for (model_version, cause), kept in self.facts.frozen.items():
            flags.setdefault(model_version, {})[cause] = set(kept.posts)
        wanted = {
            model_version: {cause: posts for cause, posts in causes.items() if cause[1] in self.facts.kinds}
            for model_version, causes in flags.items()
        }
        return {model_version: causes for model_version, causes in wanted.items() if causes}

    def causes(self, post: str, now: int) -> Iterator[tuple[CauseId, Matches]]:
        """Each that its use is, with the runs that it concerns."""
        erasures = self.erasures if "ERASURE" in self.facts.kinds else lambda _user: list[Erasure]()
        for erasure in erasures(self.author(post)):
            yield (erasure.key, "ERASURE"), any_run
        if post in self.facts.erased_posts:
            return
        for person in self.depicted_others(post) if self.description(post) is not None else ():
            for erasure in erasures(person):
                yield (erasure.key, "THIRD_PARTY_OBJECTED"), any_run
        yield from self._causes_of_objections(post)
        yield from self._causes_of_the_post(post, now)
        yield from self._causes_of_the_author(post, now)

    def _causes_of_objections(self, post: str) -> Iterator[tuple[CauseId, Matches]]:
        for objection in self.objections():
            kind = self.posts_in_scope(objection).get(post)
            stands = self.status(objection) in ("PENDING", "UPHELD") and not self.facts.is_erased(objection.filing.user)
            if kind is not None and stands:
                purposes = {each for each in objection.filing.purposes if self.flags_past_use(objection, post, each)}
                yield (objection.key, kind), of_purposes(purposes)

    def _causes_of_the_post(self, post: str, now: int) -> Iterator[tuple[CauseId, Matches]]:
        if self.deleted(post, now):
            yield (post, "POST_DELETED"), any_run
        if self.visibility(post, now) not in ("PUBLIC", None):
            description = self.description(post)
            if description is not None and self.visibility(post, description.published_at) == "PUBLIC":
                yield (post, "VISIBILITY_NARROWED"), any_run
            else:
                # What is not known at the use may have been public.
                public = ("PUBLIC", None)
                yield (post, "VISIBILITY_NARROWED"), lambda run: self.visibility(post, run.started_at) in public

    def _causes_of_the_author(self, post: str, now: int) -> Iterator[tuple[CauseId, Matches]]:
        description, author = self.description(post), self.author(post)
        if description is None or author is None:
            return
        if self.is_minor(author, description, now):
            yield (author, "MINOR"), any_run
        consent_withdrawn = set[str]()
        for policy in self.policies_over(author, now):
            reasons = self._reasons_of_basis(policy, author, now)
            if "CONSENT_WITHDRAWN" in reasons:
                consent_withdrawn.add(policy.purpose)
            if "ASSESSMENT_EXPIRED" in reasons:
                yield (f"{policy.key}:{policy.version}", "ASSESSMENT_EXPIRED"), of_purposes({policy.purpose})
        yield (author, "CONSENT_WITHDRAWN"), of_purposes(consent_withdrawn)

    def policies_over(self, user: str, at: int) -> list[Policy]:
        """The one in force over the person for each purpose."""
        purposes = sorted({policy.purpose for _, policy in self.facts.policies.values()})
        found = [self.policy(self.jurisdiction(user, at), purpose, at) for purpose in purposes]
        return [policy for policy in found if policy is not None]

    # -- violations --

    def violations(self) -> dict[str, set[str]]:
        """For each started run: the members of its COMPLETE inputs that it could not use when it started."""
        return {
            run.key: {post for post in self.members(run.inputs) if self.is_violation(post, run)} for run in self.runs
        }

    def is_violation(self, post: str, run: Reading) -> bool:
        if (post, run.key) in self.facts.kept_uses:
            return (post, run.key) not in self.facts.kept_lawful
        reasons = self.eligibility(post, run.purpose or "AI_TRAINING", run.started_at).reasons
        return bool(reasons) or (post, run.key) in self.facts.kept_minors

    def members(self, versions: Iterable[VersionId]) -> set[str]:
        complete = [self.versions[each] for each in versions if self.versions[each].coverage == "COMPLETE"]
        return set[str]().union(*(version.members for version in complete))


def of_purposes(purposes: set[str]) -> Matches:
    """The runs of one of these purposes, or of an unknown one, where there is any."""
    return lambda run: bool(purposes) and (run.purpose is None or run.purpose in purposes)
