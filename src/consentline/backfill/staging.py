"""Records on disk as columns, each with its place among all lines: what is sorted and joined before it is imported."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET

from consentline.domain.errors import InvalidInputError
from consentline.domain.instants import ALWAYS, from_datetime, to_datetime
from consentline.domain.records import ConsentSaid, Deletion, NoticeServed, Post, Record, User, VisibilityChange

Row: TypeAlias = tuple[Any, ...]
_BATCH = 50_000


class Table(NamedTuple):
    """A kind of record as it is staged; `columns` are those of DuckDB, the first is the line's place."""

    name: str
    columns: tuple[tuple[str, str], ...]
    row: Callable[[Any], Row]
    record: Callable[[Row], Record]


def _user_row(record: User) -> Row:
    says_jurisdiction, says_adult = record.jurisdiction is not UNSET, record.adult_from is not UNSET
    return (
        record.key,
        ALWAYS if record.valid_from is None else from_datetime(record.valid_from),
        says_jurisdiction,
        record.jurisdiction if says_jurisdiction else None,
        says_adult,
        str(record.adult_from) if says_adult and record.adult_from is not None else None,
    )


def _user(row: Row) -> User:
    key, valid_from, says_jurisdiction, jurisdiction, says_adult, adult_from = row
    said: dict[str, Any] = {"key": key}
    if valid_from != ALWAYS:
        said["valid_from"] = to_datetime(valid_from)
    if says_jurisdiction:
        said["jurisdiction"] = jurisdiction
    if says_adult:
        said["adult_from"] = adult_from
    return msgspec.convert(said | {"kind": "user"}, User)


def _post_row(record: Post) -> Row:
    return (
        record.key,
        record.author,
        record.platform,
        record.post_kind,
        from_datetime(record.published_at),
        record.visibility,
        record.special_category,
        record.content_digest,
        None if record.depicts is None else sorted(set(record.depicts)),
    )


def _post(row: Row) -> Post:
    key, author, platform, kind, published_at, visibility, special_category, digest, depicts = row
    return Post(
        key=key,
        author=author,
        platform=platform,
        post_kind=kind,
        visibility=visibility,
        published_at=to_datetime(published_at),
        depicts=None if depicts is None else tuple(depicts),
        special_category=special_category,
        content_digest=digest,
    )


def _change_row(record: VisibilityChange | Deletion) -> Row:
    if isinstance(record, Deletion):
        return record.post, "deleted", None, from_datetime(record.valid_from)
    return record.post, "visibility", record.visibility, from_datetime(record.valid_from)


def _change(row: Row) -> VisibilityChange | Deletion:
    post, field, value, valid_from = row
    since = to_datetime(valid_from)
    return Deletion(post, since) if field == "deleted" else VisibilityChange(post, value, since)


def _consent_row(record: ConsentSaid) -> Row:
    return record.user, record.purpose, record.status, from_datetime(record.valid_from)


def _consent(row: Row) -> ConsentSaid:
    return ConsentSaid(row[0], row[1], row[2], to_datetime(row[3]))


def _serving_row(record: NoticeServed) -> Row:
    seen_at = None if record.seen_at is None else from_datetime(record.seen_at)
    return record.user, record.notice, record.version, from_datetime(record.served_at), seen_at


def _serving(row: Row) -> NoticeServed:
    user, notice, version, served_at, seen_at = row
    return NoticeServed(
        user, notice, version, to_datetime(served_at), None if seen_at is None else to_datetime(seen_at)
    )


_SEQ = ("seq", "BIGINT")
USERS = Table(
    "users",
    (
        _SEQ,
        ("key", "VARCHAR"),
        ("valid_from", "BIGINT"),
        ("says_jurisdiction", "BOOLEAN"),
        ("jurisdiction", "VARCHAR"),
        ("says_adult", "BOOLEAN"),
        ("adult_from", "VARCHAR"),
    ),
    _user_row,
    _user,
)
POSTS = Table(
    "posts",
    (
        _SEQ,
        ("key", "VARCHAR"),
        ("author", "VARCHAR"),
        ("platform", "VARCHAR"),
        ("kind", "VARCHAR"),
        ("published_at", "BIGINT"),
        ("visibility", "VARCHAR"),
        ("special_category", "BOOLEAN"),
        ("digest", "VARCHAR"),
        ("depicts", "VARCHAR[]"),
    ),
    _post_row,
    _post,
)
CHANGES = Table(
    "changes",
    (_SEQ, ("post", "VARCHAR"), ("field", "VARCHAR"), ("value", "VARCHAR"), ("valid_from", "BIGINT")),
    _change_row,
    _change,
)
CONSENTS = Table(
    "consents",
    (_SEQ, ("person", "VARCHAR"), ("purpose", "VARCHAR"), ("status", "VARCHAR"), ("valid_from", "BIGINT")),
    _consent_row,
    _consent,
)
SERVINGS = Table(
    "servings",
    (
        _SEQ,
        ("person", "VARCHAR"),
        ("notice", "VARCHAR"),
        ("version", "INTEGER"),
        ("served_at", "BIGINT"),
        ("seen_at", "BIGINT"),
    ),
    _serving_row,
    _serving,
)
TABLES = (USERS, POSTS, CHANGES, CONSENTS, SERVINGS)
_OF_KIND: dict[type[Record], Table] = {
    User: USERS,
    Post: POSTS,
    VisibilityChange: CHANGES,
    Deletion: CHANGES,
    ConsentSaid: CONSENTS,
    NoticeServed: SERVINGS,
}
_LATER = "later"
_COLUMNS = {table.name: table.columns for table in TABLES} | {_LATER: (_SEQ, ("line", "BLOB"))}


class Staging:
    """The staged records in a DuckDB file; memory is bounded whatever their number, the rest lies on the disk."""

    def __init__(self, folder: Path, memory: str) -> None:
        """An empty staging area in the folder; DuckDB may use so much memory ("4GB").

        Raises:
            InvalidInputError: BACKFILL_NOT_INSTALLED, or INVALID_INPUT for a wrong size.
        """
        duckdb = _installed("duckdb")
        self._arrow = _installed("pyarrow")
        try:
            options = {"memory_limit": memory, "temp_directory": str(folder / "sorting")}
            self.database: Any = duckdb.connect(str(folder / "staging.duckdb"), config=options)
        except (duckdb.InvalidInputException, duckdb.ParserException, duckdb.CatalogException):
            message = f"--memory {memory} is not a size such as 4GB"
            raise InvalidInputError(message, code="INVALID_INPUT", path=("memory",)) from None
        # The rows of a table need no order of their own: every one knows its line.
        self.database.execute("SET preserve_insertion_order = false")
        self._held: dict[str, list[Row]] = {}
        for name, columns in _COLUMNS.items():
            self.database.execute(f"CREATE TABLE {name} ({', '.join(f'{each} {kind}' for each, kind in columns)})")
            self._held[name] = []

    def take(self, seq: int, line: bytes, record: Record) -> None:
        """Stage the record of a line; the lines of all sources are numbered on."""
        table = _OF_KIND.get(type(record))
        if table is None:
            self.keep(seq, line)
        else:
            self._append(table.name, (seq, *table.row(record)))

    def keep(self, seq: int, line: bytes) -> None:
        """Leave a line to `ingest`."""
        self._append(_LATER, (seq, line))

    def flush(self) -> None:
        """Write what is held in memory."""
        for name in self._held:
            self._write(name)

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def _append(self, name: str, row: Row) -> None:
        held = self._held[name]
        held.append(row)
        if len(held) >= _BATCH:
            self._write(name)

    def _write(self, name: str) -> None:
        held = self._held[name]
        if not held:
            return
        names = (each for each, _ in _COLUMNS[name])
        columns = {each: list(values) for each, values in zip(names, zip(*held, strict=True), strict=True)}
        self.database.register("batch", self._arrow.table(columns))
        self.database.execute(f"INSERT INTO {name} SELECT * FROM batch")  # noqa: S608 - a table of our own
        self.database.unregister("batch")
        held.clear()

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """The rows of a statement, some at a time."""
        cursor = self.database.cursor()
        try:
            cursor.execute(statement, list(parameters))
            while rows := cursor.fetchmany(10_000):
                yield from rows
        finally:
            cursor.close()


def line_of(table: Table, row: Row) -> bytes:
    """The record of a staged row as a line; it says what the line said that was staged."""
    return msgspec.json.encode(table.record(row))


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        message = f'a backfill needs {name}, which is not installed: pip install "consentline[backfill]"'
        raise InvalidInputError(message, code="BACKFILL_NOT_INSTALLED") from None
