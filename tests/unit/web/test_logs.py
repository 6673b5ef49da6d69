import json
import logging
import sys

from consentline.logs import JsonFormatter

SECRET = "facebook-user-4711"


def line_of(record: logging.LogRecord) -> dict[str, object]:
    return json.loads(JsonFormatter().format(record))


def test_a_line_is_json_with_what_is_known_of_the_request() -> None:
    record = logging.makeLogRecord({"name": "n", "levelname": "INFO", "msg": "request %s", "args": ("x",)})
    record.request_id, record.status, record.secret = "r1", 200, SECRET

    line = line_of(record)

    assert (line["message"], line["request_id"], line["status"], line["level"]) == ("request x", "r1", 200, "info")
    assert SECRET not in json.dumps(line)


def fail(key: str) -> None:
    try:
        raise ValueError(key)
    except ValueError as error:
        raise RuntimeError(f"cannot read {key}") from error


def test_an_exception_is_told_by_types_and_places_never_by_its_message() -> None:
    try:
        fail(SECRET)
    except RuntimeError:
        record = logging.makeLogRecord({"msg": "internal error", "exc_info": sys.exc_info()})

    trace = line_of(record)["error"]

    assert isinstance(trace, list)
    assert [each for each in trace if not each.startswith(" ")] == ["builtins.ValueError", "builtins.RuntimeError"]
    assert any("test_logs.py" in each and each.endswith("fail") for each in trace)
    assert SECRET not in json.dumps(trace)
