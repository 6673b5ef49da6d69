"""From staged records to the files of Neo4j's importer, and to the lines that are left to `ingest`.

What is written of a key is what `ingest` writes of it first (see graph/facts_people.py and graph/facts_posts.py):
docs/graph.md names the properties. A line counts as unchanged when it repeats what an earlier one said; one that says
anything else of the same key goes to `ingest`.
"""

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from consentline.backfill.staging import POSTS, SERVINGS, TABLES, USERS, Staging, Table, line_of
from consentline.domain.instants import Instant

LATER = "later.ndjson"
ORIGINS = "later.origins"


@dataclass(frozen=True, slots=True)
class Written:
    """What came of the staged lines: how many the importer records, how many said nothing new, how many are left."""

    accepted: int
    unchanged: int
    later: int


# The first line of every key; `n` tells whether there are others.
_FIRSTS = """
CREATE TABLE first_posts AS SELECT key, min(seq) AS seq, count(*) AS n FROM posts GROUP BY key;
CREATE TABLE first_servings AS
  SELECT person, notice, version, served_at, min(seq) AS seq, count(*) AS n FROM servings
  GROUP BY person, notice, version, served_at;
CREATE VIEW said AS
  SELECT seq, key, 'jurisdiction' AS field, valid_from, jurisdiction AS value FROM users WHERE says_jurisdiction
  UNION ALL
  SELECT seq, key, 'adult_from', valid_from, adult_from FROM users WHERE says_adult;
CREATE TABLE disputed AS
  SELECT DISTINCT key FROM (
    SELECT key FROM said GROUP BY key, field, valid_from
    HAVING count(DISTINCT value) + CAST(count(*) > count(value) AS INTEGER) > 1);
CREATE TABLE facts AS
  SELECT key, field, valid_from, any_value(value) AS value, min(seq) AS seq FROM said
  WHERE key NOT IN (SELECT key FROM disputed) GROUP BY key, field, valid_from;
CREATE TABLE changed AS
  SELECT post, field, value, valid_from FROM changes GROUP BY post, field, value, valid_from;
CREATE TABLE consented AS
  SELECT person, purpose, status, valid_from FROM consents GROUP BY person, purpose, status, valid_from;
CREATE VIEW described AS SELECT p.* FROM posts p SEMI JOIN first_posts f ON p.seq = f.seq;
CREATE VIEW served AS SELECT s.* FROM servings s SEMI JOIN first_servings f ON s.seq = f.seq;
"""

# A person whose records contradict each other is left to `ingest` as a whole: it refuses whole records.
_LATER: dict[Table, str] = {
    USERS: "SELECT * FROM users WHERE key IN (SELECT key FROM disputed)",
    POSTS: """
      SELECT p.* FROM posts p JOIN first_posts f ON p.key = f.key AND f.n > 1 AND p.seq <> f.seq
      JOIN posts o ON o.seq = f.seq
      WHERE (p.author, p.platform, p.kind, p.published_at, p.visibility)
            <> (o.author, o.platform, o.kind, o.published_at, o.visibility)
         OR p.special_category IS DISTINCT FROM o.special_category OR p.digest IS DISTINCT FROM o.digest
         OR p.depicts IS DISTINCT FROM o.depicts""",
    SERVINGS: """
      SELECT s.* FROM servings s JOIN first_servings f
        ON s.person = f.person AND s.notice = f.notice AND s.version = f.version AND s.served_at = f.served_at
           AND f.n > 1 AND s.seq <> f.seq
      JOIN servings o ON o.seq = f.seq
      WHERE s.seen_at IS DISTINCT FROM o.seen_at""",
}

_ACCEPTED = """
SELECT (SELECT count(*) FROM first_posts) + (SELECT count(*) FROM first_servings)
     + (SELECT count(*) FROM changed) + (SELECT count(*) FROM consented)
     + (SELECT count(DISTINCT seq) FROM (
         SELECT seq FROM facts
         UNION ALL
         SELECT min(seq) FROM users WHERE key NOT IN (SELECT key FROM disputed)
         GROUP BY key HAVING NOT bool_or(says_jurisdiction OR says_adult)))
"""

# Each file of the importer: its option, and the statement of its rows. Sorted by person, so that what is read together
# lies together. `$now` is when all of it was recorded.
_FILES: dict[str, tuple[str, str]] = {
    "users": (
        "--nodes=User",
        """
        SELECT key AS "key:ID(User)", true AS "guard:boolean" FROM (
          SELECT key FROM users WHERE key NOT IN (SELECT key FROM disputed)
          UNION SELECT author FROM described
          UNION SELECT unnest(depicts) FROM described
          UNION SELECT person FROM consented
          UNION SELECT person FROM served)
        ORDER BY 1""",
    ),
    "posts": (
        "--nodes=Post",
        """
        SELECT key AS "key:ID(Post)", $now AS "described_at:long", platform AS "platform:string",
          kind AS "kind:string", published_at AS "published_at:long", visibility AS "visibility:string",
          special_category AS "special_category:boolean", digest AS "digest:string"
        FROM described ORDER BY author, key""",
    ),
    "posts_by_key": (
        "--nodes=Post",
        """
        SELECT DISTINCT post AS "key:ID(Post)" FROM changed ANTI JOIN first_posts ON changed.post = first_posts.key
        ORDER BY 1""",
    ),
    "facts": (
        "--nodes=UserFact",
        """
        SELECT id AS ":ID(UserFact)", field AS "field:string", valid_from AS "valid_from:long",
          value AS "value:string", $now AS "recorded_at:long"
        FROM numbered_facts ORDER BY id""",
    ),
    "changes": (
        "--nodes=PostChange",
        """
        SELECT id AS ":ID(PostChange)", field AS "field:string", value AS "value:string",
          valid_from AS "valid_from:long", $now AS "recorded_at:long"
        FROM numbered_changes ORDER BY id""",
    ),
    "consents": (
        "--nodes=ConsentState",
        """
        SELECT id AS ":ID(ConsentState)", purpose AS "purpose:string", status AS "status:string",
          valid_from AS "valid_from:long", $now AS "recorded_at:long"
        FROM numbered_consents ORDER BY id""",
    ),
    "notices": (
        "--nodes=Notice",
        """
        SELECT version || ' ' || notice AS ":ID(Notice)", notice AS "key:string", version AS "version:long"
        FROM served GROUP BY notice, version ORDER BY 1""",
    ),
    "revision": (
        "--nodes=Revision",
        """
        SELECT 1 AS ":ID(Revision)", 'lineage' AS "name:string", $revision AS "value:string",
          $now AS "first_recorded_at:long" """,
    ),
    "authored": (
        "--relationships=AUTHORED_BY",
        """
        SELECT key AS ":START_ID(Post)", $now AS "recorded_at:long", author AS ":END_ID(User)"
        FROM described ORDER BY author, key""",
    ),
    "depicted": (
        "--relationships=DEPICTS",
        """
        SELECT key AS ":START_ID(Post)", $now AS "recorded_at:long", unnest(depicts) AS ":END_ID(User)"
        FROM described ORDER BY author, key""",
    ),
    "known": (
        "--relationships=KNOWN",
        """
        SELECT key AS ":START_ID(User)", id AS ":END_ID(UserFact)" FROM numbered_facts ORDER BY id""",
    ),
    "changed": (
        "--relationships=CHANGED",
        """
        SELECT post AS ":START_ID(Post)", id AS ":END_ID(PostChange)" FROM numbered_changes ORDER BY id""",
    ),
    "said": (
        "--relationships=SAID",
        """
        SELECT person AS ":START_ID(User)", id AS ":END_ID(ConsentState)" FROM numbered_consents ORDER BY id""",
    ),
    "served": (
        "--relationships=SERVED",
        """
        SELECT person AS ":START_ID(User)", served_at AS "served_at:long", $now AS "recorded_at:long",
          seen_at AS "seen_at:long", CASE WHEN seen_at IS NOT NULL THEN $now END AS "seen_recorded_at:long",
          version || ' ' || notice AS ":END_ID(Notice)"
        FROM served ORDER BY person, served_at""",
    ),
}

_NUMBERED = """
CREATE TABLE numbered_facts AS SELECT row_number() OVER (ORDER BY key, field, valid_from) AS id, * FROM facts;
CREATE TABLE numbered_changes AS
  SELECT row_number() OVER (ORDER BY post, field, valid_from, value) AS id, * FROM changed;
CREATE TABLE numbered_consents AS
  SELECT row_number() OVER (ORDER BY person, purpose, valid_from, status) AS id, * FROM consented;
"""


def write(staging: Staging, folder: Path, now: Instant) -> Written:
    """Write all files into the folder; what is left to `ingest` into `later.ndjson` there, in the lines' order."""
    staging.flush()
    staging.database.execute(_FIRSTS)
    staging.database.execute(_NUMBERED)
    staged = sum(_count(staging, table.name) for table in TABLES)
    for table, statement in _LATER.items():
        for row in staging.rows(statement):
            staging.keep(row[0], line_of(table, row[1:]))
            staged -= 1
    staging.flush()
    for name, (_, statement) in _FILES.items():
        _copy(staging, statement, folder / f"{name}.csv", now)
    accepted = next(staging.rows(_ACCEPTED))[0]
    return Written(accepted, staged - accepted, _write_later(staging, folder))


def importer_arguments(folder: Path, memory: str) -> list[str]:
    """What `neo4j-admin database import full` is told of the folder's files, and of how much memory it may use."""
    files = (f"{option}={folder / name}.csv" for name, (option, _) in _FILES.items())
    return ["--id-type=string", f"--max-off-heap-memory={memory.removesuffix('B')}", *files]


def _copy(staging: Staging, statement: str, target: Path, now: Instant) -> None:
    # COPY takes no parameters; both are of our own making.
    rows = statement.replace("$now", f"{now:d}").replace("$revision", f"'{uuid4()}'")
    path = str(target).replace("'", "''")
    staging.database.execute(f"COPY ({rows}) TO '{path}' (FORMAT csv, HEADER, NULLSTR '')")


def _write_later(staging: Staging, folder: Path) -> int:
    """The lines that are left, and beside them, for each, its place among the lines of all sources."""
    count = 0
    with (folder / LATER).open("wb") as lines, (folder / ORIGINS).open("wb") as origins:
        for seq, line in staging.rows("SELECT seq, line FROM later ORDER BY seq"):
            lines.write(bytes(line) + b"\n")
            array("q", (seq,)).tofile(origins)
            count += 1
    return count


def _count(staging: Staging, table: str) -> Any:
    return next(staging.rows(f"SELECT count(*) FROM {table}"))[0]  # noqa: S608 - a table of our own
