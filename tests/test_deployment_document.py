"""The settings of docs/deployment.md exist in Airflow."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from airflow.configuration import conf

from tests.airflow_version import LINE

DOCUMENT = (Path(__file__).parents[1] / "docs" / "deployment.md").read_text("utf-8")
# Those of the Celery provider, which the tests do not install.
CELERY = {"celery", "celery_broker_transport_options"}


@pytest.mark.skipif(LINE < (3, 3), reason="the document has the settings of the newest line")
def test_document_settings_exist_in_airflow():
    settings = ConfigParser(comment_prefixes="#")
    settings.read_string(re.search(r"```ini\n(\[core\].*?)```", DOCUMENT, re.DOTALL)[1])
    assert {"core", "celery", "scheduler", "triggerer"} <= set(settings.sections())
    for section in set(settings.sections()) - CELERY:
        assert set(settings.options(section)) <= set(conf.configuration_description[section]["options"])


@pytest.mark.skipif(LINE < (3, 3), reason="the document has the settings of the newest line")
def test_document_defaults_are_those_of_airflow():
    named = re.findall(r"`\[(\w+)\] (\w+)`(?: \(([\d,]+)(?: s)?\))", DOCUMENT)
    known = [(section, name, value) for section, name, value in named if section not in CELERY]
    assert {name for _, name, _ in known} >= {"task_queued_timeout", "max_map_length", "capacity"}
    for section, name, value in known:
        default = conf.configuration_description[section]["options"][name]["default"]
        assert float(default) == float(value.replace(",", "")), name
