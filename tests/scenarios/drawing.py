"""What Hypothesis draws: whole scenarios."""

from random import Random

from hypothesis import strategies as st

from tests.scenarios.disputes import Teller
from tests.scenarios.story import Story
from tests.scenarios.world import LONGEST, Scenario


def tell(random: Random, disputed: bool) -> Story:
    return Teller(random, disputed).tell()


# A story is told by a generator of random numbers whose seed Hypothesis draws: drawn choice by choice, two of three
# were near copies of others. Hypothesis shrinks by leaving steps out, by the bytes that it drives to zero.
randoms = st.integers(0, 2**64 - 1).map(lambda seed: Random(seed))  # noqa: S311, nothing secret


@st.composite
def scenarios(draw: st.DrawFn, disputed: bool = True) -> Scenario:
    """A story in one order; now and then a step of it is missing."""
    random = draw(randoms)
    scenario = tell(random, disputed).in_random_order(random)
    kept = draw(st.binary(min_size=LONGEST, max_size=LONGEST))
    return Scenario(tuple(step for step, byte in zip(scenario.steps, kept, strict=False) if byte))


@st.composite
def reorderings(draw: st.DrawFn) -> tuple[Scenario, Scenario]:
    """One undisputed story in two orders."""
    random = draw(randoms)
    story = tell(random, disputed=False)
    return story.in_random_order(random), story.in_random_order(random)
