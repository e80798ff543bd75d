"""Tests that the vendor's client and ours agree on whether a job has ended, and on its frames."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
from tests.interop.jobs.test_jobs import job, layered_job

MAX_STEPS, SECONDS = 400, 10

JOBS = {
    "plain": ({}, job()),
    "layered": ({}, layered_job("beauty", "shadow")),
    "tiles": ({}, job(tiles="2")),
    "several frames per machine": ({}, job("1-7[1]", frames_per_task="3")),
    "failed frames": ({"renders": [{"fail_frames": "2"}]}, job()),
    "one failed layer": ({"renders": [{"layer": "shadow", "crashes": 1}]}, layered_job("beauty", "shadow")),
    "preprocessed": ({"renders": [{"passes": ["preprocess"]}]}, job()),
    "broken": ({"renders": [{"crashes": 1}]}, job()),
    "out of funds": ({"account": {"coupon": "0", "balance": "0.1", "credit": "0"}}, job("1-40[1]")),
    "timed out": ({}, job("1-40[1]", task_stop_time="300")),
}


@pytest.mark.parametrize(("scenario", "task_json"), JOBS.values(), ids=JOBS)
def test_clients_agree_at_every_step_of_a_job(customer, client, task_json):
    task_id = customer.render(task_json)
    for _ in range(MAX_STEPS):
        task = client.send(calls.query_task_info([task_id]))[task_id]
        assert task.is_terminal == customer.has_ended(task_id)
        if task.is_terminal:
            break
        customer.farm.advance(SECONDS)
    assert task.is_terminal
    assert list(task.output_folders) == customer.folders(task_id)
    for leaf in task.leaves():
        ours = client.run(flows.list_frames(leaf.id))
        theirs = customer.frames(leaf.id).values()
        assert [(frame.id, frame.name, frame.status_code) for frame in ours] == [
            (frame["id"], frame["frameIndex"], frame["frameStatus"]) for frame in theirs
        ]
        assert sum(frame.cost for frame in ours) == leaf.cost
    assert task.cost == sum(leaf.cost for leaf in task.leaves())
