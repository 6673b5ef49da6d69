"""The rules of Consentline in plain Python: the reference that the product is compared with.

Written from design.md, core.graphql, records.md and docs/decisions/0002 alone; it shares no code with the product and
prefers the obvious to the fast. `Oracle` keeps every fact with the time at which it was recorded; `AsKnown` answers
from the facts recorded up to one moment. Influence is followed by listing every path.

`Oracle.apply` takes a record (a dict with a `kind`) or an operation (a mutation's name and its input) and answers
    accepted   something new was recorded
    unchanged  the same was recorded before
    refused    the rules forbid it and nothing was recorded: another content under the same natural key, an unknown or
               BUILDING version, an unknown model version, a derivation cycle, an objection already decided, ...
`Oracle.codes` then holds the codes of all rules that forbid it (ANY: one that the rules do not name; none: nothing is
said of it), for the order in which rules are checked is the product's own; `refusals` what an authorisation was refused
for, `excluded` what a build left out.

The steps `acknowledgeFlag`, `scheduleRetraining` and `resolveFlag` name a `modelVersion` and mean its last flag.
`Oracle(kinds=...)` raises flags for these kinds of cause only. `Oracle.sweep` brings about what time alone does;
`affected` is what a request for erasure concerns, `offending` why a replacement was refused.

Not judged here: the shape of a record (unknown fields, wrong types), times too far ahead of the clock, and the gate's
RECHECK_NEEDED, which says that the product does not know an answer, and is right only where a policy came since.
"""

from tests.oracle.answers import (
    Consent,
    Eligibility,
    ErasureAnswer,
    NoticeCoverage,
    ObjectionAnswer,
    OpenFlag,
    PostUsage,
    ResolvedFlag,
    Use,
)
from tests.oracle.facts import ACCEPTED, ANY, CAUSE_KINDS, REASONS, REFUSED, UNCHANGED, Record, Step, VersionId
from tests.oracle.known import AsKnown
from tests.oracle.reference import Oracle
from tests.oracle.times import DAY, due_at, extended_to, instant, micros

__all__ = [
    "ACCEPTED",
    "ANY",
    "CAUSE_KINDS",
    "DAY",
    "REASONS",
    "REFUSED",
    "UNCHANGED",
    "AsKnown",
    "Consent",
    "Eligibility",
    "ErasureAnswer",
    "NoticeCoverage",
    "ObjectionAnswer",
    "OpenFlag",
    "Oracle",
    "PostUsage",
    "Record",
    "ResolvedFlag",
    "Step",
    "Use",
    "VersionId",
    "due_at",
    "extended_to",
    "instant",
    "micros",
]
