"""The rules of Consentline in plain Python: the reference that the product is compared with.

Written from design.md, core.graphql, records.md and docs/decisions/0002 alone; it shares no code with the product and
prefers the obvious to the fast. `Oracle` keeps every fact with the time at which it was recorded; `AsKnown` answers
from the facts recorded up to one moment. Influence is followed by listing every path.

`Oracle.apply` takes a record (a dict with a `kind`) or an operation (a mutation's name and its input) and answers
    accepted   something new was recorded
    unchanged  the same was recorded before
    refused    the rules forbid it and nothing was recorded: another content under the same natural key, an unknown or
               BUILDING version, an unknown model version, a derivation cycle, an objection already decided, ...
Not judged here: the shape of a record (unknown fields, wrong types) and times too far ahead of the clock.
"""

import calendar
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import holidays

ACCEPTED, UNCHANGED, REFUSED = "accepted", "unchanged", "refused"
ALWAYS, FOR_EVER = -(2**63), 2**63
DAY = 24 * 60 * 60 * 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REASONS = (
    *("JURISDICTION_UNKNOWN", "JURISDICTION_NOT_COVERED", "PLATFORM_NOT_IN_SCOPE"),
    *("PRIVATE_MESSAGE", "NOT_PUBLIC_AT_PUBLICATION", "NOT_PUBLIC_NOW"),
    *("AGE_UNKNOWN", "MINOR_AT_PUBLICATION", "MINOR_NOW"),
    *("NOTICE_NOT_SERVED", "OBJECTION_WINDOW_OPEN", "OBJECTION_PENDING", "OBJECTED"),
    *("CONSENT_MISSING", "CONSENT_WITHDRAWN"),
    *("POST_DELETED", "ERASURE_PENDING", "ERASED"),
    *("THIRD_PARTY_OBJECTED", "THIRD_PARTY_MINOR", "SPECIAL_CATEGORY"),
    *("ASSESSMENT_MISSING", "ASSESSMENT_EXPIRED"),
)
RELATIONS = ("TRAINED_ON", "DERIVED_MODEL", "SYNTHETIC_DATA")  # the strongest first
RESTRICTIVE = ("PUBLIC", "FRIENDS", "PRIVATE")  # the least restrictive first
CONSENT_ORDER = (
    *("OBJECTED", "OBJECTION_PENDING", "CONSENT_WITHDRAWN", "CONSENT_GIVEN"),
    *("OBJECTION_REFUSED", "OBJECTION_WITHDRAWN", "INFORMED", "UNINFORMED"),
)

Record = Mapping[str, Any]
Step = Record | tuple[str, Record]
VersionId = tuple[str, int]  # dataset, number
NodeId = tuple[Any, ...]  # ("POST", key), ("DATASET_VERSION", dataset, number), ("TRAINING_RUN", key), ...
PathStep = tuple[str, NodeId, NodeId]  # relation, from, to
CauseId = tuple[str, str]  # objection key, cause kind


# ---- times ----------------------------------------------------------------------------------------------------------


def micros(text: str) -> int:
    """The instant in whole microseconds since 1970, UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no offset in {text!r}")
    return (moment - EPOCH) // timedelta(microseconds=1)


def instant(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def utc_day(at: int) -> date:
    return instant(at).date()


def due_at(received_at: int, jurisdiction: str | None, establishment: str | None = None) -> int:
    """The end of the last day to answer an objection (UK GDPR Art. 12(3); design.md, "Objections")."""
    zones = zones_of(country_of(jurisdiction))
    if not zones or not has_holiday_table(jurisdiction):
        jurisdiction, zones = None, [ZoneInfo("UTC")]
    received = instant(received_at)
    easternmost = max(zones, key=lambda zone: received.astimezone(zone).utcoffset() or timedelta())
    last = same_day_next_month(received.astimezone(easternmost).date())
    while last.weekday() >= 5 or (
        is_public_holiday(last, jurisdiction) and (establishment is None or is_public_holiday(last, establishment))
    ):
        last += timedelta(days=1)
    ends = [datetime.combine(last, time(23, 59, 59), zone) for zone in zones]
    return min(micros(end.isoformat()) for end in ends)


def same_day_next_month(day: date) -> date:
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def country_of(jurisdiction: str | None) -> str | None:
    return None if jurisdiction is None else jurisdiction.split("-")[0]


def has_holiday_table(jurisdiction: str | None) -> bool:
    return country_of(jurisdiction) in holidays.list_supported_countries(include_aliases=False)


def is_public_holiday(day: date, jurisdiction: str | None) -> bool:
    """Of the nation (in GB) or of the country as a whole."""
    if not has_holiday_table(jurisdiction):
        return False
    nations = {"GB-ENG": "ENG", "GB-WLS": "WLS", "GB-SCT": "SCT", "GB-NIR": "NIR"}
    country, nation = country_of(jurisdiction), nations.get(jurisdiction or "")
    return day in holidays.country_holidays(country, subdiv=nation, years=day.year, categories=("public",))


@functools.cache
def zones_of(country: str | None) -> list[ZoneInfo]:
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return [ZoneInfo(row[2]) for row in rows if row[0] == country]


# ---- facts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """One statement, valid from a time, and when the system learned it."""

    about: str
    value: Any
    valid_from: int
    recorded_at: int


@dataclass(frozen=True)
class Description:
    author: str
    platform: str
    kind: str
    visibility: str
    published_at: int


@dataclass(frozen=True)
class Policy:
    key: str
    version: int
    jurisdiction: str
    purpose: str
    lawful_basis: str
    effective_from: int
    effective_until: int | None
    notice_required: bool
    objection_window_days: int
    platforms: frozenset[str]  # empty: all
    assessment: str | None
    assessment_expires: int | None
    protects_depicted: bool
    flags_past_use: bool
    objection_absolute: bool
    gate_flagged_bases: bool


@dataclass(frozen=True)
class Selection:
    """What a DECLARED version was drawn from; an empty or missing criterion covers everything."""

    jurisdictions: frozenset[str]
    platforms: frozenset[str]
    published_from: int | None
    published_before: int | None

    @property
    def is_empty(self) -> bool:
        begin, end = self.published_from, self.published_before
        return begin is not None and end is not None and begin >= end


@dataclass
class Version:
    id: VersionId
    coverage: str
    registration: tuple[Any, ...]  # the content it was registered with, to recognise a retry
    members: set[str]
    based_on: int | None
    selection: Selection | None
    derived_from: frozenset[VersionId]
    generated_by: frozenset[str]
    sealed_at: int | None  # None: BUILDING
    withdrawn_at: int | None = None


@dataclass(frozen=True)
class Run:
    key: str
    inputs: frozenset[VersionId]
    started_from: frozenset[str]
    started_at: int
    ended_at: int | None
    purpose: str | None
    produced: str | None


@dataclass(frozen=True)
class Filing:
    """What an objection says."""

    user: str
    received_at: int
    purposes: frozenset[str]
    platforms: frozenset[str]
    channel: str | None


@dataclass
class Objection:
    key: str
    filing: Filing
    recorded_at: int
    due_at: int
    decision: Said | None = None  # UPHELD or REFUSED, valid from decidedAt
    withdrawn_at: int | None = None


# ---- answers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Use:
    model_version: str | None
    relation: str
    training_run: str
    dataset_version: VersionId
    used_at: int
    path: tuple[PathStep, ...]

    @property
    def reached(self) -> NodeId:
        """The model version, or the run that produced none, at the end of the path."""
        return self.path[-1][2]


@dataclass(frozen=True)
class PostUsage:
    verdict: str
    uses: list[Use]
    held_in: list[VersionId]
    undocumented: list[VersionId]


@dataclass(frozen=True)
class Eligibility:
    reasons: list[str]
    policy: tuple[str, int] | None

    @property
    def eligible(self) -> bool:
        return not self.reasons


@dataclass(frozen=True)
class Consent:
    status: str
    lawful_basis: str | None


@dataclass(frozen=True)
class OpenFlag:
    causes: dict[CauseId, int]  # to the number of distinct posts
    affected_posts: int
    due_at: int
    raised_at: int


@dataclass(frozen=True)
class ResolvedFlag:
    model_version: str
    raised_at: int
    resolved_at: int
    resolution: str
    justification: str


@dataclass(frozen=True)
class ObjectionAnswer:
    status: str
    due_at: int
    affected_post_count: int
    possible_versions: list[VersionId]

    def overdue(self, now: int) -> bool:
        return self.status == "PENDING" and now > self.due_at


# ---- what was recorded ----------------------------------------------------------------------------------------------


@dataclass
class Oracle:
    """Every fact with its recorded time, and the flags as they were raised and fell away."""

    establishment: str | None = None
    people: dict[str, int] = field(default_factory=dict)  # to the recorded time of the first record
    jurisdictions: list[Said] = field(default_factory=list)
    adulthoods: list[Said] = field(default_factory=list)
    descriptions: dict[str, Said] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    depictions: list[Said] = field(default_factory=list)
    special_categories: list[Said] = field(default_factory=list)
    visibilities: list[Said] = field(default_factory=list)
    corrections: list[Said] = field(default_factory=list)  # value: author, reason
    deletions: list[Said] = field(default_factory=list)
    policies: dict[tuple[str, int], tuple[int, Policy]] = field(default_factory=dict)
    notices: dict[tuple[str, int], tuple[int, Record]] = field(default_factory=dict)
    servings: list[Said] = field(default_factory=list)  # about: user; value: notice, version
    seen: dict[tuple[Any, ...], int] = field(default_factory=dict)
    consents: list[Said] = field(default_factory=list)  # about: user; value: purpose, status
    objections: dict[str, Objection] = field(default_factory=dict)
    versions: dict[VersionId, Version] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)  # to the recorded time
    runs: dict[str, tuple[int, Run]] = field(default_factory=dict)
    derivations: dict[tuple[str, str, str], int] = field(default_factory=dict)  # from, to, kind
    features: set[tuple[str, str, int | None]] = field(default_factory=set)
    open_flags: dict[str, OpenFlag] = field(default_factory=dict)
    resolved_flags: list[ResolvedFlag] = field(default_factory=list)

    # -- recording --

    def apply(self, step: Step, recorded_at: int) -> str:
        """Record one step at its recorded time; times never go back from step to step."""
        if isinstance(step, Mapping):
            content = {name: value for name, value in step.items() if value is not None or step["kind"] == "user"}
            outcome = self._record_kinds()[step["kind"]](content, recorded_at)
        else:
            name, given = step
            content = {field_name: value for field_name, value in given.items() if value is not None}
            outcome = self._operations()[name](content, recorded_at)
        if outcome == ACCEPTED:
            self._follow_flags(recorded_at)
        return outcome

    def _record_kinds(self) -> dict[str, Callable[[Record, int], str]]:
        return {
            "user": self._user,
            "post": self._post,
            "visibility": self._visibility,
            "post_author": self._post_author,
            "post_deleted": self._post_deleted,
            "policy": self._policy,
            "notice": self._notice,
            "notice_served": self._notice_served,
            "consent": self._consent,
            "objection": self._objection_record,
            "member": self._member,
            "member_removed": self._member_removed,
            "seal": self._seal,
        }

    def _operations(self) -> dict[str, Callable[[Record, int], str]]:
        return {
            "registerDatasetVersion": self._register_dataset_version,
            "withdrawDatasetVersion": self._withdraw_dataset_version,
            "recordTraining": self._record_training,
            "deriveModelVersion": self._derive_model_version,
            "serveFeature": self._serve_feature,
            "fileObjection": self._file_objection,
            "decideObjection": self._decide_objection,
            "withdrawObjection": self._withdraw_objection,
        }

    def _user(self, record: Record, now: int) -> str:
        key = record["key"]
        valid_from = ALWAYS if record.get("valid_from") is None else micros(record["valid_from"])
        news: list[tuple[list[Said], Said]] = []
        for name, kept in (("jurisdiction", self.jurisdictions), ("adult_from", self.adulthoods)):
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
        if key in self.people and not news:
            return UNCHANGED
        self.people.setdefault(key, now)
        for kept, fact in news:
            kept.append(fact)
        return ACCEPTED

    def _post(self, record: Record, now: int) -> str:
        key = record["key"]
        described = Description(
            author=record["author"],
            platform=record["platform"],
            kind=record["post_kind"],
            visibility=record["visibility"],
            published_at=micros(record["published_at"]),
        )
        outcome = UNCHANGED
        if key in self.descriptions and self.descriptions[key].value != described:
            return REFUSED
        if "content_digest" in record and self.digests.get(key, record["content_digest"]) != record["content_digest"]:
            return REFUSED
        if key not in self.descriptions:
            self.descriptions[key] = Said(key, described, described.published_at, now)
            outcome = ACCEPTED
        if "content_digest" in record and key not in self.digests:
            self.digests[key] = record["content_digest"]
            outcome = ACCEPTED
        if "depicts" in record and frozenset(record["depicts"]) != AsKnown(self).depicts(key):
            self.depictions.append(Said(key, frozenset(record["depicts"]), ALWAYS, now))
            outcome = ACCEPTED
        if "special_category" in record and record["special_category"] != AsKnown(self).special_category(key):
            self.special_categories.append(Said(key, record["special_category"], ALWAYS, now))
            outcome = ACCEPTED
        return outcome

    def _say(self, kept: list[Said], about: str, value: Any, valid_from: int, now: int) -> str:
        if any((fact.about, fact.value, fact.valid_from) == (about, value, valid_from) for fact in kept):
            return UNCHANGED
        kept.append(Said(about, value, valid_from, now))
        return ACCEPTED

    def _visibility(self, record: Record, now: int) -> str:
        return self._say(self.visibilities, record["post"], record["visibility"], micros(record["valid_from"]), now)

    def _post_author(self, record: Record, now: int) -> str:
        return self._say(self.corrections, record["post"], (record["author"], record["reason"]), ALWAYS, now)

    def _post_deleted(self, record: Record, now: int) -> str:
        return self._say(self.deletions, record["post"], "DELETED", micros(record["valid_from"]), now)

    def _consent(self, record: Record, now: int) -> str:
        value = (record["purpose"], record["status"])
        return self._say(self.consents, record["user"], value, micros(record["valid_from"]), now)

    def _policy(self, record: Record, now: int) -> str:
        policy = Policy(
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
        return keep_first(self.policies, (policy.key, policy.version), policy, now)

    def _notice(self, record: Record, now: int) -> str:
        content = dict(record) | {"published_at": micros(record["published_at"])}
        return keep_first(self.notices, (record["key"], record["version"]), content, now)

    def _notice_served(self, record: Record, now: int) -> str:
        notice, served_at = (record["notice"], record["version"]), micros(record["served_at"])
        natural_key = (record["user"], notice, served_at)
        if "seen_at" in record and self.seen.get(natural_key, micros(record["seen_at"])) != micros(record["seen_at"]):
            return REFUSED
        outcome = self._say(self.servings, record["user"], notice, served_at, now)
        if "seen_at" in record and natural_key not in self.seen:
            self.seen[natural_key] = micros(record["seen_at"])
            outcome = ACCEPTED
        return outcome

    # -- objections --

    def _objection_record(self, record: Record, now: int) -> str:
        renamed = {"received_at": "receivedAt"}
        return self._file_objection({renamed.get(name, name): value for name, value in record.items()}, now)

    def _file_objection(self, given: Record, now: int) -> str:
        filing = Filing(
            user=given["user"],
            received_at=micros(given["receivedAt"]),
            purposes=frozenset(given.get("purposes", ["AI_TRAINING"])),
            platforms=frozenset(given.get("platforms", [])),
            channel=given.get("channel"),
        )
        key = given["key"]
        if not filing.purposes:
            return REFUSED
        if key in self.objections:
            return UNCHANGED if self.objections[key].filing == filing else REFUSED
        jurisdiction = AsKnown(self).jurisdiction(filing.user, filing.received_at)
        due = due_at(filing.received_at, jurisdiction, self.establishment)
        self.objections[key] = Objection(key, filing, now, due)
        return ACCEPTED

    def _decide_objection(self, given: Record, now: int) -> str:
        objection = self.objections.get(given["key"])
        if objection is None or objection.withdrawn_at is not None:
            return REFUSED
        status = "UPHELD" if given["uphold"] else "REFUSED"
        decided_at = micros(given["decidedAt"]) if "decidedAt" in given else now
        decision = Said(given.get("grounds", ""), status, decided_at, now)
        if objection.decision is not None:
            return UNCHANGED if same_decision(objection.decision, decision) else REFUSED
        if decided_at < objection.filing.received_at:
            return REFUSED
        if status == "REFUSED" and (not given.get("grounds") or self._is_absolute(objection)):
            return REFUSED
        objection.decision = decision
        return ACCEPTED

    def _is_absolute(self, objection: Objection) -> bool:
        """Art. 21(3): a policy that governs the person and a purpose of the objection lets none be refused."""
        known, filing = AsKnown(self), objection.filing
        jurisdiction = known.jurisdiction(filing.user, filing.received_at)
        policies = [known.policy(jurisdiction, purpose, filing.received_at) for purpose in filing.purposes]
        return any(policy is not None and policy.objection_absolute for policy in policies)

    def _withdraw_objection(self, given: Record, now: int) -> str:
        objection = self.objections.get(given["key"])
        if objection is None or objection.decision is not None:
            return REFUSED
        if objection.withdrawn_at is not None:
            return UNCHANGED
        objection.withdrawn_at = now
        return ACCEPTED

    # -- datasets --

    def _register_dataset_version(self, given: Record, now: int) -> str:
        dataset, coverage = given["dataset"], given["coverage"]
        posts = frozenset(given["posts"]) if "posts" in given else None
        selection = selection_of(given["declaredSelection"]) if "declaredSelection" in given else None
        derived_from = frozenset((each["dataset"], each["number"]) for each in given.get("derivedFrom", ()))
        generated_by = frozenset(given.get("generatedBy", ()))
        registration = (coverage, posts, selection, given.get("basedOn"), derived_from, generated_by)

        following = 1 + len([each for each in self.versions if each[0] == dataset])
        number = given.get("number", following)
        if number < following:
            known = self.versions.get((dataset, number))
            return UNCHANGED if known is not None and known.registration == registration else REFUSED
        building = [each for each in self.versions.values() if each.id[0] == dataset and each.sealed_at is None]
        base = self.versions.get((dataset, given["basedOn"])) if "basedOn" in given else None
        refusals = (
            number > following,
            coverage == "COMPLETE" and building,
            coverage != "COMPLETE" and (posts is not None or "basedOn" in given),
            coverage != "DECLARED" and selection is not None,
            posts is not None and "basedOn" in given,
            selection is not None and selection.is_empty,
            "basedOn" in given and (base is None or base.coverage != "COMPLETE" or base.sealed_at is None),
            any(not self._may_be_derived_from(upstream) for upstream in derived_from),
            any(model not in self.models for model in generated_by),
        )
        if any(refusals):
            return REFUSED
        self.versions[(dataset, number)] = Version(
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

    def _may_be_derived_from(self, upstream: VersionId) -> bool:
        version = self.versions.get(upstream)
        return version is not None and version.sealed_at is not None and version.withdrawn_at is None

    def _member(self, record: Record, now: int) -> str:
        version = self.versions.get((record["dataset"], record["version"]))
        if version is None or version.coverage != "COMPLETE":
            return REFUSED
        if record["post"] in version.members:
            return UNCHANGED
        if version.sealed_at is not None:
            return REFUSED
        version.members.add(record["post"])
        return ACCEPTED

    def _member_removed(self, record: Record, now: int) -> str:
        version = self.versions.get((record["dataset"], record["version"]))
        if version is None or version.based_on is None:
            return REFUSED
        if record["post"] not in version.members:
            return UNCHANGED
        if version.sealed_at is not None:
            return REFUSED
        version.members.remove(record["post"])
        return ACCEPTED

    def _seal(self, record: Record, now: int) -> str:
        version = self.versions.get((record["dataset"], record["version"]))
        if version is None:
            return REFUSED
        if version.sealed_at is not None:
            return UNCHANGED
        version.sealed_at = now
        return ACCEPTED

    def _withdraw_dataset_version(self, given: Record, now: int) -> str:
        version = self.versions.get((given["dataset"], given["number"]))
        if version is None or version.sealed_at is None:
            return REFUSED
        if version.withdrawn_at is not None:
            return UNCHANGED
        version.withdrawn_at = now
        return ACCEPTED

    # -- runs and models --

    def _record_training(self, given: Record, now: int) -> str:
        if ("model" in given) != ("version" in given):
            return REFUSED
        run = Run(
            key=given["run"],
            inputs=frozenset((each["dataset"], each["number"]) for each in given["inputs"]),
            started_from=frozenset(given.get("startedFrom", ())),
            started_at=micros(given["startedAt"]),
            ended_at=optional_micros(given.get("endedAt")),
            purpose=given.get("purpose"),
            produced=f"{given['model']}:{given['version']}" if "model" in given else None,
        )
        if run.key in self.runs:
            return UNCHANGED if self.runs[run.key][1] == run else REFUSED
        if any(each not in self.versions or self.versions[each].sealed_at is None for each in run.inputs):
            return REFUSED
        if any(base not in self.models for base in run.started_from) or run.produced in self.models:
            return REFUSED
        self.runs[run.key] = (now, run)
        if run.produced is not None:
            self.models[run.produced] = now
        return ACCEPTED

    def _derive_model_version(self, given: Record, now: int) -> str:
        derived = f"{given['model']}:{given['version']}"
        bases = set(given["from"])
        if not bases or any(base not in self.models for base in bases):
            return REFUSED
        if any(self._influences(("MODEL_VERSION", derived), ("MODEL_VERSION", base)) for base in bases):
            return REFUSED
        news = {(base, derived, given["kind"]) for base in bases} - set(self.derivations)
        if not news:
            return UNCHANGED
        self.models.setdefault(derived, now)
        for new in news:
            self.derivations[new] = now
        return ACCEPTED

    def _influences(self, upstream: NodeId, downstream: NodeId) -> bool:
        """Whether the second can be reached from the first over any edges of influence, or is the first."""
        edges, reached = AsKnown(self).edges, {upstream}
        while True:
            further = {to for _, source, to in edges if source in reached} - reached
            if not further:
                return downstream in reached
            reached |= further

    def _serve_feature(self, given: Record, now: int) -> str:
        if given["modelVersion"] not in self.models:
            return REFUSED
        served = (given["feature"], given["modelVersion"], optional_micros(given.get("from")))
        if served in self.features:
            return UNCHANGED
        self.features.add(served)
        return ACCEPTED

    # -- flags --

    def _follow_flags(self, now: int) -> None:
        """Bring the open flags to what the facts of this moment demand; those left without a cause are resolved."""
        demanded = AsKnown(self).demanded_flags()
        for model_version in [each for each in self.open_flags if each not in demanded]:
            flag = self.open_flags.pop(model_version)
            resolved = ResolvedFlag(model_version, flag.raised_at, now, "NOT_REQUIRED", "causes withdrawn")
            self.resolved_flags.append(resolved)
        for model_version, causes in demanded.items():
            before = self.open_flags.get(model_version)
            self.open_flags[model_version] = OpenFlag(
                causes={cause: len(posts) for cause, posts in causes.items()},
                affected_posts=len(set().union(*causes.values())),
                due_at=min(self.objections[objection].due_at for objection, _ in causes),
                raised_at=now if before is None else before.raised_at,
            )

    # -- answers --

    def flags(self) -> dict[str, OpenFlag]:
        """The flag of each model version that has an unresolved one."""
        return dict(self.open_flags)

    def post_usage(self, post: str, known_at: int | None = None) -> PostUsage:
        return AsKnown(self, known_at).post_usage(post)

    def user_usage(self, user: str, known_at: int | None = None) -> str:
        return AsKnown(self, known_at).user_usage(user)

    def eligibility(self, post: str, purpose: str, at: int, known_at: int | None = None) -> Eligibility:
        return AsKnown(self, known_at).eligibility(post, purpose, at)

    def consent(self, user: str, purpose: str, at: int, known_at: int | None = None) -> Consent:
        return AsKnown(self, known_at).consent(user, purpose, at)

    def describes(self, post: str, known_at: int | None = None) -> bool:
        """Whether a `post` record has described it."""
        return AsKnown(self, known_at).description(post) is not None

    def objection(self, key: str) -> ObjectionAnswer:
        objection, known = self.objections[key], AsKnown(self)
        return ObjectionAnswer(
            status=known.status(objection),
            due_at=objection.due_at,
            affected_post_count=len(known.posts_in_scope(objection)),
            possible_versions=known.possible_versions(objection),
        )


def optional_micros(text: str | None) -> int | None:
    return None if text is None else micros(text)


def selection_of(given: Record) -> Selection:
    return Selection(
        jurisdictions=frozenset(given.get("jurisdictions") or ()),
        platforms=frozenset(given.get("platforms") or ()),
        published_from=optional_micros(given.get("publishedFrom")),
        published_before=optional_micros(given.get("publishedBefore")),
    )


def keep_first(kept: dict[Any, tuple[int, Any]], key: Any, content: Any, now: int) -> str:
    """The first content under a natural key stays."""
    if key in kept:
        return UNCHANGED if kept[key][1] == content else REFUSED
    kept[key] = (now, content)
    return ACCEPTED


def same_decision(one: Said, other: Said) -> bool:
    return (one.about, one.value, one.valid_from) == (other.about, other.value, other.valid_from)


# ---- what was known -------------------------------------------------------------------------------------------------


class AsKnown:
    """The facts recorded up to a moment, and the rules over them."""

    def __init__(self, facts: Oracle, known_at: int | None = None) -> None:
        self.facts = facts
        self.known_at = FOR_EVER if known_at is None else known_at

    def _about(self, kept: Iterable[Said], about: str) -> list[Said]:
        """In the order in which they were recorded."""
        return [fact for fact in kept if fact.about == about and fact.recorded_at <= self.known_at]

    # -- people --

    def jurisdiction(self, user: str, at: int) -> str | None:
        return latest(self._about(self.facts.jurisdictions, user), at)

    def adult_from(self, user: str, at: int) -> date | None:
        return latest(self._about(self.facts.adulthoods, user), at)

    def jurisdictions_ever(self, user: str) -> set[str | None]:
        """Every value ever recorded, whatever its valid time; None among them is an explicit unknown."""
        return {fact.value for fact in self._about(self.facts.jurisdictions, user)}

    def consent_status(self, user: str, purpose: str, at: int) -> str | None:
        said = self._about(self.facts.consents, user)
        past = [fact for fact in said if fact.value[0] == purpose and fact.valid_from <= at]
        if not past:
            return None
        newest = max(fact.valid_from for fact in past)
        statuses = {fact.value[1] for fact in past if fact.valid_from == newest}
        return "WITHDRAWN" if "WITHDRAWN" in statuses else "GIVEN"

    def first_served(self, user: str, purpose: str) -> int | None:
        """When the person was first served a notice of the purpose."""
        texts = {key for key, (recorded, text) in self.facts.notices.items() if recorded <= self.known_at}
        of_purpose = {key for key in texts if self.facts.notices[key][1]["purpose"] == purpose}
        served = [fact.valid_from for fact in self._about(self.facts.servings, user) if fact.value in of_purpose]
        return min(served, default=None)

    def consent(self, user: str, purpose: str, at: int) -> Consent:
        holding = {"UNINFORMED"}
        for objection in self.objections():
            status = self.status(objection, at)
            if status is not None and objection.filing.user == user and purpose in objection.filing.purposes:
                holding.add("OBJECTED" if status == "UPHELD" else f"OBJECTION_{status}")
        consent = self.consent_status(user, purpose, at)
        if consent is not None:
            holding.add(f"CONSENT_{consent}")
        served = self.first_served(user, purpose)
        if served is not None and served <= at:
            holding.add("INFORMED")
        policy = self.policy(self.jurisdiction(user, at), purpose, at)
        first = next(status for status in CONSENT_ORDER if status in holding)
        return Consent(first, None if policy is None else policy.lawful_basis)

    # -- posts --

    def description(self, post: str) -> Description | None:
        said = self.facts.descriptions.get(post)
        return None if said is None or said.recorded_at > self.known_at else said.value

    def described_posts(self) -> list[str]:
        return [post for post in self.facts.descriptions if self.description(post) is not None]

    def author(self, post: str) -> str | None:
        description = self.description(post)
        if description is None:
            return None
        corrections = self._about(self.facts.corrections, post)
        return corrections[-1].value[0] if corrections else description.author

    def depicts(self, post: str) -> frozenset[str]:
        said = self._about(self.facts.depictions, post)
        return said[-1].value if said else frozenset()

    def depicted_others(self, post: str) -> frozenset[str]:
        return self.depicts(post) - {self.author(post)}

    def special_category(self, post: str) -> bool:
        said = self._about(self.facts.special_categories, post)
        return said[-1].value if said else False

    def deleted(self, post: str, at: int) -> bool:
        return any(fact.valid_from <= at for fact in self._about(self.facts.deletions, post))

    def visibility(self, post: str, at: int) -> str | None:
        """None: nothing is known of it at that time."""
        said = self._about(self.facts.visibilities, post)
        description = self.description(post)
        if description is not None:
            at = max(at, description.published_at)
            said.append(Said(post, description.visibility, description.published_at, ALWAYS))
        past = [fact for fact in said if fact.valid_from <= at]
        if not past:
            return None
        newest = max(fact.valid_from for fact in past)
        return max((fact.value for fact in past if fact.valid_from == newest), key=RESTRICTIVE.index)

    # -- policies and eligibility --

    def policy(self, jurisdiction: str | None, purpose: str, at: int) -> Policy | None:
        if jurisdiction is None:
            return None
        known = [policy for recorded, policy in self.facts.policies.values() if recorded <= self.known_at]
        for place in (jurisdiction, country_of(jurisdiction)):
            in_force = [
                policy
                for policy in known
                if (policy.jurisdiction, policy.purpose) == (place, purpose)
                and policy.effective_from <= at
                and (policy.effective_until is None or at < policy.effective_until)
            ]
            if in_force:
                return max(in_force, key=lambda policy: (policy.effective_from, policy.version, policy.key))
        return None

    def eligibility(self, post: str, purpose: str, at: int) -> Eligibility:
        description, author = self.description(post), self.author(post)
        reasons = set()
        policy = None
        if self.deleted(post, at):
            reasons.add("POST_DELETED")
        if self.visibility(post, at) not in ("PUBLIC", None):
            reasons.add("NOT_PUBLIC_NOW")
        if description is None or author is None:
            reasons |= {"JURISDICTION_UNKNOWN", "AGE_UNKNOWN"}
        else:
            jurisdiction = self.jurisdiction(author, at)
            policy = self.policy(jurisdiction, purpose, at)
            if jurisdiction is None:
                reasons.add("JURISDICTION_UNKNOWN")
            elif policy is None:
                reasons.add("JURISDICTION_NOT_COVERED")
            else:
                reasons |= self._reasons_of_policy(policy, post, author, description, at)
            reasons |= self._reasons_of_any_jurisdiction(post, author, description, purpose, at)
        in_order = [reason for reason in REASONS if reason in reasons]
        return Eligibility(in_order, None if policy is None else (policy.key, policy.version))

    def _reasons_of_any_jurisdiction(
        self, post: str, author: str, description: Description, purpose: str, at: int
    ) -> set[str]:
        reasons = set()
        if description.kind == "PRIVATE_MESSAGE":
            reasons.add("PRIVATE_MESSAGE")
        if self.visibility(post, description.published_at) != "PUBLIC":
            reasons.add("NOT_PUBLIC_AT_PUBLICATION")
        if self.special_category(post):
            reasons.add("SPECIAL_CATEGORY")
        adult_from = self.adult_from(author, at)
        if adult_from is None:
            reasons.add("AGE_UNKNOWN")
        else:
            if utc_day(description.published_at) < adult_from:
                reasons.add("MINOR_AT_PUBLICATION")
            if utc_day(at) < adult_from:
                reasons.add("MINOR_NOW")
        restrictions = self._restrictions(author, description.platform, purpose, at)
        if "PENDING" in restrictions:
            reasons.add("OBJECTION_PENDING")
        if "UPHELD" in restrictions:
            reasons.add("OBJECTED")
        return reasons

    def _reasons_of_policy(self, policy: Policy, post: str, author: str, description: Description, at: int) -> set[str]:
        reasons = self._reasons_of_notice(policy, author, at) | self._reasons_of_basis(policy, author, at)
        if policy.platforms and description.platform not in policy.platforms:
            reasons.add("PLATFORM_NOT_IN_SCOPE")
        for person in self.depicted_others(post) if policy.protects_depicted else ():
            if self._restrictions(person, description.platform, policy.purpose, at) & {"PENDING", "UPHELD"}:
                reasons.add("THIRD_PARTY_OBJECTED")
            adult_from = self.adult_from(person, at)
            if adult_from is not None and min(utc_day(description.published_at), utc_day(at)) < adult_from:
                reasons.add("THIRD_PARTY_MINOR")
        return reasons

    def _reasons_of_notice(self, policy: Policy, author: str, at: int) -> set[str]:
        if not policy.notice_required:
            return set()
        served_at = self.first_served(author, policy.purpose)
        if served_at is None or served_at > at:
            return {"NOTICE_NOT_SERVED"}
        return {"OBJECTION_WINDOW_OPEN"} if served_at + policy.objection_window_days * DAY > at else set()

    def _reasons_of_basis(self, policy: Policy, author: str, at: int) -> set[str]:
        if policy.lawful_basis == "CONSENT":
            status = self.consent_status(author, policy.purpose, at)
            return {None: {"CONSENT_MISSING"}, "WITHDRAWN": {"CONSENT_WITHDRAWN"}, "GIVEN": set()}[status]
        if policy.assessment is None:
            return {"ASSESSMENT_MISSING"}
        expires = policy.assessment_expires
        return {"ASSESSMENT_EXPIRED"} if expires is not None and expires <= at else set()

    # -- objections --

    def objections(self) -> list[Objection]:
        return [each for each in self.facts.objections.values() if each.recorded_at <= self.known_at]

    def status(self, objection: Objection, at: int = FOR_EVER) -> str | None:
        """None: not received yet at that time."""
        withdrawn_at, decision = objection.withdrawn_at, objection.decision
        if at < objection.filing.received_at:
            return None
        if withdrawn_at is not None and withdrawn_at <= self.known_at and withdrawn_at <= at:
            return "WITHDRAWN"
        if decision is not None and decision.recorded_at <= self.known_at and decision.valid_from <= at:
            return decision.value
        return "PENDING"

    def _restrictions(self, user: str, platform: str, purpose: str, at: int) -> set[str | None]:
        """The status at that time of each objection of the person that concerns the platform and the purpose."""
        return {
            self.status(objection, at)
            for objection in self.objections()
            if objection.filing.user == user
            and purpose in objection.filing.purposes
            and covers_platform(objection.filing.platforms, platform)
        }

    def posts_in_scope(self, objection: Objection) -> dict[str, str]:
        """Each described post that the objection concerns, with the kind of cause that its use is."""
        user, platforms = objection.filing.user, objection.filing.platforms
        scope = {}
        for post in self.described_posts():
            description = self.description(post)
            if description is None or not covers_platform(platforms, description.platform):
                continue
            if self.author(post) == user:
                scope[post] = "OBJECTION"
            elif user in self.depicts(post):
                scope[post] = "THIRD_PARTY_OBJECTED"
        return scope

    def flags_past_use(self, objection: Objection, post: str, purpose: str) -> bool:
        author, received_at = self.author(post), objection.filing.received_at
        jurisdiction = None if author is None else self.jurisdiction(author, received_at)
        policy = self.policy(jurisdiction, purpose, received_at)
        return policy is None or policy.flags_past_use

    def possible_versions(self, objection: Objection) -> list[VersionId]:
        scope = self.posts_in_scope(objection)
        jurisdictions = self.jurisdictions_ever(objection.filing.user)
        return self._versions_that_cannot_rule_out(
            covers=lambda selection: covers_any(selection.jurisdictions, jurisdictions),
            holds=lambda members: bool(members & set(scope)),
        )

    # -- lineage --

    @functools.cached_property
    def versions(self) -> dict[VersionId, Version]:
        everything = self.facts.versions.items()
        return {key: each for key, each in everything if each.sealed_at is not None and each.sealed_at <= self.known_at}

    @functools.cached_property
    def runs(self) -> list[Run]:
        return [run for recorded, run in self.facts.runs.values() if recorded <= self.known_at]

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

    def run_that_read(self, path: tuple[PathStep, ...]) -> Run:
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

    def _undocumented(self, post: str) -> list[VersionId]:
        description = self.description(post)
        return self._versions_that_cannot_rule_out(
            covers=lambda selection: self._selection_covers(selection, post),
            holds=lambda members: post in members,
            ruled_out=lambda run: description is not None and run.started_at < description.published_at,
        )

    def _versions_that_cannot_rule_out(
        self,
        covers: Callable[[Selection], bool],
        holds: Callable[[set[str]], bool],
        ruled_out: Callable[[Run], bool] = lambda run: False,
    ) -> list[VersionId]:
        """The versions without a COMPLETE manifest that a run consumed and that may hold what is asked for."""
        consumed = {each for run in self.runs if not ruled_out(run) for each in run.inputs}
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
        verdicts = {self.post_usage(post).verdict for post in posts}
        jurisdictions = self.jurisdictions_ever(user)
        never_recorded = self._versions_that_cannot_rule_out(
            covers=lambda selection: covers_any(selection.jurisdictions, jurisdictions),
            holds=lambda members: False,
        )
        if "USED" in verdicts:
            return "USED"
        return "UNKNOWN" if "UNKNOWN" in verdicts or never_recorded else "NOT_USED"

    # -- flags --

    def demanded_flags(self) -> dict[str, dict[CauseId, set[str]]]:
        """For each model version to be retrained: its causes, each with the posts that it used."""
        flags: dict[str, dict[CauseId, set[str]]] = {}
        for objection in self.objections():
            if self.status(objection) not in ("PENDING", "UPHELD"):
                continue
            for post, kind in self.posts_in_scope(objection).items():
                purposes = {each for each in objection.filing.purposes if self.flags_past_use(objection, post, each)}
                for path in self.paths_of_influence(post):
                    end, run = path[-1][2], self.run_that_read(path)
                    if end[0] == "MODEL_VERSION" and purposes and (run.purpose is None or run.purpose in purposes):
                        flags.setdefault(end[1], {}).setdefault((objection.key, kind), set()).add(post)
        return flags


def latest(said: list[Said], at: int) -> Any:
    """The value valid at that time; None when nothing was said."""
    past = [fact for fact in said if fact.valid_from <= at]
    return max(past, key=lambda fact: fact.valid_from).value if past else None


def version_node(version: VersionId) -> NodeId:
    return ("DATASET_VERSION", *version)


def covers_platform(named: frozenset[str], platform: str) -> bool:
    return not named or platform in named


def covers_place(one: str, other: str) -> bool:
    """Equal, or the other is a subdivision of the one: "GB" covers "GB-SCT"."""
    return one == other or other.startswith(f"{one}-")


def covers_any(declared: frozenset[str], ever: set[str | None]) -> bool:
    """Whether the declared jurisdictions cannot rule out a person of whom these were recorded."""
    if not declared or not ever or None in ever:
        return True
    return any(covers_place(one, place) or covers_place(place, one) for one in declared for place in ever if place)


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
