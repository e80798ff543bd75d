import subprocess
import sys

import pytest

from airflow_provider_renderbus.api import calls, models


@pytest.mark.parametrize("package", [calls, models], ids=["calls", "models"])
def test_package_exports_names_of_its_modules_and_no_other(package):
    assert all(
        getattr(package, name).__module__.startswith(f"{package.__name__}.") for name in package.__all__
    )
    with pytest.raises(AttributeError, match=r"has no attribute 'submit_tusk'"):
        _ = package.submit_tusk


def test_package_loads_no_module_before_a_name_is_used():
    program = """if True:
        import sys
        from airflow_provider_renderbus.api import calls, models
        def loaded():
            packages = (calls.__name__ + ".", models.__name__ + ".")
            return {name for name in sys.modules if name.startswith(packages)}
        assert not loaded(), loaded()
        assert calls.submit_task
        assert models.__name__ + ".tasks" in loaded()
    """
    subprocess.run([sys.executable, "-c", program], check=True)
