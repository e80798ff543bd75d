"""The vendor's client would log signed headers and keys; as a witness it is silent."""

from __future__ import annotations

import pytest

from tests.interop.recorder import ACCESS_ID, ACCESS_KEY
from tests.interop.vendor import Vendor, VendorError


def test_nothing_of_it_is_printed(vendor_python, recorder, tmp_path, capfd):
    account = {"access_id": ACCESS_ID, "access_key": ACCESS_KEY, "protocol": "http"}
    with Vendor(vendor_python, tmp_path) as vendor:
        vendor.ask("log_in", **account, domain=recorder.address)
        vendor.ask("task.create_task")
        with pytest.raises(VendorError) as failed:
            vendor.ask("log_in", **account, domain="127.0.0.1:1")
    told = "".join(capfd.readouterr()) + str(failed.value)
    silent = ACCESS_KEY not in told and "signature" not in told
    assert silent
    assert list(tmp_path.rglob("*")) == []
