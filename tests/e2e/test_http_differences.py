"""What lies between two versions of a dataset."""

import pytest

from tests.conftest import Api
from tests.e2e.operations import PAGE, REGISTER, change, error_codes, only_error, pages, post

FIRST = [f"p{number:03}" for number in range(150)]
SECOND = [*FIRST[10:], *(f"q{number:03}" for number in range(120))]
THIRD = [*SECOND[5:], FIRST[0]]
VERSIONS = {1: set(FIRST), 2: set(SECOND), 3: set(THIRD)}


@pytest.fixture(scope="module")
def story(module_api: Api) -> Api:
    """Three versions, two of whose posts are described, and versions without a manifest."""
    api = module_api
    api.ingest(post(FIRST[0], "u1"), post("q000", "u2"))
    for posts in (FIRST, SECOND, THIRD):
        change(api, REGISTER, dataset="d", coverage="COMPLETE", posts=posts)
    change(api, REGISTER, dataset="mixed", coverage="COMPLETE", posts=FIRST[:1])
    change(api, REGISTER, dataset="mixed", coverage="DECLARED", declaredSelection={})
    change(api, REGISTER, dataset="mixed", coverage="UNDOCUMENTED")
    change(api, REGISTER, dataset="mixed", coverage="COMPLETE")
    return api


COUNTS = """
query ($dataset: String! = "d", $from: Int!, $to: Int!) {
  datasetVersionDiff(dataset: $dataset, from: $from, to: $to) { addedCount removedCount }
}
"""
POSTS = f"""
query ($from: Int!, $to: Int!, $first: Int! = 100, $after: String) {{
  datasetVersionDiff(dataset: "d", from: $from, to: $to) {{
    FIELD(first: $first, after: $after) {{ {PAGE} edges {{ cursor node {{ key platform author {{ key }} }} }} }}
  }}
}}
"""
ADDED, REMOVED = POSTS.replace("FIELD", "added"), POSTS.replace("FIELD", "removed")


@pytest.mark.parametrize("end", [1, 2, 3])
@pytest.mark.parametrize("begin", [1, 2, 3])
def test_what_was_added_and_removed_in_either_direction(story: Api, begin: int, end: int) -> None:
    asked = {"from": begin, "to": end}
    added, removed = VERSIONS[end] - VERSIONS[begin], VERSIONS[begin] - VERSIONS[end]

    counts = story.data(COUNTS, asked, "ml")["datasetVersionDiff"]
    listed = {
        field: [node["key"] for page in pages(story, query, asked, "datasetVersionDiff", field) for node in page]
        for field, query in (("added", ADDED), ("removed", REMOVED))
    }

    assert counts == {"addedCount": len(added), "removedCount": len(removed)}
    assert listed == {"added": sorted(added), "removed": sorted(removed)}


def test_more_than_a_page(story: Api) -> None:
    found = pages(story, ADDED, {"from": 1, "to": 2, "first": 50}, "datasetVersionDiff", "added")

    assert [len(page) for page in found] == [50, 50, 20]


def test_posts_are_shown_as_far_as_they_are_known_and_the_asker_may_know(story: Api) -> None:
    asked = {"from": 1, "to": 2, "first": 2}

    (described, known_by_key), *_ = pages(story, ADDED, asked, "datasetVersionDiff", "added")
    for_ml = story.data(ADDED, asked, "ml")["datasetVersionDiff"]["added"]["edges"][0]["node"]

    assert described == {"key": "q000", "platform": "FACEBOOK", "author": {"key": "u2"}}
    assert known_by_key == {"key": "q001", "platform": None, "author": None}
    assert for_ml == described | {"author": None}


@pytest.mark.parametrize(("dataset", "begin", "end"), [("d", 1, 4), ("d", 0, 1), ("d", -1, 1), ("x", 1, 2)])
def test_a_version_that_is_not_recorded_is_null(story: Api, dataset: str, begin: int, end: int) -> None:
    asked = {"dataset": dataset, "from": begin, "to": end}

    assert story.data(COUNTS, asked) == {"datasetVersionDiff": None}


@pytest.mark.parametrize(
    ("begin", "end", "named", "argument"),
    [(1, 2, 2, "to"), (2, 1, 2, "from"), (1, 3, 3, "to"), (1, 4, 4, "to"), (4, 1, 4, "from"), (2, 3, 2, "from")],
)
@pytest.mark.parametrize("field", ["addedCount", "removedCount", "added { totalCount }", "removed { totalCount }"])
def test_a_version_without_a_sealed_manifest_is_refused(
    story: Api, begin: int, end: int, named: int, argument: str, field: str
) -> None:
    answer = story.graphql(f'{{ datasetVersionDiff(dataset: "mixed", from: {begin}, to: {end}) {{ {field} }} }}')

    path = ["datasetVersionDiff", field.split()[0]]
    assert only_error(answer) == ("VERSION_NOT_COMPLETE", f"mixed:{named} has no sealed manifest", path)
    assert answer["errors"][0]["extensions"]["argument"] == argument
    assert answer["data"] == {"datasetVersionDiff": None}


def test_a_cursor_is_good_for_its_own_difference_only(story: Api) -> None:
    def asked(query: str, field: str, begin: int, end: int, after: str | None) -> set[str]:
        answer = story.graphql(query, {"from": begin, "to": end, "first": 1, "after": after})
        return (
            error_codes(answer) if "errors" in answer else {answer["data"]["datasetVersionDiff"][field]["totalCount"]}
        )

    page = story.data(ADDED, {"from": 1, "to": 2, "first": 1})["datasetVersionDiff"]["added"]
    cursor = page["pageInfo"]["endCursor"]

    assert asked(ADDED, "added", 1, 2, cursor) == {120}
    for query, field, begin, end in ((ADDED, "added", 1, 3), (ADDED, "added", 2, 1), (REMOVED, "removed", 1, 2)):
        assert asked(query, field, begin, end, cursor) == {"BAD_CURSOR"}
    assert asked(ADDED, "added", 1, 2, "nonsense") == {"BAD_CURSOR"}
