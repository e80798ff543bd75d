"""The argument list of the command, and the storage endpoints in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_renderbus.api.models.account import read_user_profile
from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.api.models.transfer import read_transfer_bids, read_transfer_config
from airflow_provider_renderbus.transfer import endpoints
from airflow_provider_renderbus.transfer.command import TransferArguments
from airflow_provider_renderbus.transfer.errors import TransferSetupError
from tests.transfer.conftest import ENDPOINT


def options(arguments):
    words = arguments.argv()
    return dict(zip(words[::2], words[1::2], strict=True))


def test_arguments_of_upload_equal_those_of_the_vendors_client():
    arguments = TransferArguments(
        "upload_json", ENDPOINT, Path('/tmp/it\'s "here" 纹理/upload.json'), "/", Path("/r/resume.ini")
    )
    assert options(arguments) == {
        "-E": "aspera",
        "-H": "127.0.0.1",
        "-P": "8899",
        "-S": "10201",
        "-U": "100001",
        "-T": "upload_json",
        "-L": '/tmp/it\'s "here" 纹理/upload.json',
        "-R": "/",
        "-r": "2",
        "-K": "false",
        "-s": "1048576",
        "-C": "/r/resume.ini",
    }


@pytest.mark.parametrize("kind", ["download_path", "download_list"])
def test_arguments_of_download_keep_folders(kind):
    arguments = TransferArguments(kind, ENDPOINT, Path("/frames"), "18280_scene", speed_limit_kb_per_s=500)
    values = options(arguments)
    assert (values["-T"], values["-L"], values["-R"]) == (kind, "/frames", "18280_scene")
    assert (values["-K"], values["-C"], values["-s"]) == ("true", "None", "500")


def line(name, *, default=0, server="10.0.0.1"):
    return {"name": name, "server": server, "port": "10221", "isDefault": default}


def config(*engines):
    return read_transfer_config(
        {
            "resqEngines": [
                {"engineName": name, "respTaskEngineLines": list(lines), "resqEngineAccounts": None, **more}
                for name, more, lines in engines
            ]
        }
    )


class TestSelectLine:
    CONFIG = config(
        ("Raysync", {"isDefault": 1}, [line("CTCC", default=1, server="10.9.9.9")]),
        ("Aspera", {"isDefault": 0}, [line("CMCC"), line("CTCC", default=1, server="10.0.0.2")]),
    )

    def test_select_line_without_name_returns_the_default_of_aspera(self):
        assert endpoints.select_line(self.CONFIG).server == "10.0.0.2"

    def test_select_line_by_name_returns_it(self):
        assert endpoints.select_line(self.CONFIG, "CMCC").name == "CMCC"

    @pytest.mark.parametrize("name", [None, "CTCC"])
    def test_select_line_missing_line_is_rejected(self, name):
        with pytest.raises(TransferSetupError, match="its lines are: 'CMCC'"):
            endpoints.select_line(config(("ASPERA", {}, [line("CMCC")])), name)

    def test_select_line_without_aspera_is_rejected(self):
        with pytest.raises(TransferSetupError, match="its lines are: none"):
            endpoints.select_line(config(("Raysync", {}, [line("CTCC", default=1)])))


class TestEndpoints:
    LINE = endpoints.select_line(TestSelectLine.CONFIG)
    PROFILE = read_user_profile({"userId": 100009, "mainUserId": 100001})
    BIDS = read_transfer_bids(
        {
            "config_bid": "30201",
            "input_bid": "10209",
            "output_bid": "20201",
            "parent_input_bid": "10201",
            "sub_user_output_bids": [{"userId": 100077, "outputBid": "20277"}],
        }
    )

    def output_ids(self, **leaf):
        leaf = read_task({"id": 18280, "taskStatus": 25, **leaf})
        endpoint = endpoints.output_endpoint(self.LINE, self.PROFILE, self.BIDS, leaf)
        return endpoint.storage_id, endpoint.user_id

    def test_input_endpoint_of_account_has_its_storage(self):
        endpoint = endpoints.input_endpoint(self.LINE, self.PROFILE, self.BIDS, main_account=False)
        assert endpoint == endpoints.StorageEndpoint("10.0.0.2", "10221", "10209", "100009")

    def test_input_endpoint_of_main_account_has_its_storage_and_user(self):
        endpoint = endpoints.input_endpoint(self.LINE, self.PROFILE, self.BIDS, main_account=True)
        assert (endpoint.storage_id, endpoint.user_id) == ("10201", "100001")

    def test_input_endpoint_unknown_main_account_is_rejected(self):
        with pytest.raises(TransferSetupError, match="of the main account"):
            endpoints.input_endpoint(
                self.LINE, read_user_profile({"userId": 1}), self.BIDS, main_account=True
            )

    def test_output_endpoint_of_leaf_has_its_storage_and_user(self):
        assert self.output_ids(bid="20255", userId=100055) == ("20255", "100055")

    def test_output_endpoint_of_sub_account_has_its_storage(self):
        assert self.output_ids(userId=100077) == ("20277", "100077")

    def test_output_endpoint_of_leaf_without_storage_has_that_of_the_account(self):
        assert self.output_ids() == ("20201", "100009")

    @pytest.mark.parametrize(
        "bad", [{"server": "-C"}, {"server": "a b"}, {"port": "$(x)"}, {"storage_id": "--"}, {"user_id": ""}]
    )
    def test_endpoint_with_invalid_value_is_rejected(self, bad):
        with pytest.raises(TransferSetupError, match="The farm returned an invalid"):
            endpoints.StorageEndpoint(**{"server": "h", "port": "1", "storage_id": "2", "user_id": "3"} | bad)
