import io
import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.errors import InvalidInputError
from consentline.member_files import NdjsonWriter, ParquetWriter, SortedKeys, standard_output, whole_file

keys = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=8)


@given(pages=st.lists(st.lists(keys)), kept=st.integers(1, 20))
def test_keys_leave_sorted_by_code_point_however_few_are_kept_in_memory(pages: list[list[str]], kept: int) -> None:
    with SortedKeys(kept) as found:
        for page in pages:
            found.add(page)
        chunks = list(found.chunks())

    assert [key for chunk in chunks for key in chunk] == sorted(key for page in pages for key in page)
    assert all(chunks)


@given(st.lists(keys))
def test_a_line_of_ndjson_a_key(posts: list[str]) -> None:
    file = io.BytesIO()
    writer = NdjsonWriter(file)
    writer.write(posts[:2])
    writer.write(posts[2:])
    writer.close()

    assert [json.loads(line) for line in file.getvalue().split(b"\n")[:-1]] == [{"post": post} for post in posts]


@pytest.mark.parametrize("posts", [[], ["a", "\U0001f600", "ü"]], ids=["none", "some"])
def test_parquet_has_one_column_of_strings(posts: list[str]) -> None:
    file = io.BytesIO()
    writer = ParquetWriter(file)
    if posts:
        writer.write(posts[:1])
        writer.write(posts[1:])
    writer.close()

    table = parquet.read_table(io.BytesIO(file.getvalue()))
    assert [(each.name, str(each.type), each.nullable) for each in table.schema] == [("post", "string", False)]
    assert table["post"].to_pylist() == posts


def test_without_pyarrow_parquet_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(InvalidInputError) as raised:
        ParquetWriter(io.BytesIO())

    assert raised.value.code == "PARQUET_NOT_INSTALLED"
    assert "pip install 'consentline[parquet]'" in raised.value.message


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "keys.ndjson"
    path.write_bytes(b"of before")
    with whole_file(path) as file:
        file.write(b"new")
        assert (path.read_bytes(), (tmp_path / "keys.ndjson.part").exists()) == (b"of before", True)

    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("keys.ndjson", b"new")]


def test_a_file_that_is_not_finished_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"of before")

    def write(file: BinaryIO) -> None:
        file.write(b"new")
        raise EOFError

    with pytest.raises(EOFError), whole_file(path) as file:
        write(file)

    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("keys", b"of before")]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as raised, whole_file(tmp_path / "no" / "keys"):
        pytest.fail("it was opened")

    assert (raised.value.code, raised.value.path) == ("FILE_UNWRITABLE", ("--output",))
    assert raised.value.message.endswith("keys cannot be written: No such file or directory")


def test_a_closed_pipe_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        with standard_output() as out:
            out.write(b"x" * 1_000_000)
