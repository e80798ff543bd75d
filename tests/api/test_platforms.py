import pytest

from airflow_provider_renderbus.api.platforms import PLATFORMS, parse_platform


def test_parse_platform_accepts_id_and_short_name():
    assert [parse_platform("platform", value) for value in (2, "62", " w3 ", "GPU")] == [2, 62, 62, 21]


@pytest.mark.parametrize("value", [0, -2, "W9", "", True, None, 2.0])
def test_parse_platform_with_invalid_value_lists_short_names(value):
    with pytest.raises(ValueError, match=f"^platform: .*{', '.join(PLATFORMS)}"):
        parse_platform("platform", value)
