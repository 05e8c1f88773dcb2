"""Settings of an installation laid over a target's retry policy: read whole at the start, or refused."""

import pytest

from gateway.errors import ConfigurationError
from gateway.wiring import _retry


def test_a_retry_policy_is_written_as_in_target_yaml_or_in_seconds() -> None:
    assert _retry("t", {"delays": ["30s", "10m"], "give_up_after": "P3D"}).delays == (30.0, 600.0)
    assert _retry("t", {"delays": [0.4], "give_up_after": 1.5}).give_up_after == 1.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"delays": ["abc"]},
        {"give_up_after": "3d"},
        {"parallel": 0},
        {"dellays": [1]},
        [1],
        {"delays": []},
        {"parallel": "x"},
    ],
)
def test_a_wrong_one_is_refused_at_the_start_and_names_the_target(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"targets\.t\.retry"):
        _retry("t", wrong)
