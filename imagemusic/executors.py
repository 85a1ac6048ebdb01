"""Run independent jobs: in this process, in processes of this machine, or on a Ray cluster.

    jobs ──> at most a few in flight ──> results, as they are done

A job is a small value and its result another: a job writes large results to files itself, so that the memory of the
calling process does not grow with the number of jobs.  On a cluster every machine must see the same folders.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol, TypeVar

from imagemusic.errors import ConfigError, DataError, DependencyError

Job = TypeVar("Job")
Result = TypeVar("Result")

Progress = Callable[[float, str], None]  # share done in 0..1, and what is being done

IN_FLIGHT = 3  # jobs a worker, so that none waits for the next
REACH_SECONDS = 10  # for a connection to a Ray cluster


class Executor(Protocol):
    """Yields function(job) for each job, in any order."""

    def __call__(self, function: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]: ...


def run_here(function: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]:
    """Work in this process, one job after the other, whatever the number of workers."""
    yield from map(function, jobs)


def run_processes(function: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]:
    """Work in processes of this machine; a single worker is this process itself.

    Raises:
        DataError: a worker died.
    """
    from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    if workers == 1:
        yield from run_here(function, jobs, workers)
        return
    jobs = iter(jobs)
    # Not forked: the parent may hold threads, whose locks a forked child would wait for.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: set[Future[Result]] = {pool.submit(function, job) for job in islice(jobs, workers * IN_FLIGHT)}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                waiting |= {pool.submit(function, job) for job in islice(jobs, len(done))}
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a worker process died, perhaps for lack of memory; run again with fewer workers"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _check_reachable(address: str) -> None:
    """Check that something listens at HOST:PORT or ray://HOST:PORT; Ray itself would try for many minutes.

    Raises:
        DataError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():  # "auto", "local"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"Ray cluster {address}: cannot be reached ({reason})") from error


def run_ray(function: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]:
    """Work on the cluster that RAY_ADDRESS names, or on one of `workers` processes started here and stopped after.

    Raises:
        DependencyError: Ray is not installed.
        DataError: the cluster cannot be reached or lost a worker.
    """
    import logging

    address = os.environ.get("RAY_ADDRESS")
    if address:
        _check_reachable(address)
        # Ray reads it when imported: one try of 40 s at something that is no cluster, instead of 20.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    try:
        import ray
        from ray.exceptions import RayError
    except ModuleNotFoundError as error:
        raise DependencyError("the executor 'ray' is not installed; run: pip install 'imagemusic[cluster]'") from error
    local: dict[str, Any] = {} if address else {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **local)
    except Exception as error:  # Ray raises just that when a node does not start in time
        raise DataError(f"Ray cluster {address or 'on this machine'}: {str(error).splitlines()[0]}") from error
    try:
        task, jobs = ray.remote(num_cpus=1)(function), iter(jobs)
        waiting = [task.remote(job) for job in islice(jobs, workers * IN_FLIGHT)]
        while waiting:
            done, waiting = ray.wait(waiting)
            waiting += [task.remote(job) for job in islice(jobs, len(done))]
            yield from ray.get(done)
    except RayError as error:
        raise DataError(f"Ray: a job failed ({str(error).splitlines()[-1].strip()})") from error
    finally:
        ray.shutdown()


EXECUTORS: dict[str, Executor] = {"here": run_here, "processes": run_processes, "ray": run_ray}


def executor_named(name: str, workers: int) -> Executor:
    """Return the executor of a name.

    Raises:
        ConfigError: there is no such executor, or no worker.
    """
    if name not in EXECUTORS:
        raise ConfigError(f"unknown executor {name!r}; choose from {', '.join(EXECUTORS)}")
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}")
    return EXECUTORS[name]
