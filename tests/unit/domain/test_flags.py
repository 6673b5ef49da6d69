import pytest

from consentline.domain.errors import StateError
from consentline.domain.flags import FlagStatus, RetrainingFlag, check_acknowledgement
from tests.unit.domain.factories import NOW, RECORDED


def flag(status: FlagStatus) -> RetrainingFlag:
    return RetrainingFlag("uid", "m:1", status, None, RECORDED, NOW, None, None)


@pytest.mark.parametrize("status", [FlagStatus.OPEN, FlagStatus.ACKNOWLEDGED])
def test_an_open_flag_is_acknowledged_once_or_again(status: FlagStatus) -> None:
    check_acknowledgement(flag(status))


@pytest.mark.parametrize("status", [FlagStatus.SCHEDULED, FlagStatus.RESOLVED])
def test_a_flag_that_is_further_on_is_not_acknowledged(status: FlagStatus) -> None:
    with pytest.raises(StateError) as raised:
        check_acknowledgement(flag(status))

    assert raised.value.code == "FLAG_WRONG_STATE"
    assert raised.value.path == ("flag",)
    assert str(status) in raised.value.message
