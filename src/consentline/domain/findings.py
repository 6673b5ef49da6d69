"""What examining the graph can find."""

from typing import NamedTuple


class Finding(NamedTuple):
    """What is wrong, and of what: a dataset, a model version, a run, a webhook; never a person."""

    check: str
    subject: str
    message: str
