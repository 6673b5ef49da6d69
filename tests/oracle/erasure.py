"""Erasure: requested, and confirmed, when all that was known of the person and their posts goes but what must stay."""

from tests.oracle.facts import ACCEPTED, UNCHANGED, Erasure, FrozenCause, Reading, Record, Said
from tests.oracle.flags import cause_due_at, follow
from tests.oracle.known import AsKnown
from tests.oracle.ledger import Ledger, Refusal, refuse
from tests.oracle.times import due_at, micros


def request(ledger: Ledger, given: Record, now: int) -> str:
    key, user, received_at = given["key"], given["user"], micros(given["receivedAt"])
    known, people = ledger.erasures.get(key), AsKnown(ledger)
    ledger.affected = len([post for post in people.described_posts() if concerns(people, post, user)])
    if known is not None and (known.user, known.received_at) == (user, received_at):
        ledger.affected = ledger.kept_counts.get(key, ledger.affected)
        return UNCHANGED
    refuse(
        {
            "ERASURE_CONFLICT": known is not None,
            "ERASED": ledger.is_erased(user),
            "ERASURE_STANDING": people.erasures(user),
        }
    )
    due = due_at(received_at, people.jurisdiction(user, received_at), ledger.establishment)
    ledger.erasures[key] = Erasure(key, user, received_at, now, due)
    return ACCEPTED


def concerns(known: AsKnown, post: str, user: str) -> bool:
    """Posts that the person wrote or that depict them."""
    return user == known.author(post) or user in known.depicts(post)


def confirm(ledger: Ledger, given: Record, now: int) -> str:
    if given["key"] not in ledger.erasures:
        raise Refusal("ERASURE_NOT_FOUND")
    erasure = ledger.erasures[given["key"]]
    refuse({"ERASURE_WRONG_STATE": erasure.refusal is not None})
    if erasure.confirmed_at is not None:
        return UNCHANGED
    follow(ledger, now)  # what time alone brought about stands too
    known, user = AsKnown(ledger), erasure.user
    posts: dict[str, str | None] = {post: user for post in known.described_posts() if known.author(post) == user}
    claimed = {said.about: said.value[0] for said in ledger.corrections}  # by the last correction of each
    posts |= {post: None for post, author in claimed.items() if author == user and known.description(post) is None}
    concerned = [post for post in known.described_posts() if concerns(known, post, user)]
    ledger.kept_counts[given["key"]] = len(concerned)
    keep(ledger, known, user, set(posts), now)
    forget(ledger, user, set(posts))
    ledger.erased_posts |= posts
    erasure.confirmed_at = now
    return ACCEPTED


def reject(ledger: Ledger, given: Record, now: int) -> str:
    """With grounds (Art. 12(6), 17(3)): it restricts until the person was told."""
    erasure = ledger.erasures.get(given["key"])
    decided_at = micros(given["decidedAt"]) if "decidedAt" in given else now
    refuse(
        {
            "ERASURE_NOT_FOUND": erasure is None,
            "ERASURE_WRONG_STATE": erasure is not None and (erasure.confirmed_at or erasure.refusal) is not None,
            "GROUNDS_REQUIRED": not given.get("grounds"),
            "DECIDED_AT_OUT_OF_RANGE": erasure is not None and not erasure.received_at <= decided_at <= now,
        }
    )
    assert erasure is not None
    erasure.refusal = Said(given["grounds"], "REFUSED", decided_at, now)
    return ACCEPTED


def keep(ledger: Ledger, known: AsKnown, user: str, posts: set[str], now: int) -> None:
    """What cannot be told any more once the facts are gone."""
    theirs = {each.key: each for each in ledger.objections.values() if each.filing.user == user}
    for key, objection in theirs.items():
        ledger.kept_counts[key] = len(known.posts_in_scope(objection))
    sources = {
        *((key, kind) for key in theirs for kind in ("OBJECTION", "THIRD_PARTY_OBJECTED")),
        *((post, kind) for post in posts for kind in ("POST_DELETED", "VISIBILITY_NARROWED")),
        *((user, kind) for kind in ("MINOR", "CONSENT_WITHDRAWN")),
    }
    for model_version, causes in known.demanded_flags(now).items():
        for cause in sources & set(causes):
            due = cause_due_at(ledger, model_version, cause)
            ledger.frozen[(model_version, cause)] = FrozenCause(frozenset(causes[cause]), due)
    for run in known.runs:
        for post in known.members(run.inputs):
            if post in posts:
                if not known.is_violation(post, run):
                    ledger.kept_lawful.add((post, run.key))
                ledger.kept_uses[(post, run.key)] = known.eligibility_at_use(post, run)
            elif depicted_a_minor(known, post, user, run):
                ledger.kept_minors.add((post, run.key))


def depicted_a_minor(known: AsKnown, post: str, user: str, run: Reading) -> bool:
    description, author = known.description(post), known.author(post)
    if description is None or author is None or user not in known.depicted_others(post):
        return False
    policy = known.policy(known.jurisdiction(author, run.started_at), run.purpose or "AI_TRAINING", run.started_at)
    return policy is not None and policy.protects_depicted and known.is_minor(user, description, run.started_at)


def forget(ledger: Ledger, user: str, posts: set[str]) -> None:
    for of_people in (ledger.jurisdictions, ledger.adulthoods, ledger.consents, ledger.notices_served):
        of_people[:] = [said for said in of_people if said.about != user]
    of_posts = (ledger.depictions, ledger.special_categories, ledger.visibilities, ledger.corrections, ledger.deletions)
    for kept in of_posts:
        kept[:] = [said for said in kept if said.about not in posts]
    for post in posts:
        ledger.descriptions.pop(post, None)
        ledger.digests.pop(post, None)


OPERATIONS = {"requestErasure": request, "confirmErasure": confirm, "rejectErasure": reject}
