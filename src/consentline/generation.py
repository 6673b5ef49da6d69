"""Realistic records of any size, as NDJSON, for trying the tool out, for tests and for benchmarks.

The same (posts, seed, people) gives the same bytes on every machine and Python version: all randomness is integer
arithmetic of our own, nothing depends on floating point, hashing or the clock. Nothing is remembered from line to
line, so memory does not grow with the number of posts.

What comes out, in this order: policies and a notice; the people, each with the notices and consents that are theirs;
the posts, each followed by what changed about it, with the objections spread among them. Keys begin with the seed
("facebook:g7-post-12"), so that several seeds, and the demo story, live in one graph without conflict; two loads of
one seed agree only with the same number of people.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, NamedTuple, TypeVar

from consentline.domain.errors import InvalidInputError

_T = TypeVar("_T")

KINDS = ("policy", "notice", "user", "notice_served", "consent", "post", "visibility", "post_deleted", "objection")
"""The kinds of record that are generated; `only` takes any of them."""

POSTS_PER_PERSON = 20
BATCH = 1000
"""Posts (or people) whose lines are put together before they are handed on."""

_DAY = 86_400
_FIRST = datetime(2015, 1, 1, tzinfo=UTC)
_LAST = datetime(2026, 11, 1, tzinfo=UTC)
_SPAN = int((_LAST - _FIRST).total_seconds())
_THREADS_FROM = int((datetime(2023, 7, 6, tzinfo=UTC) - _FIRST).total_seconds())
_NOTICES_FROM = int((datetime(2024, 9, 23, tzinfo=UTC) - _FIRST).total_seconds())

# Formatted once, so that a time costs three look-ups and no calendar.
_DATES = tuple((_FIRST + timedelta(days=n)).strftime("%Y-%m-%dT") for n in range(_SPAN // _DAY + 2))
_MINUTES = tuple(f"{n // 60:02d}:{n % 60:02d}:" for n in range(1440))
_SECONDS = tuple(f"{n:02d}Z" for n in range(60))

_JURISDICTIONS = (
    (("GB",), 24),
    (("GB-ENG",), 14),
    (("GB-SCT",), 3),
    (("GB-WLS",), 2),
    (("GB-NIR",), 1),
    (("AU",), 16),
    (("IE",), 12),
    (("DE", "FR", "ES", "IN", "BR", "US"), 4),
    ((None,), 4),
)
_PLATFORMS = (("FACEBOOK", 50), ("INSTAGRAM", 38), ("THREADS", 12))
_POST_KINDS = (("POST", 40), ("COMMENT", 30), ("PHOTO", 16), ("VIDEO", 6), ("PRIVATE_MESSAGE", 8))
_VISIBILITIES = (("PUBLIC", 68), ("FRIENDS", 26), ("PRIVATE", 6))


class _Shape(NamedTuple):
    """A kind of post, its line's constant parts, and the span of time in which it may be published."""

    prefix: str
    middle: str
    first: int
    span: int
    post_kind: str
    visibility: str


class _Names(NamedTuple):
    """The beginnings of the keys of one seed."""

    user: str
    objection: str
    policy: str

    @classmethod
    def of(cls, seed: int) -> "_Names":
        return cls(f"facebook:g{seed}-user-", f"objection:g{seed}-", f"g{seed}:")


def generate_records(
    posts: int, seed: int, *, people: int | None = None, only: Collection[str] | None = None
) -> Iterator[bytes]:
    """Yields the lines, each ended by a newline; exactly `posts` of them are of kind `post`.

    `people` is the number of authors (by default one for 20 posts). `only` keeps the kinds it names; the lines that
    stay are the same as without it.

    Raises:
        InvalidInputError: a number is out of range, or `only` names a kind that is not generated.
    """
    for batch, _ in _batches(posts, seed, people, only):
        for line in batch:
            yield line.encode("ascii")


def write(
    posts: int,
    seed: int,
    out: BinaryIO,
    report: Callable[[int], None] | None = None,
    *,
    people: int | None = None,
    only: Collection[str] | None = None,
) -> None:
    """Writes what `generate_records` yields, many lines at a time, and calls `report` with the posts done so far.

    A reader that goes away raises BrokenPipeError here, for the caller to take as the end.

    Raises:
        InvalidInputError: as `generate_records`.
    """
    for batch, done in _batches(posts, seed, people, only):
        out.write("".join(batch).encode("ascii"))
        if report is not None:
            report(done)
    out.flush()


def _batches(
    posts: int, seed: int, people: int | None, only: Collection[str] | None
) -> Iterator[tuple[list[str], int]]:
    """Lines in order, some at a time, each time with the number of posts done."""
    authors = max(1, posts // POSTS_PER_PERSON) if people is None else people
    for name, value, least in (("posts", posts, 0), ("seed", seed, 0), ("people", authors, 1)):
        if value < least:
            message = f"{name} is {value}; it must be at least {least}"
            raise InvalidInputError(message, path=(name,))
    unknown = sorted(set(only or ()) - set(KINDS))
    if unknown:
        message = f"{unknown[0]!r} is not generated; the kinds are {', '.join(KINDS)}"
        raise InvalidInputError(message, path=("only",))

    wanted = frozenset(KINDS if only is None else only)
    kept = tuple(f'{{"kind":"{kind}",' for kind in KINDS if kind in wanted)
    everything = len(wanted) == len(KINDS)
    parts = (_rules(seed), _people(authors, seed), _posts(posts, seed, authors))
    for part in parts if wanted - {"post", "visibility", "post_deleted", "objection"} else parts[2:]:
        for batch, done in part:
            lines = batch if everything else [line for line in batch if line.startswith(kept)]
            if lines:
                yield lines, done


def _mix(seed: int, number: int) -> int:
    """64 well-mixed bits from two numbers (the finaliser of SplitMix64; Steele, Lea and Flood 2014)."""
    z = (seed * 0xD1342543DE82EF95 + number * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return z ^ (z >> 31)


def _time(second: int) -> str:
    """The instant so many seconds after the first, as ISO 8601 in UTC."""
    day, rest = divmod(second, _DAY)
    return _DATES[day] + _MINUTES[rest // 60] + _SECONDS[rest % 60]


def _spread(weighted: tuple[tuple[_T, int], ...], places: int) -> list[_T]:
    """Each value as many times as its weight says, `places` in all: a random index is then a weighted choice."""
    total = sum(weight for _, weight in weighted)
    values: list[_T] = []
    reached = 0
    for value, weight in weighted:
        reached += weight
        values += [value] * (reached * places // total - len(values))
    return values


def _shapes(seed: int) -> list[_Shape]:
    """4,096 shapes of posts, in their proportions: twelve random bits choose one."""
    weighted: list[tuple[_Shape, int]] = []
    for platform, platform_weight in _PLATFORMS:
        first = _THREADS_FROM if platform == "THREADS" else 0
        for post_kind, kind_weight in _POST_KINDS:
            private = post_kind == "PRIVATE_MESSAGE"
            for visibility, visibility_weight in (("PRIVATE", 100),) if private else _VISIBILITIES:
                middle = f'"platform":"{platform}","post_kind":"{post_kind}","visibility":"{visibility}"'
                prefix = f"{platform.lower()}:g{seed}-post-"
                shape = _Shape(prefix, middle, first, _SPAN - first, post_kind, visibility)
                weighted.append((shape, platform_weight * kind_weight * visibility_weight))
    return _spread(tuple(weighted), 4096)


def _ranks(people: int) -> list[tuple[int, int]]:
    """Groups of authors (first, how many), each as busy as the next and about twice as large: a Zipf-like skew."""
    size = 1 << min(6, max(0, people.bit_length() - 4))
    groups: list[tuple[int, int]] = []
    start = 0
    while start < people:
        count = min(size, people - start)
        if groups and count < size // 2:
            first, before = groups.pop()
            groups.append((first, before + count))
        else:
            groups.append((start, count))
        start += count
        size = max(start, size)
    return groups


def _rules(seed: int) -> Iterator[tuple[list[str], int]]:
    """The rules of three jurisdictions and the one notice, as constant text but for the keys."""
    name = _Names.of(seed).policy
    lia = (
        '"lawful_basis":"LEGITIMATE_INTERESTS","assessment":"lia:generated","assessment_expires":"2036-01-01T00:00:00Z"'
    )
    policies = (
        ("GB", "2024-09-01", f'{lia},"notice_required":true,"objection_window_days":30'),
        ("AU", "2022-12-01", f'{lia},"notice_required":false,"platforms":["FACEBOOK","INSTAGRAM"]'),
        ("IE", "2025-05-01", '"lawful_basis":"CONSENT","notice_required":false'),
    )
    lines = [
        f'{{"kind":"policy","key":"{name}{place.lower()}-ai-training","version":1,"jurisdiction":"{place}",'
        f'"purpose":"AI_TRAINING","effective_from":"{day}T00:00:00Z",{rest}}}\n'
        for place, day, rest in policies
    ]
    lines.append(
        f'{{"kind":"notice","key":"{name}gb-ai-notice","version":1,"purpose":"AI_TRAINING","channel":"IN_APP",'
        f'"published_at":"2024-09-20T08:00:00Z"}}\n'
    )
    yield lines, 0


def _people(people: int, seed: int) -> Iterator[tuple[list[str], int]]:
    jurisdictions = _spread(_JURISDICTIONS, 256)
    names = _Names.of(seed)
    for start in range(0, people, BATCH):
        lines: list[str] = []
        for number in range(start, min(start + BATCH, people)):
            bits = _mix(seed, number)
            several = jurisdictions[bits & 255]
            lines += _person(names, number, several[(bits >> 8) % len(several)], bits >> 12)
        yield lines, 0


def _person(names: _Names, number: int, jurisdiction: str | None, bits: int) -> Iterator[str]:
    """What is known of one person; `bits` has 52 of them. One in a hundred is known by their key alone."""
    key = f'"{names.user}{number}"'
    if bits % 101 != 0:
        where = "" if jurisdiction is None else f',"jurisdiction":"{jurisdiction}"'
        age = (bits >> 7) % 100  # of a hundred: four of unknown age, six minors, the others adult
        year = 2027 + age % 5 if age < 10 else 1985 + (bits >> 14) % 35
        adult = "" if age < 4 else f',"adult_from":"{year}-{1 + (bits >> 20) % 12:02d}-01"'
        yield f'{{"kind":"user","key":{key}{where}{adult}}}\n'
    if bits % 199 == 1:
        moved = _time(_NOTICES_FROM - (bits >> 24) % (4 * 365 * _DAY))
        yield f'{{"kind":"user","key":{key},"jurisdiction":"GB","valid_from":"{moved}"}}\n'
    if jurisdiction is not None and jurisdiction.startswith("GB") and (bits >> 24) % 20 != 0:
        late = (bits >> 30) % 25 == 0
        served = _NOTICES_FROM + (bits >> 35) % ((760 if late else 40) * _DAY)
        seen = f',"seen_at":"{_time(served + 3600)}"' if (bits >> 32) % 3 else ""
        yield (
            f'{{"kind":"notice_served","user":{key},"notice":"{names.policy}gb-ai-notice","version":1,'
            f'"served_at":"{_time(served)}"{seen}}}\n'
        )
    if jurisdiction == "IE" and (bits >> 24) % 5 < 2:
        given = _NOTICES_FROM + 250 * _DAY + (bits >> 30) % (200 * _DAY)
        consent = f'{{"kind":"consent","user":{key},"purpose":"AI_TRAINING",'
        yield f'{consent}"status":"GIVEN","valid_from":"{_time(given)}"}}\n'
        if (bits >> 27) % 10 == 0:
            yield f'{consent}"status":"WITHDRAWN","valid_from":"{_time(given + 90 * _DAY)}"}}\n'


def _posts(posts: int, seed: int, people: int) -> Iterator[tuple[list[str], int]]:
    """The posts, with what follows them. The inner loop is the whole cost of a large file, hence its plainness.

    One step of a 128-bit linear congruential generator a post; of its better 96 bits, 28 choose the author within a
    group, 12 the group, 32 the instant, 12 the shape, and 12 whether anything else is to be said.
    """
    shapes = _shapes(seed)
    groups = _spread(tuple((group, 1) for group in _ranks(people)), 4096)
    dates, minutes, seconds = _DATES, _MINUTES, _SECONDS
    user = _Names.of(seed).user
    state = (_mix(seed, -1) << 64) | _mix(seed, -2)
    objections = _objections(posts, seed, people)
    for start in range(0, posts, BATCH):
        lines: list[str] = []
        end = min(start + BATCH, posts)
        for number in range(start, end):
            state = (state * 0x2360ED051FC65DA44385DF649FCCF645 + 0x5851F42D4C957F2D14057B7EF767814F) & (1 << 128) - 1
            bits = state >> 32
            first, count = groups[bits >> 28 & 4095]
            author = first + ((bits & 0xFFFFFFF) * count >> 28)
            shape = shapes[bits >> 72 & 4095]
            prefix, middle, earliest, span, _, _ = shape
            second = earliest + ((bits >> 40 & 0xFFFFFFFF) * span >> 32)
            day, rest = divmod(second, 86_400)
            line = (
                f'{{"kind":"post","key":"{prefix}{number}","author":"{user}{author}",{middle},'
                f'"published_at":"{dates[day]}{minutes[rest // 60]}{seconds[rest % 60]}"'
            )
            if bits >> 84 < 260:
                lines += _more(line, f"{prefix}{number}", shape, second, _mix(seed ^ 0xA5A5, number), user, people)
            else:
                lines.append(line + "}\n")
        lines += objections(end)
        yield lines, end


def _more(line: str, key: str, shape: _Shape, second: int, bits: int, user: str, people: int) -> Iterator[str]:
    """One post in sixteen: about a third each deleted, seen by others than before, or with more to say of it."""
    case = bits % 100
    later = _time(second + bits // 100 % (_SPAN - second))
    if case < 34:
        yield line + "}\n"
        yield f'{{"kind":"post_deleted","post":"{key}","valid_from":"{later}"}}\n'
    elif case < 64 and shape.post_kind != "PRIVATE_MESSAGE":
        others = [value for value, _ in _VISIBILITIES if value != shape.visibility]
        yield line + "}\n"
        yield f'{{"kind":"visibility","post":"{key}","visibility":"{others[case % 2]}","valid_from":"{later}"}}\n'
    elif case < 90:
        several = {(bits >> shift) % people for shift in (20, 30)[: 1 + case % 2]}
        shown = ",".join(f'"{user}{person}"' for person in sorted(several))
        yield f'{line},"depicts":[{shown}]}}\n'
    else:
        yield f'{line},"special_category":true}}\n'


def _objections(posts: int, seed: int, people: int) -> Callable[[int], Iterator[str]]:
    """Gives, for the posts done so far, the objections due by then: one person in a thousand, evenly spread."""
    names = _Names.of(seed)
    total = (people + 500) // 1000
    filed = 0

    def due(done: int) -> Iterator[str]:
        nonlocal filed
        while filed < total * done // posts:
            bits = _mix(seed ^ 0x5A5A, filed)
            received = _time(_NOTICES_FROM + (bits >> 32) % (_SPAN - _NOTICES_FROM))
            platforms = ',"platforms":["INSTAGRAM"]' if bits % 10 == 0 else ""
            yield (
                f'{{"kind":"objection","key":"{names.objection}{filed}","user":"{names.user}{(bits >> 4) % people}",'
                f'"received_at":"{received}","purposes":["AI_TRAINING"]{platforms}}}\n'
            )
            filed += 1

    return due
