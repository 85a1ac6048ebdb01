import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from imagemusic.errors import ConfigError, DataError
from imagemusic.executors import executor_named, run_here, run_processes, run_ray

ROOT = Path(__file__).parents[1]


def square(number):
    return number * number


def fail(number):
    raise DataError(f"job {number}: broken")


def die(number):
    os._exit(1)


def process(number):
    return os.getpid()


def test_one_worker_is_this_process():
    assert set(run_processes(process, range(3), 1)) == {os.getpid()}


def test_an_executor_without_processes_works_here_in_order_and_only_as_results_are_taken():
    done = []
    results = run_here(lambda number: done.append(number) or square(number), range(3), 4)
    assert (next(results), done) == (0, [0])
    assert list(results) == [1, 4]


def test_processes_do_every_job_once():
    assert sorted(run_processes(square, range(20), 2)) == [number * number for number in range(20)]


def test_what_a_job_raises_is_raised_here():
    with pytest.raises(DataError, match=r"job \d: broken"):
        list(run_processes(fail, range(5), 2))


def test_a_worker_that_dies_is_one_line():
    with pytest.raises(DataError, match="a worker process died, perhaps for lack of memory; run again with fewer"):
        list(run_processes(die, range(2), 2))


def test_no_job_is_no_result():
    assert list(run_processes(square, [], 2)) == []


def test_a_ray_cluster_of_two_workers_does_every_job_once_and_stops():
    pytest.importorskip("ray")
    code = """
import os, ray
from imagemusic.executors import run_ray
from tests.test_executors import process
print(os.getpid(), *run_ray(process, range(12), 2))
assert not ray.is_initialized()
"""
    # In a process of its own: Ray leaves it to the end of the process to tidy up after itself.
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, cwd=ROOT
    )
    assert finished.returncode == 0, finished.stderr
    mine, *theirs = finished.stdout.split()
    assert len(theirs) == 12
    assert mine not in theirs


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_ray_cluster_that_cannot_be_reached_is_given_up_at_once(monkeypatch, scheme):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"{scheme}127.0.0.1:{port}")
    with pytest.raises(DataError, match=rf"{scheme}127.0.0.1:{port}: cannot be reached .Connection refused"):
        list(run_ray(square, [1], 1))
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:99999")
    with pytest.raises(DataError, match="127.0.0.1:99999: cannot be reached"):
        list(run_ray(square, [1], 1))


def test_an_unknown_executor_is_refused():
    with pytest.raises(ConfigError, match="unknown executor 'spark'; choose from here, processes, ray"):
        executor_named("spark", 2)


def test_no_worker_is_refused():
    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        executor_named("processes", 0)
