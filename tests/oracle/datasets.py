"""Dataset versions: registered, filled and sealed by records, built by the rules, withdrawn."""

from collections import Counter

from tests.oracle.facts import ACCEPTED, ANY, REFUSED, UNCHANGED, Record, Selection, Version, VersionId
from tests.oracle.known import AsKnown
from tests.oracle.ledger import Ledger, Refusal, refuse
from tests.oracle.times import micros, optional_micros


def register(ledger: Ledger, given: Record, now: int) -> str:
    dataset, coverage = given["dataset"], given["coverage"]
    posts = frozenset(given["posts"]) if "posts" in given else None
    selection = selection_of(given["declaredSelection"]) if "declaredSelection" in given else None
    derived_from = references(given.get("derivedFrom", ()))
    generated_by = frozenset(given.get("generatedBy", ()))
    registration = (coverage, posts, selection, given.get("basedOn"), derived_from, generated_by)

    following = next_number(ledger, dataset)
    number = given.get("number", following)
    if number < following:
        known = ledger.versions.get((dataset, number))
        refuse({"VERSION_NUMBER_TAKEN": known is None or known.registration != registration})
        return UNCHANGED
    base = ledger.versions.get((dataset, given["basedOn"])) if "basedOn" in given else None
    upstream = [ledger.versions.get(each) for each in derived_from]
    refuse(
        {
            "VERSION_NUMBER_UNEXPECTED": number > following,
            "VERSION_BUILDING": (coverage == "COMPLETE" and is_building(ledger, dataset))
            or (base is not None and base.sealed_at is None)
            or any(version is not None and version.sealed_at is None for version in upstream),
            "BUILD_RUNNING": coverage == "COMPLETE" and is_building(ledger, dataset),
            "VERSION_NOT_FOUND": None in upstream or ("basedOn" in given and base is None),
            "DERIVATION_CYCLE": (dataset, number) in derived_from,
            "VERSION_NOT_COMPLETE": base is not None and base.coverage != "COMPLETE",
            "VERSION_NOT_SEALED": any(version is not None and version.withdrawn_at is not None for version in upstream),
            "VERSION_WITHDRAWN": any(version is not None and version.withdrawn_at is not None for version in upstream),
            "MODEL_VERSION_NOT_FOUND": not generated_by <= set(ledger.models),
            "EMPTY_SELECTION": selection is not None and selection.is_empty,
            ANY: (coverage != "COMPLETE" and (posts is not None or "basedOn" in given))
            or (coverage != "DECLARED" and selection is not None)
            or (posts is not None and "basedOn" in given),
        }
    )
    ledger.versions[(dataset, number)] = Version(
        id=(dataset, number),
        coverage=coverage,
        registration=registration,
        members=set(posts or (base.members if base is not None else ())),
        based_on=given.get("basedOn"),
        selection=selection,
        derived_from=derived_from,
        generated_by=generated_by,
        sealed_at=None if coverage == "COMPLETE" and posts is None else now,
    )
    return ACCEPTED


def build(ledger: Ledger, given: Record, now: int) -> str:
    """The next version: what the selection picks and may be used, at the time asked for and now."""
    dataset, purpose = given["dataset"], given.get("purpose", "AI_TRAINING")
    as_of = micros(given["asOf"]) if "asOf" in given else now
    selection = selection_of(given.get("selection", {}))
    refuse(
        {
            "AS_OF_IN_FUTURE": as_of > now,
            "BUILD_RUNNING": is_building(ledger, dataset),
            "VERSION_BUILDING": is_building(ledger, dataset),
            "EMPTY_SELECTION": selection.is_empty,
        }
    )
    known = AsKnown(ledger)
    reasons = {
        post: {*known.eligibility(post, purpose, as_of).reasons, *known.eligibility(post, purpose, now).reasons}
        for post in known.picked(selection, as_of)
    }
    ledger.excluded = dict(Counter(reason for all_of_it in reasons.values() for reason in all_of_it))
    number = next_number(ledger, dataset)
    ledger.versions[(dataset, number)] = Version(
        id=(dataset, number),
        coverage="COMPLETE",
        registration=("built",),
        members={post for post, all_of_it in reasons.items() if not all_of_it},
        based_on=None,
        selection=None,
        derived_from=frozenset(),
        generated_by=frozenset(),
        sealed_at=now,
    )
    return ACCEPTED


def member(ledger: Ledger, record: Record, now: int) -> str:
    version = ledger.versions.get((record["dataset"], record["version"]))
    if version is None or version.coverage != "COMPLETE":
        return REFUSED
    if record["post"] in version.members:
        return UNCHANGED
    if version.sealed_at is not None:
        return REFUSED
    version.members.add(record["post"])
    return ACCEPTED


def member_removed(ledger: Ledger, record: Record, now: int) -> str:
    version = ledger.versions.get((record["dataset"], record["version"]))
    if version is None or version.based_on is None:
        return REFUSED
    if record["post"] not in version.members:
        return UNCHANGED
    if version.sealed_at is not None:
        return REFUSED
    version.members.remove(record["post"])
    return ACCEPTED


def seal(ledger: Ledger, record: Record, now: int) -> str:
    version = ledger.versions.get((record["dataset"], record["version"]))
    if version is None:
        return REFUSED
    if version.sealed_at is not None:
        return UNCHANGED
    version.sealed_at = now
    return ACCEPTED


def withdraw(ledger: Ledger, given: Record, now: int) -> str:
    version = ledger.versions.get((given["dataset"], given["number"]))
    if version is None:
        raise Refusal("VERSION_NOT_FOUND")
    refuse({"VERSION_BUILDING": version.sealed_at is None})
    if version.withdrawn_at is not None:
        return UNCHANGED
    version.withdrawn_at = now
    return ACCEPTED


def next_number(ledger: Ledger, dataset: str) -> int:
    return 1 + len([each for each in ledger.versions if each[0] == dataset])


def is_building(ledger: Ledger, dataset: str) -> bool:
    return any(version.id[0] == dataset and version.sealed_at is None for version in ledger.versions.values())


def references(given: list[Record]) -> frozenset[VersionId]:
    return frozenset((each["dataset"], each["number"]) for each in given)


def selection_of(given: Record) -> Selection:
    return Selection(
        jurisdictions=frozenset(given.get("jurisdictions") or ()),
        platforms=frozenset(given.get("platforms") or ()),
        published_from=optional_micros(given.get("publishedFrom")),
        published_before=optional_micros(given.get("publishedBefore")),
    )


RECORDS = {"member": member, "member_removed": member_removed, "seal": seal}
OPERATIONS = {
    "registerDatasetVersion": register,
    "buildDatasetVersion": build,
    "withdrawDatasetVersion": withdraw,
}
