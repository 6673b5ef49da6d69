"""Records of people, posts and rules: what each adds to the ledger."""

from collections.abc import Callable
from datetime import date

from tests.oracle.facts import ACCEPTED, REFUSED, UNCHANGED, Description, Policy, Record, Said
from tests.oracle.known import AsKnown
from tests.oracle.ledger import Ledger, keep_first, refuse, say
from tests.oracle.times import ALWAYS, micros, optional_micros


def user(ledger: Ledger, record: Record, now: int) -> str:
    key = record["key"]
    refuse({"ERASED": ledger.is_erased(key)})
    valid_from = ALWAYS if record.get("valid_from") is None else micros(record["valid_from"])
    news: list[tuple[list[Said], Said]] = []
    for name, kept in (("jurisdiction", ledger.jurisdictions), ("adult_from", ledger.adulthoods)):
        if name not in record:
            continue
        said = [fact.value for fact in kept if (fact.about, fact.valid_from) == (key, valid_from)]
        value = record[name]
        if name == "adult_from" and value is not None:
            value = date.fromisoformat(value)
        if said and said != [value]:
            return REFUSED
        if not said:
            news.append((kept, Said(key, value, valid_from, now)))
    if key in ledger.people and not news:
        return UNCHANGED
    ledger.people.setdefault(key, now)
    for kept, fact in news:
        kept.append(fact)
    return ACCEPTED


def post(ledger: Ledger, record: Record, now: int) -> str:
    key = record["key"]
    corrected = [said.value[0] for said in ledger.corrections if said.about == key]
    authors = (record["author"], *corrected[-1:])
    refuse({"ERASED": key in ledger.erased_posts or any(ledger.is_erased(author) for author in authors)})
    described = Description(
        author=record["author"],
        platform=record["platform"],
        kind=record["post_kind"],
        visibility=record["visibility"],
        published_at=micros(record["published_at"]),
    )
    outcome = UNCHANGED
    if key in ledger.descriptions and ledger.descriptions[key].value != described:
        return REFUSED
    if "content_digest" in record and ledger.digests.get(key, record["content_digest"]) != record["content_digest"]:
        return REFUSED
    if key not in ledger.descriptions:
        ledger.descriptions[key] = Said(key, described, described.published_at, now)
        outcome = ACCEPTED
    if "content_digest" in record and key not in ledger.digests:
        ledger.digests[key] = record["content_digest"]
        outcome = ACCEPTED
    if "depicts" in record and frozenset(record["depicts"]) != AsKnown(ledger).depicts(key):
        ledger.depictions.append(Said(key, frozenset(record["depicts"]), ALWAYS, now))
        outcome = ACCEPTED
    if "special_category" in record and record["special_category"] != AsKnown(ledger).special_category(key):
        ledger.special_categories.append(Said(key, record["special_category"], ALWAYS, now))
        outcome = ACCEPTED
    return outcome


def visibility(ledger: Ledger, record: Record, now: int) -> str:
    refuse({"ERASED": record["post"] in ledger.erased_posts})
    return say(ledger.visibilities, record["post"], record["visibility"], micros(record["valid_from"]), now)


def post_author(ledger: Ledger, record: Record, now: int) -> str:
    refuse({"ERASED": record["post"] in ledger.erased_posts or ledger.is_erased(record["author"])})
    return say(ledger.corrections, record["post"], (record["author"], record["reason"]), ALWAYS, now)


def post_deleted(ledger: Ledger, record: Record, now: int) -> str:
    refuse({"ERASED": record["post"] in ledger.erased_posts})
    return say(ledger.deletions, record["post"], "DELETED", micros(record["valid_from"]), now)


def consent(ledger: Ledger, record: Record, now: int) -> str:
    refuse({"ERASED": ledger.is_erased(record["user"])})
    value = (record["purpose"], record["status"])
    return say(ledger.consents, record["user"], value, micros(record["valid_from"]), now)


def policy(ledger: Ledger, record: Record, now: int) -> str:
    told = Policy(
        key=record["key"],
        version=record["version"],
        jurisdiction=record["jurisdiction"],
        purpose=record["purpose"],
        lawful_basis=record["lawful_basis"],
        effective_from=micros(record["effective_from"]),
        effective_until=optional_micros(record.get("effective_until")),
        notice_required=record.get("notice_required", True),
        objection_window_days=record.get("objection_window_days", 0),
        platforms=frozenset(record.get("platforms", ())),
        assessment=record.get("assessment"),
        assessment_expires=optional_micros(record.get("assessment_expires")),
        protects_depicted=record.get("protects_depicted", True),
        flags_past_use=record.get("flags_past_use", True),
        objection_absolute=record.get("objection_absolute", False),
        gate_flagged_bases=record.get("gate_flagged_bases", True),
    )
    return keep_first(ledger.policies, (told.key, told.version), told, now)


def notice(ledger: Ledger, record: Record, now: int) -> str:
    content = dict(record) | {"published_at": micros(record["published_at"])}
    return keep_first(ledger.notices, (record["key"], record["version"]), content, now)


def notice_served(ledger: Ledger, record: Record, now: int) -> str:
    text, served_at = (record["notice"], record["version"]), micros(record["served_at"])
    refuse({"ERASED": ledger.is_erased(record["user"])})
    natural_key = (record["user"], text, served_at)
    seen_at = optional_micros(record.get("seen_at"))
    before, _ = ledger.seen.get(natural_key, (seen_at, now))
    if seen_at is not None and (seen_at < served_at or seen_at != before):
        return REFUSED
    outcome = say(ledger.notices_served, record["user"], text, served_at, now)
    if seen_at is not None and natural_key not in ledger.seen:
        ledger.seen[natural_key] = seen_at, now
        outcome = ACCEPTED
    return outcome


RECORDS: dict[str, Callable[[Ledger, Record, int], str]] = {
    "user": user,
    "post": post,
    "visibility": visibility,
    "post_author": post_author,
    "post_deleted": post_deleted,
    "policy": policy,
    "notice": notice,
    "notice_served": notice_served,
    "consent": consent,
}
