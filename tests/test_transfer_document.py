"""docs/transfers.md agrees with the code: its snippet runs, and its settings are the provider's."""

import re
from pathlib import Path

from airflow_provider_renderbus.compat import DAG
from airflow_provider_renderbus.get_provider_info import get_provider_info
from airflow_provider_renderbus.transfer import command
from tests.airflow_version import adapt_to_line

DOCUMENT = (Path(__file__).parents[1] / "docs/transfers.md").read_text("utf-8")


def test_document_snippet_is_a_dag_of_two_tasks():
    (snippet,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    names = {"__name__": "document"}
    exec(adapt_to_line(snippet).replace("\nupload_and_download()", "\nparsed = upload_and_download()"), names)
    assert isinstance(names["parsed"], DAG)
    assert list(names["parsed"].task_dict) == ["upload", "download"]


def test_document_table_has_all_settings_of_transfers():
    options = get_provider_info()["config"]["renderbus"]["options"]
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.+) \|$", DOCUMENT, re.MULTILINE)
    assert [name for name, _ in rows] == [name for name in options if name.startswith("transfer_")]
    assert dict(rows)["transfer_stall_timeout"] == options["transfer_stall_timeout"]["default"]


def test_document_and_error_message_have_the_same_install_instructions():
    for part in ("rayvision-sync==3.1.8", "rayvision_sync/transmission/linux", "aspera/ascp"):
        assert part in DOCUMENT
        assert part in command._INSTALL_HINT
