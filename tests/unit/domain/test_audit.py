"""Audit entries: what they are about, their seals, and what a verification finds."""

from dataclasses import replace
from typing import Any

import pytest

from consentline.domain.audit import (
    READ,
    Actor,
    AuditEntry,
    AuditFilter,
    Subject,
    SubjectKind,
    Verification,
    digests_of,
    possible_subjects,
    subjects_of,
)
from consentline.domain.flags import FlagStatus, RetrainingFlag
from consentline.domain.pseudonyms import Pseudonyms
from consentline.domain.training import ModelStatus, ModelVersion
from tests.unit.domain import factories

PSEUDONYMS = Pseudonyms(b"a secret")
MINUTE = 60 * 1_000_000


def entry(number: int = 1, process: str = "a", **fields: Any) -> AuditEntry:
    given: dict[str, Any] = {
        "uid": f"{process}-{number:010}",
        "actor": Actor("compliance", "token", "request"),
        "operation": "user",
        "outcome": READ,
        "subjects": ("hmac-sha256:1", "hmac-sha256:2"),
        "subject_count": 2,
        "clock": 1_000_000,
        "counts": (("people", 3),),
        "at": 1_000_100,
    }
    return AuditEntry(**given | fields).sealed(PSEUDONYMS)


def test_an_objection_is_about_its_person_first() -> None:
    objection = factories.filed("o", "ana")

    about = (Subject(SubjectKind.USER, "ana"), Subject(SubjectKind.OBJECTION, "o"))
    assert subjects_of(objection) == about
    assert subjects_of((objection, True)) == about


def test_a_version_is_about_itself_and_its_dataset() -> None:
    assert subjects_of(factories.version("d:3")) == (
        Subject(SubjectKind.DATASET, "d"),
        Subject(SubjectKind.DATASET_VERSION, "d:3"),
    )


def test_runs_models_and_flags_are_about_themselves() -> None:
    model = ModelVersion("m:1", "m", "1", ModelStatus.ACTIVE, 0)
    flag = RetrainingFlag("uid", "m:1", FlagStatus.OPEN, None, 0, 0, None, None)
    of_model = Subject(SubjectKind.MODEL_VERSION, "m:1")

    assert subjects_of(factories.run("r")) == (Subject(SubjectKind.TRAINING_RUN, "r"),)
    assert subjects_of(model) == (of_model,)
    assert subjects_of(flag) == (Subject(SubjectKind.RETRAINING_FLAG, "uid"), of_model)


def test_what_says_nothing_of_itself_is_about_nothing() -> None:
    assert subjects_of(None) == subjects_of(7) == ()


def test_a_key_may_name_anything() -> None:
    kinds = {subject.kind for subject in possible_subjects("k")}

    assert kinds == set(SubjectKind)
    assert len(set(digests_of(possible_subjects("k"), PSEUDONYMS))) == len(SubjectKind)


def test_who_is_erased_stands_under_the_digest_that_is_theirs_already() -> None:
    digest = PSEUDONYMS.of("User", "u")

    assert digests_of([Subject(SubjectKind.USER, digest), Subject(SubjectKind.USER, "u")], PSEUDONYMS) == [digest] * 2
    forged = digest[:-1] + "!"
    assert digests_of([Subject(SubjectKind.USER, forged)], PSEUDONYMS) == [PSEUDONYMS.of("User", forged)]


def test_an_entry_is_found_by_each_of_its_operations_and_subjects() -> None:
    assert entry(operation="user,objections").terms == ["user", "objections", "hmac-sha256:1", "hmac-sha256:2"]


CHANGES: dict[str, Any] = {
    "uid": "a-0000000002",
    "actor": Actor("compliance", "other", "request"),
    "operation": "post",
    "outcome": "FORBIDDEN",
    "subjects": ("hmac-sha256:1",),
    "subject_count": 1,
    "clock": 1_000_001,
    "counts": (),
    "digest": "sha256:0",
    "seal": "hmac-sha256:0",
    "at": 1_000_000 + 6 * MINUTE,
}


@pytest.mark.parametrize("field", CHANGES)
def test_whatever_is_changed_of_an_entry_its_seal_tells(field: str) -> None:
    assert entry().intact(PSEUDONYMS)

    assert not replace(entry(), **{field: CHANGES[field]}).intact(PSEUDONYMS)


@pytest.mark.parametrize("role", ["admin", "auditor"])
def test_the_role_is_sealed(role: str) -> None:
    assert not replace(entry(), actor=Actor(role, "token", "request")).intact(PSEUDONYMS)


def test_clocks_may_differ_a_little() -> None:
    assert entry(at=1_000_000 + 4 * MINUTE).intact(PSEUDONYMS)
    assert entry(at=1_000_000 - 4 * MINUTE).intact(PSEUDONYMS)


def test_another_secret_seals_nothing_of_ours() -> None:
    assert not entry().intact(Pseudonyms(b"another"))


def test_what_tells_a_filter_from_another_is_all_of_it() -> None:
    filters = [
        AuditFilter(),
        AuditFilter(operation="a"),
        AuditFilter(role="a"),
        AuditFilter(token_id="a"),
        AuditFilter(outcome="a"),
        AuditFilter(subject="a"),
        AuditFilter(since=1),
        AuditFilter(until=1),
    ]
    assert len({each.given() for each in filters}) == len(filters)


def test_a_verification_of_whole_rows_finds_nothing() -> None:
    verification = Verification(PSEUDONYMS)
    for number in (3, 1, 2):
        verification.add(entry(number), findable=True)
    verification.add(entry(1, "b"), findable=True)

    assert (verification.entries, verification.processes) == (4, 2)
    assert (verification.changed, verification.missing) == ([], {})


def test_a_verification_counts_what_is_missing_in_each_row() -> None:
    verification = Verification(PSEUDONYMS)
    for number in (7, 5, 2):
        verification.add(entry(number), findable=True)
    verification.add(entry(1, "b"), findable=True)

    assert verification.missing == {"a": 4}


def test_a_verification_tells_apart_what_was_changed_and_what_was_written_while_a_clock_was_off() -> None:
    verification = Verification(PSEUDONYMS)
    verification.add(entry(1, at=1_000_000 + 6 * MINUTE), findable=True)
    verification.add(replace(entry(2, at=1_000_000 + 6 * MINUTE), outcome="READ "), findable=True)

    assert (verification.changed, verification.apart) == (["a-0000000002"], ["a-0000000001"])


@pytest.mark.parametrize(
    ("changed", "findable"),
    [(replace(entry(1), outcome="READ "), True), (entry(1), False), (replace(entry(1), uid="forged"), True)],
)
def test_a_verification_names_what_was_changed(changed: AuditEntry, findable: bool) -> None:
    verification = Verification(PSEUDONYMS)
    verification.add(changed, findable=findable)

    assert verification.changed == [changed.uid]
