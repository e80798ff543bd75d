"""The argument list, and where its values come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_renderbus.api.models.account import read_user_profile
from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.api.models.transfer import read_transfer_bids, read_transfer_config
from airflow_provider_renderbus.transfer import endpoints as routes
from airflow_provider_renderbus.transfer.command import TransferArguments
from airflow_provider_renderbus.transfer.errors import TransferSetupError
from tests.transfer.conftest import ROUTE


def pairs(order):
    words = order.argv()
    return dict(zip(words[::2], words[1::2], strict=True))


def test_assets_are_sent_as_the_vendors_client_does():
    order = TransferArguments(
        "upload_json", ROUTE, Path('/tmp/it\'s "here" 纹理/upload.json'), "/", Path("/r/resume.ini")
    )
    assert pairs(order) == {
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
def test_frames_are_fetched_with_their_folders(kind):
    order = TransferArguments(kind, ROUTE, Path("/frames"), "18280_scene", speed_limit_kb_per_s=500)
    found = pairs(order)
    assert (found["-T"], found["-L"], found["-R"]) == (kind, "/frames", "18280_scene")
    assert (found["-K"], found["-C"], found["-s"]) == ("true", "None", "500")


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


class TestLines:
    CONFIG = config(
        ("Raysync", {"isDefault": 1}, [line("CTCC", default=1, server="10.9.9.9")]),
        ("Aspera", {"isDefault": 0}, [line("CMCC"), line("CTCC", default=1, server="10.0.0.2")]),
    )

    def test_the_default_line_of_the_engine_that_is_called_aspera(self):
        assert routes.select_line(self.CONFIG).server == "10.0.0.2"

    def test_a_line_by_its_name(self):
        assert routes.select_line(self.CONFIG, "CMCC").name == "CMCC"

    @pytest.mark.parametrize("name", [None, "CTCC"])
    def test_a_line_that_there_is_not(self, name):
        with pytest.raises(TransferSetupError, match="its lines are: 'CMCC'"):
            routes.select_line(config(("ASPERA", {}, [line("CMCC")])), name)

    def test_no_engine(self):
        with pytest.raises(TransferSetupError, match="its lines are: none"):
            routes.select_line(config(("Raysync", {}, [line("CTCC", default=1)])))


class TestStorages:
    LINE = routes.select_line(TestLines.CONFIG)
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

    def output(self, **leaf):
        leaf = read_task({"id": 18280, "taskStatus": 25, **leaf})
        route = routes.output_endpoint(self.LINE, self.PROFILE, self.BIDS, leaf)
        return route.storage_id, route.user_id

    def test_an_accounts_own_scenes(self):
        route = routes.input_endpoint(self.LINE, self.PROFILE, self.BIDS, main_account=False)
        assert route == routes.StorageEndpoint("10.0.0.2", "10221", "10209", "100009")

    def test_scenes_that_go_to_the_main_account(self):
        route = routes.input_endpoint(self.LINE, self.PROFILE, self.BIDS, main_account=True)
        assert (route.storage_id, route.user_id) == ("10201", "100001")

    def test_a_main_account_that_is_not_told(self):
        with pytest.raises(TransferSetupError, match="main account's storage"):
            routes.input_endpoint(self.LINE, read_user_profile({"userId": 1}), self.BIDS, main_account=True)

    def test_frames_lie_where_the_leaf_says(self):
        assert self.output(bid="20255", userId=100055) == ("20255", "100055")

    def test_frames_of_a_sub_account(self):
        assert self.output(userId=100077) == ("20277", "100077")

    def test_frames_of_a_leaf_that_says_nothing(self):
        assert self.output() == ("20201", "100009")

    @pytest.mark.parametrize(
        "bad", [{"server": "-C"}, {"server": "a b"}, {"port": "$(x)"}, {"storage_id": "--"}, {"user_id": ""}]
    )
    def test_what_could_be_taken_for_something_else_becomes_no_argument(self, bad):
        with pytest.raises(TransferSetupError, match="The farm tells"):
            routes.StorageEndpoint(**{"server": "h", "port": "1", "storage_id": "2", "user_id": "3"} | bad)
