"""Tests that the driver of the vendor's client, which would log keys and signatures, prints nothing."""

from __future__ import annotations

import pytest

from tests.interop.recorder import ACCESS_ID, ACCESS_KEY
from tests.interop.vendor import Vendor, VendorError


def test_vendor_client_prints_and_writes_nothing(vendor_python, recorder, tmp_path, capfd):
    account = {"access_id": ACCESS_ID, "access_key": ACCESS_KEY, "protocol": "http"}
    with Vendor(vendor_python, tmp_path) as vendor:
        vendor.call("log_in", **account, domain=recorder.address)
        vendor.call("task.create_task")
        with pytest.raises(VendorError) as raised:
            vendor.call("log_in", **account, domain="127.0.0.1:1")
    output = "".join(capfd.readouterr()) + str(raised.value)
    is_clean = ACCESS_KEY not in output and "signature" not in output
    assert is_clean
    assert list(tmp_path.rglob("*")) == []
