import subprocess
import sys

import pytest

from airflow_provider_renderbus.api import calls, models


@pytest.mark.parametrize("package", [calls, models], ids=["calls", "models"])
def test_every_name_is_there_and_no_other(package):
    assert all(
        getattr(package, name).__module__.startswith(f"{package.__name__}.") for name in package.__all__
    )
    with pytest.raises(AttributeError, match=r"has no attribute 'submit_tusk'"):
        _ = package.submit_tusk


def test_nothing_is_loaded_before_its_first_use():
    program = """if True:
        import sys
        from airflow_provider_renderbus.api import calls, models
        def loaded():
            rooms = (calls.__name__ + ".", models.__name__ + ".")
            return {name for name in sys.modules if name.startswith(rooms)}
        assert not loaded(), loaded()
        assert calls.submit_task
        assert models.__name__ + ".tasks" in loaded()
    """
    subprocess.run([sys.executable, "-c", program], check=True)
