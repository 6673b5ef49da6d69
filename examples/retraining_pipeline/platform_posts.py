"""The platform's own side: invented posts with their text, and the records that tell Consentline of them.

Text never goes to Consentline: it gets keys, times and codes. The text stays in a file of the platform's.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PLATFORM = "EXAMPLE"
TOPICS = {
    "gardening": "soil seeds roses compost pruning allotment tomatoes greenhouse spade weeds hedge bulbs".split(),
    "football": "goal match keeper penalty league striker derby offside pitch referee cup header".split(),
    "cooking": "oven recipe butter garlic simmer whisk flour roast pan season dough stock".split(),
    "railways": "platform carriage signal timetable junction locomotive ticket delay guard branch tunnel".split(),
}
_COMMON = "today really the new my best with again lovely just about after before some more than".split()


@dataclass(frozen=True, slots=True)
class Post:
    """A post as the platform keeps it; `topic` is what the classifier learns to tell."""

    key: str
    author: str
    topic: str
    text: str
    published_at: str


def write_posts(path: Path, *, seed: int, authors: int, posts_each: int, now: datetime) -> list[Post]:
    """Invent the posts of adult UK authors, the same for the same seed, and keep them in a file."""
    draw = random.Random(seed)  # noqa: S311 - invented posts, no secret
    posts = [
        _post(draw, f"example:user-{author:03}", author * posts_each + number, now)
        for author in range(authors)
        for number in range(posts_each)
    ]
    path.write_text("".join(json.dumps(asdict(post)) + "\n" for post in posts), encoding="utf-8")
    return posts


def read_posts(path: Path) -> dict[str, Post]:
    """The posts of a file, by key."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {post.key: post for post in (Post(**json.loads(line)) for line in lines)}


def _post(draw: random.Random, author: str, number: int, now: datetime) -> Post:
    topic = draw.choice(sorted(TOPICS))
    # People wander from their topic: two words of five that tell are of another one.
    other = draw.choice(sorted(TOPICS.keys() - {topic}))
    words = draw.choices(TOPICS[topic], k=3) + draw.choices(TOPICS[other], k=2) + draw.choices(_COMMON, k=9)
    draw.shuffle(words)
    published = now - timedelta(days=draw.randint(100, 400))
    return Post(f"example:post-{number:05}", author, topic, " ".join(words), published.isoformat())


def records(posts: list[Post], now: datetime) -> Iterator[dict[str, Any]]:
    """What Consentline is told: the policy, the notice and who was served it, the people, and the posts."""
    begin = (now - timedelta(days=90)).isoformat()
    yield {
        "kind": "policy",
        "key": "gb-example",
        "version": 1,
        "jurisdiction": "GB",
        "purpose": "AI_TRAINING",
        "lawful_basis": "LEGITIMATE_INTERESTS",
        "effective_from": datetime(2020, 1, 1, tzinfo=UTC).isoformat(),
        "objection_window_days": 30,
        "platforms": [PLATFORM],
        "assessment": "lia-1",
    }
    yield {
        "kind": "notice",
        "key": "example-notice",
        "version": 1,
        "purpose": "AI_TRAINING",
        "channel": "in-app",
        "published_at": begin,
    }
    for user in sorted({post.author for post in posts}):
        yield {"kind": "user", "key": user, "jurisdiction": "GB-ENG", "adult_from": "2000-01-01"}
        yield {"kind": "notice_served", "user": user, "notice": "example-notice", "version": 1, "served_at": begin}
    for post in posts:
        yield {
            "kind": "post",
            "key": post.key,
            "author": post.author,
            "platform": PLATFORM,
            "post_kind": "POST",
            "visibility": "PUBLIC",
            "published_at": post.published_at,
        }
