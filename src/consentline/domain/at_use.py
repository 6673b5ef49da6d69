"""Whether a post could be used when a run read it: by the facts, or by what was kept of it when they were erased."""

from collections.abc import Iterable

from consentline.domain.eligibility import Eligibility, Reason, evaluate, evaluate_facts, in_order, is_minor
from consentline.domain.instants import EVER, Instant
from consentline.domain.people import jurisdiction_at
from consentline.domain.policies import Policy, governing
from consentline.domain.posts import KeptUse, Link, PostFacts
from consentline.domain.training import TrainingRun

UNKNOWN_PURPOSE = "AI_TRAINING"
"""What a run of which nobody recorded the purpose is judged for."""


def purpose_of(run: TrainingRun) -> str:
    """What the members that a run read are judged for."""
    return run.purpose or UNKNOWN_PURPOSE


def is_ordinary(post: PostFacts) -> bool:
    """Whether no erasure has anything to say about the post's uses: the facts alone do."""
    return post.erased_since is None and not post.minor_at_use and not _unsettled(post)


def eligibility_at_use(
    post: PostFacts, policies: Iterable[Policy], run: TrainingRun, *, known_at: Instant
) -> Eligibility:
    """The post's eligibility when the run started, as known when a gated start was committed, else at `known_at`.

    Of an erased post, what was kept when its erasure was confirmed; a use recorded since has ERASED.
    """
    policies, at = tuple(policies), run.started_at or 0
    known = run.recorded_at if run.gated else known_at
    if post.erased_since is None:
        found = evaluate(post, policies, purpose=purpose_of(run), at=at, known_at=known)
        return _with_minors(post, policies, run, found)
    kept = _kept(post, policies, run)
    if kept is None:
        return Eligibility((Reason.ERASED,), None, at, known)
    policy = next((each for each in policies if (each.key, each.version) == kept.policy), None)
    return Eligibility(tuple(Reason(code) for code in kept.reasons), policy, at, known)


def violates(post: PostFacts, policies: Iterable[Policy], run: TrainingRun) -> bool:
    """Whether the post could not be used when the run started, by all that is known; for good once it is erased."""
    policies, at = tuple(policies), run.started_at or 0
    if post.erased_since is None:
        found = evaluate(post, policies, purpose=purpose_of(run), at=at, known_at=EVER)
        return bool(_with_minors(post, policies, run, found).reasons)
    kept = _kept(post, policies, run)
    return kept is None or kept.violates


def keep(post: PostFacts, policies: Iterable[Policy], run: TrainingRun, confirmed_at: Instant) -> KeptUse:
    """What is kept of a run's use of a post when the erasure of its author is confirmed; the facts are there yet.

    The reasons as known at a gated start, else at the confirmation; whether it violates, at the confirmation.
    """
    policies, at = tuple(policies), run.started_at or 0

    def found(known_at: Instant) -> Eligibility:
        answer = evaluate_facts(post, policies, purpose=purpose_of(run), at=at, known_at=known_at)
        return _with_minors(post, policies, run, answer)

    now = found(confirmed_at)
    then = found(run.recorded_at) if run.gated else now
    policy = None if then.policy is None else (then.policy.key, then.policy.version)
    return KeptUse(run.key, tuple(reason.value for reason in then.reasons), policy, bool(now.reasons))


def minor_at_use(post: PostFacts, policies: Iterable[Policy], run: TrainingRun) -> bool:
    """Whether somebody whom the post depicts, and whose erasure is being carried out, gives the use THIRD_PARTY_MINOR.

    As known when that erasure was confirmed; their facts are there yet.
    """
    policies = tuple(policies)
    return any(_gives_minor(post, policies, run, link.person.erased_at or 0, link) for link in _unsettled(post))


def _gives_minor(
    post: PostFacts, policies: tuple[Policy, ...], run: TrainingRun, confirmed_at: Instant, link: Link
) -> bool:
    description, author, at = post.described(confirmed_at), post.author(confirmed_at), run.started_at or 0
    if description is None or author is None or run.recorded_at > confirmed_at:
        return False
    place = jurisdiction_at(author, at, confirmed_at)
    policy = governing(policies, place, purpose_of(run), at, confirmed_at)
    return policy is not None and policy.protects_depicted and is_minor(link.person, description, at, confirmed_at)


def _unsettled(post: PostFacts) -> list[Link]:
    """The ties to people depicted now, not being the author, whose erasure is not carried out for this post yet."""
    author = post.author(EVER)
    return [
        link
        for link in post.depicted
        if link.until is None
        and not link.settled
        and link.person.erased_at is not None
        and (author is None or link.person.key != author.key)
    ]


def _with_minors(post: PostFacts, policies: tuple[Policy, ...], run: TrainingRun, found: Eligibility) -> Eligibility:
    if run.key in post.minor_at_use or minor_at_use(post, policies, run):
        return Eligibility(in_order((*found.reasons, Reason.THIRD_PARTY_MINOR)), found.policy, found.at, found.known_at)
    return found


def _kept(post: PostFacts, policies: tuple[Policy, ...], run: TrainingRun) -> KeptUse | None:
    """What is kept of a use, or will be; None for one that was recorded after the confirmation."""
    if post.erased_at is not None:
        return next((each for each in post.kept if each.run == run.key), None)
    confirmed_at = post.erased_since
    if confirmed_at is None or run.recorded_at > confirmed_at:
        return None
    return keep(post, policies, run, confirmed_at)
