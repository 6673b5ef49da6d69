from collections import Counter
from dataclasses import replace

import pytest

from consentline.domain.builds import add_reasons, excluded
from consentline.domain.datasets import Build, ManifestDigest, Selection, VersionStatus, manifest_digest
from consentline.domain.eligibility import Reason
from consentline.domain.instants import DAY
from tests.unit.domain.factories import version


def test_a_post_counts_once_under_each_reason_that_it_has_at_either_time() -> None:
    counts: Counter[Reason] = Counter()

    assert add_reasons(counts, [Reason.OBJECTED, Reason.AGE_UNKNOWN], [Reason.OBJECTED])
    assert add_reasons(counts, [], [Reason.OBJECTED])
    assert not add_reasons(counts, [], [])
    assert excluded(counts) == ((Reason.AGE_UNKNOWN, 1), (Reason.OBJECTED, 2))
    assert excluded(Counter()) == ()


def test_a_build_is_told_by_what_it_was_asked() -> None:
    asked = Selection(("GB", "IE"), ("FACEBOOK",), 0, DAY)

    assert str(Build("AI_TRAINING", None, Selection())) == "built for AI_TRAINING"
    assert str(Build("ADS", 2 * DAY, asked)) == (
        "built for ADS, of GB, IE, on FACEBOOK, from 1970-01-01T00:00:00+00:00, before 1970-01-02T00:00:00+00:00,"
        " as of 1970-01-03T00:00:00+00:00"
    )


@pytest.mark.parametrize("status", VersionStatus)
def test_a_version_is_being_built_while_it_is_building_by_a_build(status: VersionStatus) -> None:
    built = replace(version(status=status), build=Build("AI_TRAINING", None, Selection()))

    assert built.being_built is (status is VersionStatus.BUILDING)
    assert not version(status=status).being_built


def test_a_digest_in_pieces_is_that_of_the_whole() -> None:
    keys = [f"{number:06}" for number in range(20_000)]
    digest = ManifestDigest()
    for piece in (keys[:1], [], keys[1:9_000], keys[9_000:]):
        digest.update(piece)

    assert (str(digest), digest.count) == (manifest_digest(keys), 20_000)
    assert str(ManifestDigest()) == manifest_digest([])
