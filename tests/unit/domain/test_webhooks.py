import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.access import Role
from consentline.domain.errors import InvalidInputError
from consentline.domain.events import OF_DATA, OF_ERASURES, OF_FLAGS, OF_OBJECTIONS, Event, EventKind
from consentline.domain.pseudonyms import Pseudonyms
from consentline.domain.webhooks import (
    Schedule,
    Webhook,
    WebhookStatus,
    check_kinds,
    check_url,
    key_check,
    signing_secret,
)

PSEUDONYMS = Pseudonyms(b"a secret of thirty-two bytes or more")
DAY = 86_400


def webhook(role: Role = Role.COMPLIANCE, kinds: tuple[EventKind, ...] = tuple(EventKind), **more: str) -> Webhook:
    return Webhook(
        uid="wh_1",
        key="hook",
        url="https://hooks.example/",
        role=role,
        kinds=kinds,
        model=more.get("model"),
        status=WebhookStatus.ACTIVE,
        registered_at=0,
        disabled_at=None,
        position=0,
        key_check="",
    )


# ---- what it is told of ---------------------------------------------------------------------------------------------


def event(kind: EventKind, model: str | None = None, to: str | None = None) -> Event:
    return Event("evt_1", 1, kind, 0, "lane", {}, model=model, webhook=to)


def test_every_kind_of_event_is_about_one_kind_of_thing() -> None:
    kinds = (OF_FLAGS, OF_OBJECTIONS, OF_ERASURES, OF_DATA)
    assert {kind for each in kinds for kind in each} == set(EventKind)
    assert sum(map(len, kinds)) == len(EventKind)


def test_machine_learning_is_told_of_flags_only_whatever_is_recorded_of_it() -> None:
    assert {kind for kind in EventKind if webhook(Role.ML).wants(event(kind, "m:1"))} == OF_FLAGS


@pytest.mark.parametrize("role", [Role.COMPLIANCE, Role.SERVICE, Role.AUDITOR, Role.ADMIN])
def test_roles_that_may_read_people_are_told_of_objections(role: Role) -> None:
    assert webhook(role).wants(event(EventKind.OBJECTION_FILED, None))


def test_kinds_and_model_version_narrow_what_it_is_told_of() -> None:
    narrow = webhook(kinds=(EventKind.FLAG_RAISED,), model="m:1")

    assert narrow.wants(event(EventKind.FLAG_RAISED, "m:1"))
    assert not narrow.wants(event(EventKind.FLAG_RESOLVED, "m:1"))
    assert not narrow.wants(event(EventKind.FLAG_RAISED, "m:2"))
    assert not webhook(model="m:1").wants(event(EventKind.OBJECTION_FILED, None))


def test_no_kind_named_means_all_that_the_role_may_see() -> None:
    assert set(check_kinds(Role.ML, ())) == OF_FLAGS
    assert check_kinds(Role.COMPLIANCE, ()) == tuple(kind for kind in EventKind if kind not in OF_DATA)
    named = (EventKind.FLAG_RESOLVED, EventKind.FLAG_RAISED, EventKind.FLAG_RESOLVED)
    assert check_kinds(Role.ML, named) == (EventKind.FLAG_RAISED, EventKind.FLAG_RESOLVED)


def test_a_kind_that_the_role_may_not_see_is_refused() -> None:
    with pytest.raises(InvalidInputError) as raised:
        check_kinds(Role.ML, (EventKind.FLAG_RAISED, EventKind.OBJECTION_UPHELD))

    assert (raised.value.code, raised.value.path) == ("EVENT_NOT_VISIBLE", ("kinds",))
    assert raised.value.message == "the role ml may not be told of OBJECTION_UPHELD"


# ---- when it is tried again -----------------------------------------------------------------------------------------


def test_each_pause_is_four_times_as_long_and_a_day_at_most() -> None:
    pauses = [Schedule().delay(attempt, 1.0) for attempt in range(1, 11)]

    assert pauses == [5, 20, 80, 320, 1280, 5120, 20_480, 81_920, DAY, None]


def test_what_failed_together_is_not_tried_together() -> None:
    assert [Schedule().delay(2, jitter) for jitter in (0.0, 0.5, 1.0)] == [10, 15, 20]


def test_a_receiver_may_ask_for_more_time_and_not_for_less_nor_for_more_than_a_day() -> None:
    assert Schedule().delay(1, 1.0, asked=60) == 60
    assert Schedule().delay(2, 1.0, asked=1) == 20
    assert Schedule().delay(1, 1.0, asked=10 * DAY) == DAY


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_a_pause_is_never_longer_than_a_day(attempt: int, jitter: float, asked: float | None) -> None:
    pause = Schedule(attempts=20_000).delay(attempt, jitter, asked)

    assert pause is not None
    assert 0 <= pause <= DAY


# ---- where it is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/consentline?team=1",
        "https://hooks.example:8443/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
    ],
)
def test_a_public_https_url_may_be_sent_to(url: str) -> None:
    check_url(url, allow_private=False)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://hooks.example/", "does not begin with https://"),
        ("ftp://hooks.example/", "does not begin with https://"),
        ("hooks.example", "does not begin with https://"),
        ("https:///path", "names no host"),
        ("https://hooks.example:0/", "names no host"),
        ("https://user:secret@hooks.example/", "holds a user, a password or a fragment"),
        ("https://hooks.example/#part", "holds a user, a password or a fragment"),
        ("https://hooks.example/a b", "characters"),
        ("https://hooks.example/\n", "characters"),
        ("https://bücher.example/", "characters"),
        (f"https://hooks.example/{'x' * 2048}", "characters"),
        ("https://127.0.0.1/", "public internet"),
        ("https://[::1]/", "public internet"),
        ("https://169.254.169.254/latest/meta-data", "public internet"),
        ("https://[::ffff:10.0.0.1]/", "public internet"),
        ("https://[::1/", "is no URL"),
        ("https://hooks.example:port/", "is no URL"),
    ],
)
def test_another_url_is_refused_without_repeating_it(url: str, told: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        check_url(url, allow_private=False)

    assert (raised.value.code, raised.value.path) == ("WEBHOOK_URL", ("url",))
    assert told in raised.value.message
    assert "secret" not in raised.value.message


def test_a_setting_allows_loopback_and_plain_http() -> None:
    check_url("http://127.0.0.1:9000/hook", allow_private=True)
    with pytest.raises(InvalidInputError):
        check_url("file:///etc/passwd", allow_private=True)


# ---- its secret -----------------------------------------------------------------------------------------------------


def test_a_secret_is_32_bytes_in_the_form_of_the_specification_and_each_webhooks_own() -> None:
    secret = signing_secret(PSEUDONYMS, "wh_1")

    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert secret == signing_secret(PSEUDONYMS, "wh_1")
    assert secret != signing_secret(PSEUDONYMS, "wh_2")
    assert secret != signing_secret(Pseudonyms(b"another secret of thirty-two bytes"), "wh_1")


def test_the_check_tells_secrets_apart_and_is_no_part_of_them() -> None:
    check = key_check(PSEUDONYMS, "wh_1")

    assert check != key_check(PSEUDONYMS, "wh_2")
    assert check != key_check(Pseudonyms(b"another secret of thirty-two bytes"), "wh_1")
    assert bytes.fromhex(check) not in base64.b64decode(signing_secret(PSEUDONYMS, "wh_1")[6:])


def test_a_notice_to_a_recipient_goes_to_its_webhook_whatever_that_is_told_else_and_to_no_other() -> None:
    for kind in OF_DATA:
        narrow = webhook(kinds=(EventKind.FLAG_RAISED,))
        assert narrow.wants(event(kind, to=narrow.key))
        assert not webhook(kinds=tuple(EventKind)).wants(event(kind, to="another"))
        assert not webhook(kinds=tuple(EventKind)).wants(event(kind))
    assert not set(check_kinds(Role.ADMIN, ())) & OF_DATA
    assert check_kinds(Role.ML, (EventKind.DATA_ERASED,)) == (EventKind.DATA_ERASED,)
