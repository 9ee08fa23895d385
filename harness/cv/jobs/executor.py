"""Run jobs in this process or side by side in worker processes; one that fails stops the others, and all is kept."""

from __future__ import annotations

import itertools
import multiprocessing
import queue
import signal
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.process import keep_sockets_short, start_without_main
from harness.base.python import registered
from harness.base.storage.atomic_files import explain_disk_errors
from harness.base.untrusted_text import counted

# What the workers share instead of importing it each.
_PRELOADED = ["torch", "harness.cv.jobs.fold_job", "harness.train.fit", "harness.train.prediction.predict"]

Progress = Callable[..., None]
"""As `LineWatcher.progress`: fold, done, total, and where an epoch has ended its numbers."""

Job = Callable[[Progress], None]


def run_jobs(jobs: Sequence[Job], workers: int, progress: Progress, lanes: Sequence[str] | None = None) -> None:
    """Call every job with `progress`; `workers` at a time, each in a process of its own, or all in this one.

    Jobs start in order. `lanes` names each job's device: a worker stays with one, so that two jobs never share a GPU
    while another is idle; without it any worker takes any job. With one worker everything happens in this process.
    Workers are forked from a server that has torch imported but has never computed, so they start at once and share its
    pages; torch's threads and CUDA would not survive a fork of this process.

    Raises
    ------
    UserError
        As a job raised it, or if a worker was killed (most often for memory).
    RuntimeError
        With the worker's traceback, if a job failed otherwise.
    """
    if workers == 1:
        for job in jobs:
            job(progress)
        return
    context = _context()
    events, queues = context.Queue(), _queues(context, jobs, lanes or [""] * len(jobs), workers)
    own = registered.packed()
    crew = [context.Process(target=_work, args=(queue, events, own), daemon=True) for queue in queues]
    try:
        for process in crew:
            start_without_main(process)
        _follow(len(jobs), crew, events, progress)
    finally:
        _stop_workers(crew, [events, *queues])


def _stop_workers(crew: list[Any], queues: list[Any]) -> None:
    """End all workers now; what still stands in a queue is dropped, so that our own exit does not wait for a reader."""
    begun = [process for process in crew if process.pid is not None]  # Ctrl-C may come while one is being started
    for process in begun:
        process.kill()
    for process in begun:
        process.join()
    for waiting in queues:
        waiting.cancel_join_thread()


def _queues(context: Any, jobs: Sequence[Job], lanes: Sequence[str], workers: int) -> list[Any]:
    """For each worker the queue it takes its jobs from; every queue ends with a None for each of its workers."""
    of_lane = {lane: context.Queue() for lane in dict.fromkeys(lanes)}
    for job, lane in zip(jobs, lanes, strict=True):
        of_lane[lane].put(job)
    crew = list(itertools.islice(itertools.cycle(of_lane.values()), max(min(workers, len(jobs)), len(of_lane))))
    for waiting in crew:
        waiting.put(None)
    return crew


def start_server(with_timm: bool = False) -> None:
    """Let the server that workers are forked from import torch while this process still reads the data.

    with_timm : timm too: each worker that builds one of its networks would take two seconds to import it
    """
    if "forkserver" in multiprocessing.get_all_start_methods():
        _context(["timm"] if with_timm else [])
        forkserver.ensure_running()


def _context(also: Sequence[str] = ()) -> Any:
    if "forkserver" not in multiprocessing.get_all_start_methods():  # Windows
        return multiprocessing.get_context("spawn")
    keep_sockets_short()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_PRELOADED, *also])
    return context


def _follow(n_jobs: int, crew: list[Any], events: Any, progress: Progress) -> None:
    """Pass progress on until every job has ended well."""
    ended = 0
    while ended < n_jobs:
        _check_alive(crew, n_jobs - ended)
        try:
            kind, *said = events.get(timeout=0.5)
        except queue.Empty:
            continue
        if kind == "progress":
            progress(*said)
        elif kind == "mistake":
            raise UserError(said[0])
        elif kind == "fault":
            raise RuntimeError(f"a worker failed:\n{said[0]}")
        else:
            ended += 1


def _check_alive(crew: list[Any], left: int) -> None:
    dead = [p.exitcode for p in crew if p.exitcode not in (None, 0)]
    if dead:
        reason = f"by signal {signal.Signals(-dead[0]).name}" if dead[0] < 0 else f"with exit code {dead[0]}"
        raise UserError(
            f"a worker process ended {reason}; {counted(left, 'fold')} {'is' if left == 1 else 'are'} not done. If it was out of memory, take --workers 1 or a "
            "smaller batch. Finished folds are kept: run the same command again with --resume."
        )


def _work(waiting: Any, events: Any, own: bytes) -> None:
    """A worker's life: take a job, do it, tell; end when told, or when the parent is gone.

    own : what the parent's script registered
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent decides what Ctrl-C means; Slurm's SIGTERM comes to all
        signal.signal(number, signal.SIG_IGN)

    def progress(*said: Any) -> None:
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():  # killed: nobody would ever collect us
            raise SystemExit(1)
        events.put(("progress", *said))

    try:
        registered.unpack(own)
    except Exception as error:  # a module that the parent has on its path and this process has not
        events.put(
            ("mistake", f"what was registered cannot be read in a worker process: {type(error).__name__}: {error}")
        )
        return
    for job in iter(waiting.get, None):
        try:
            with explain_disk_errors(getattr(job, "run", Path.cwd())):
                job(progress)
        except UserError as error:
            events.put(("mistake", str(error)))
        except Exception:
            events.put(("fault", traceback.format_exc()))
        else:
            events.put(("done",))
