"""The blocking client after a fork: Airflow's workers and many libraries fork a process that has threads."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# In a process of its own, so that no fork copies the threads of the tests.
HEAD = """
import gc, json, os, sys, threading
from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import loop_thread
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.settings import Settings

settings = Settings(**json.loads(sys.argv[1]))
PROFILE = calls.query_user_profile()

def child(work):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0

client = Client(settings)
"""
SCRIPTS = {
    "same client": """
client.send(PROFILE)
child(lambda: [client.send(PROFILE) for _ in range(3)])
client.send(PROFILE)
""",
    "client not used before": """
child(lambda: client.send(PROFILE))
client.send(PROFILE)
""",
    "new client": """
client.send(PROFILE)
child(lambda: Client(settings).send(PROFILE))
""",
    "client closed in child": """
client.send(PROFILE)
child(lambda: (client.close(), client.send(PROFILE), client.close()))
client.send(PROFILE)
""",
    "client collected in child": """
client.send(PROFILE)
def work():
    global client
    client = None
    gc.collect()
    Client(settings).send(PROFILE)
child(work)
client.send(PROFILE)
""",
    "child of a child": """
client.send(PROFILE)
child(lambda: (client.send(PROFILE), child(lambda: client.send(PROFILE)), client.send(PROFILE)))
""",
    "batch": """
client.send_all([PROFILE] * 5)
child(lambda: client.send_all([PROFILE] * 20))
client.send_all([PROFILE] * 5)
""",
    "several children at once": """
client.send(PROFILE)
threads = [threading.Thread(target=child, args=[lambda: client.send(PROFILE)]) for _ in range(5)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
client.send(PROFILE)
""",
    "lock held by another thread": """
client.send(PROFILE)
held, done = threading.Event(), threading.Event()
def hold():
    with loop_thread._process.starting:
        held.set()
        done.wait()
threading.Thread(target=hold).start()
held.wait()
child(lambda: client.send(PROFILE))
done.set()
client.send(PROFILE)
""",
    "request in flight": """
client.send(PROFILE)
responses = []
threads = [threading.Thread(target=lambda: responses.append(client.send(PROFILE))) for _ in range(5)]
[thread.start() for thread in threads]
child(lambda: client.send(PROFILE))
[thread.join() for thread in threads]
assert len(responses) == 5
""",
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_client_after_fork_sends(script, settings):
    fields = {name: getattr(settings, name) for name in ("domain", "access_id", "access_key", "protocol")}
    done = subprocess.run(
        [sys.executable, "-c", HEAD + script, json.dumps(fields)],
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
