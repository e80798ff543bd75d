from __future__ import annotations

import pytest

from tests.farm.caller import Caller


@pytest.fixture
def caller(farm):
    return Caller(farm)
