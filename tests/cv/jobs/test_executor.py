"""Jobs side by side: all are done, mistakes keep their words, a killed worker is told, nothing is left running."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.cv.jobs.executor import run_jobs
from harness.cv.jobs.prepare import plan_rounds, plan_threads
from tests.conftest import REPOSITORY


@dataclass(frozen=True)
class Note:
    """Write a file, or fail in the asked-for way."""

    folder: Path
    number: int
    fate: str = "well"

    def __call__(self, progress) -> None:
        progress(self.number, 1, 2)
        if self.fate == "mistake":
            raise UserError(f"job {self.number}: your fault")
        if self.fate == "fault":
            raise ZeroDivisionError("ours")
        if self.fate == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        (self.folder / str(self.number)).write_text(str(os.getpid()))
        progress(self.number, 2, 2)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_job_is_done_and_heard(tmp_path: Path, workers: int):
    heard = []
    run_jobs([Note(tmp_path, i) for i in range(4)], workers, lambda *said: heard.append(said))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1", "2", "3"]
    assert sorted(heard) == sorted((i, done, 2) for i in range(4) for done in (1, 2))
    pids = {p.read_text() for p in tmp_path.iterdir()}
    assert (str(os.getpid()) in pids) == (workers == 1)


def test_a_worker_stays_in_its_lane(tmp_path: Path):
    run_jobs([Note(tmp_path, i) for i in range(6)], 2, lambda *said: None, lanes=["cuda:0", "cuda:1"] * 3)
    pids = [(tmp_path / str(i)).read_text() for i in range(6)]
    assert len(set(pids[::2])) == 1 and len(set(pids[1::2])) == 1 and pids[0] != pids[1]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_mistake_keeps_its_words(tmp_path: Path, workers: int):
    with pytest.raises(UserError, match="job 1: your fault"):
        run_jobs([Note(tmp_path, 0), Note(tmp_path, 1, "mistake")], workers, lambda *said: None)
    assert not multiprocessing.active_children()


def test_a_fault_of_ours_keeps_its_traceback(tmp_path: Path):
    with pytest.raises(RuntimeError, match=r"(?s)a worker failed.*test_executor.*ZeroDivisionError: ours"):
        run_jobs([Note(tmp_path, 0, "fault")], 2, lambda *said: None)


def test_a_killed_worker_is_told_with_the_cure(tmp_path: Path):
    with pytest.raises(UserError, match=r"ended by signal SIGKILL.*--workers 1.*--resume"):
        run_jobs([Note(tmp_path, 0, "killed"), Note(tmp_path, 1)], 2, lambda *said: None)
    assert not multiprocessing.active_children()


@dataclass(frozen=True)
class Heavy(Note):
    """A note with a load that no pipe holds."""

    load: bytes = bytes(1 << 20)


def test_jobs_that_nobody_read_do_not_keep_us_from_ending(tmp_path: Path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom harness.base.errors import UserError\n"
        "from harness.cv.jobs.executor import run_jobs\nfrom tests.cv.jobs.test_executor import Heavy, Note\n"
        "if __name__ == '__main__':\n"
        "    jobs = [Note(Path(sys.argv[1]), 0, 'mistake'), *[Heavy(Path(sys.argv[1]), i) for i in range(1, 9)]]\n"
        "    try: run_jobs(jobs, 2, lambda *said: None)\n"
        "    except UserError: sys.exit(2)\n"
    )
    (tmp_path / "script.py").write_text(code)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_workers_never_run_the_script_again(tmp_path: Path, method: str):
    """Whatever starts them; processes that the script itself starts by multiprocessing do as they always did."""
    code = (
        "import multiprocessing, sys\nfrom pathlib import Path\n"
        "from harness.cv.jobs.executor import run_jobs\nfrom tests.cv.jobs.test_executor import Note\n"
        "print('begun as', __name__, flush=True)\n"
        f"if {method!r} == 'spawn': multiprocessing.get_all_start_methods = lambda: ['spawn']\n"
        "if __name__ == '__main__':\n"
        "    run_jobs([Note(Path(sys.argv[1]), i) for i in range(3)], 2, lambda *said: None)\n"
        "    own = multiprocessing.get_context('spawn').Process(target=print, args=('their own',))\n"
        "    own.start(); own.join()\n"
    )
    (tmp_path / "script.py").write_text(code)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["begun as __main__", "begun as __mp_main__", "their own"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such sockets")
def test_a_long_temporary_folder_takes_no_worker_away(tmp_path: Path):
    """A socket's path has some 100 bytes at most."""
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from harness.cv.jobs.executor import run_jobs\nfrom tests.cv.jobs.test_executor import Note\n"
        "run_jobs([Note(Path(sys.argv[1]), i) for i in range(2)], 2, lambda *said: None)\n"
    )
    (tmp_path / "script.py").write_text(code)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(deep)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("k", "workers", "cores", "expected"),
    [
        (5, 2, 2, [1] * 5),
        (5, 1, 2, [2] * 5),
        (5, 5, 16, [3] * 5),
        (5, 2, 16, [8, 8, 8, 8, 16]),
        (3, 4, 4, [1, 1, 1]),
        (10, 4, 4, [1] * 10),
    ],
)
def test_threads_never_outnumber_the_cores(k: int, workers: int, cores: int, expected: list[int]):
    planned = plan_threads(k, workers, cores)
    assert planned == expected
    for start in range(0, k, workers):
        assert sum(planned[start : start + workers]) <= max(cores, workers)


@pytest.mark.parametrize(
    ("threads", "workers", "may_crowd", "expected"),
    [
        ([1] * 5, 2, True, [(2, 2), (3, 3)]),
        ([1] * 5, 2, False, [(5, 2)]),
        ([1] * 5, 4, True, [(5, 5)]),
        ([1] * 4, 2, True, [(4, 2)]),
        ([1] * 2, 3, True, [(2, 3)]),
        ([4, 4, 4, 4, 8], 2, True, [(4, 2), (1, 2)]),
    ],
)
def test_rounds_leave_no_core_idle(threads: list[int], workers: int, may_crowd: bool, expected: list[tuple[int, int]]):
    assert plan_rounds(threads, workers, may_crowd) == expected
    assert sum(size for size, _ in expected) == len(threads)
