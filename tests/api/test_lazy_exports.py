import subprocess
import sys

import pytest

from airflow_provider_renderbus.api import calls


def test_package_exports_names_of_its_modules_and_no_other():
    assert all(getattr(calls, name).__module__.startswith(f"{calls.__name__}.") for name in calls.__all__)
    with pytest.raises(AttributeError, match=r"has no attribute 'submit_tusk'"):
        _ = calls.submit_tusk


def test_package_loads_no_module_before_a_name_is_used():
    program = """if True:
        import sys
        from airflow_provider_renderbus.api import calls
        def loaded():
            prefixes = calls.__name__ + ".", "airflow_provider_renderbus.api.models."
            return {name for name in sys.modules if name.startswith(prefixes)}
        assert not loaded(), loaded()
        assert calls.submit_task
        assert calls.__name__ + ".tasks" in loaded()
    """
    subprocess.run([sys.executable, "-c", program], check=True)
