"""Run jobs on a Ray cluster: resources per job, results shared or brought back, lost nodes survived, Ctrl-C cancels all."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import socket
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import UserError, needs
from harness.base.source_digest import code_digest
from harness.base.storage.atomic_files import read_json
from harness.distributed.parcel import folders_of, pack, results_of, unpacked, write_results

Progress = Callable[[int, int, int], None]

_RETRIES = 3
_ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class Cluster:
    """Where jobs run, and what each gets.

    Attributes
    ----------
    address : "auto" (the cluster that this machine belongs to), "HOST:PORT", or "ray://HOST:PORT"
    cpus : CPU cores per job; None = as many as the job computes with
    gpus : GPUs per job, a fraction where several share one
    """

    address: str
    cpus: float | None = None
    gpus: float = 0.0

    def run(self, jobs: Sequence[Any], progress: Progress, say: Callable[[str], None] = lambda text: None) -> None:
        """Call every job on some node; a job of a node that is lost is called again on another. Jobs may be of several runs.

        Jobs read the driver's folders where the node sees them. Elsewhere they get a copy, one for each node, and their
        results are sent back.

        Raises
        ------
        UserError
            As a job raised it; or if the cluster cannot be reached, has no such resources, or other software or data.
        """
        if not jobs:
            return
        with contextlib.redirect_stdout(sys.stderr):  # where Ray prints what it has to say of lost nodes
            ray = connect(self.address)
            try:
                self._check_resources(ray, jobs)
                nodes = [node for node in ray.nodes() if node["Alive"]]
                say(f"cluster: {len(nodes)} nodes, {ray.cluster_resources().get('CPU', 0):.0f} CPU cores")
                with contextlib.ExitStack() as tokens:
                    token = _Token()
                    for run in dict.fromkeys(job.run for job in jobs):
                        tokens.enter_context(token.lying_in(run))
                    self._follow(ray, jobs, token.name, progress)
            finally:
                ray.shutdown()

    def _check_resources(self, ray: Any, jobs: Sequence[Any]) -> None:
        """A job that fits on no node would wait for ever."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cpus = max(self._cpus(job) for job in jobs)
        if not any(n.get("CPU", 0) >= cpus and n.get("GPU", 0) >= self.gpus for n in nodes):
            there = "; ".join(f"{n.get('CPU', 0):.0f} CPU, {n.get('GPU', 0):.0f} GPU" for n in nodes)
            raise UserError(
                f"--cluster: a job wants {cpus:g} CPU cores and {self.gpus:g} GPUs, which no node has ({there}). Lower "
                "--cpus-per-fold or --gpus-per-fold"
            )

    def _cpus(self, job: Any) -> float:
        return self.cpus if self.cpus is not None else float(job.threads)

    def _follow(self, ray: Any, jobs: Sequence[Any], token: str, progress: Progress) -> None:
        board = _board(ray)
        parcels = _Parcels(ray) if _is_remote(ray) else None
        waiting: dict[Any, Any] = {}
        for job in jobs:
            options = {"num_cpus": self._cpus(job), "num_gpus": self.gpus, "max_retries": _RETRIES}
            device = "cuda:0" if self.gpus else "cpu"
            sent = dataclasses.replace(job, device=device)
            task = ray.remote(_do).options(**options)
            waiting[task.remote(sent, parcels and parcels.of(job), token, code_digest(), board)] = job
        try:
            while waiting:
                done, _ = ray.wait(list(waiting), timeout=0.5)
                for said in _news(ray, board):
                    progress(*said)
                for reference in done:
                    _collect(ray, reference, waiting.pop(reference))
        except BaseException:  # Ctrl-C too: nothing is left running
            for reference in waiting:
                ray.cancel(reference, force=True)
            raise


def connect(address: str) -> Any:
    """Ray, connected.

    Raises
    ------
    UserError
        If Ray is not installed, or nothing answers there within ten seconds.
    """
    with needs("--cluster", "ray"):
        import ray
    if address != "auto":
        _check_reachable(address)
    variables = {
        name: os.environ[name] for name in ("HARNESS_CACHE", "HARNESS_DATA", "HARNESS_SHARED") if name in os.environ
    }
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray.init(
            address=address,
            logging_level=logging.ERROR,
            log_to_driver=False,
            runtime_env={"env_vars": variables},
            ignore_reinit_error=True,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = str(error).strip().splitlines()[0]
        raise UserError(
            f"--cluster {address}: no cluster could be joined: {said}\n  Start one: ray start --head, and on each further node: "
            "ray start --address HOST:6379"
        ) from error
    return ray


def _check_reachable(address: str) -> None:
    """Ray itself would wait for minutes."""
    place = address.removeprefix("ray://")
    host, _, port = place.rpartition(":")
    if not host or not port.isdigit():
        raise UserError(f"--cluster {address}: write 'auto', HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
    except OSError as error:
        raise UserError(
            f"--cluster {address}: does not answer ({error}). Is the head node up (ray status there), and is the port open to this "
            "machine?"
        ) from error


class _Token:
    """A file in each run's folder by which a node tells that it sees the driver's own disk."""

    def __init__(self) -> None:
        self.name = f".seen-{uuid.uuid4().hex[:12]}"

    @contextlib.contextmanager
    def lying_in(self, run: Path) -> Iterator[None]:
        """For so long it lies there."""
        path = run / self.name
        path.touch()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


class _Parcels:
    """Folders that were put into the object store, each once, whatever the number of jobs that read it."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._put: dict[Path, Any] = {}

    def of(self, job: Any) -> dict[str, Any]:
        """References to a job's folders, by `folders_of`'s names."""
        folders = folders_of(job)
        for name, folder in folders.items():
            if folder not in self._put:
                self._put[folder] = self._ray.put(pack(name, folder))
        return {name: self._put[folder] for name, folder in folders.items()}


def _is_remote(ray: Any) -> bool:
    """Whether there is a node besides this machine, or HARNESS_SHARED=0 says that nothing is shared."""
    if os.environ.get("HARNESS_SHARED") == "0":
        return True
    here = ray.util.get_node_ip_address()
    return any(node["Alive"] and node["NodeManagerAddress"] not in (here, "127.0.0.1") for node in ray.nodes())


def _board(ray: Any) -> Any:
    """Where jobs tell how far they are; it lives on the driver's node, which cannot be lost without the driver."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    return ray.remote(_Board).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()


def _news(ray: Any, board: Any) -> list[tuple[Any, ...]]:
    """What jobs told since; nothing while the board's node is being replaced: progress is not worth a run."""
    try:
        news: list[tuple[Any, ...]] = ray.get(board.read.remote(), timeout=5.0)
        return news
    except (ray.exceptions.RayError, TimeoutError):
        return []


class _Board:
    def __init__(self) -> None:
        self.said: dict[tuple[int, bool], tuple[Any, ...]] = {}

    def tell(self, fold: int, done: int, total: int, epoch: Any = None) -> None:
        self.said[fold, epoch is not None] = (fold, done, total, epoch)

    def read(self) -> list[tuple[Any, ...]]:
        said, self.said = list(self.said.values()), {}
        return said


def _do(job: Any, parcels: dict[str, Any] | None, token: str, code: str, board: Any) -> dict[str, Any]:
    """On a node: check that it is the same harness and data, do the job, and say what became of it.

    parcels : references to its folders, which the node fetches where it does not see them; None where all are on one machine
    """
    if code_digest() != code:
        node = socket.gethostname()
        return {
            "mistake": f"node {node} has another harness ({code_digest()}, the driver {code}): install the same on all nodes"
        }
    shared = os.environ.get("HARNESS_SHARED") != "0" and (job.run / token).is_file()
    shared = shared and (job.cache / "meta.json").is_file()
    if not shared:
        import ray

        if parcels is None:
            return {
                "mistake": f"{job.run}: is not to be seen on {socket.gethostname()}; --out must lie on a shared disk"
            }
        job = unpacked(job, {name: ray.get(reference) for name, reference in parcels.items()})
    try:
        _check_data(job)
        if not shared:
            _refuse_what_is_not_brought(job)
        job(lambda *said: _tell(board, *said))
    except UserError as error:
        return {"mistake": str(error)}
    return {"files": {} if shared else results_of(job.run, job.fold)}


def _check_data(job: Any) -> None:
    """The node's data must be those that the run was started with."""
    from harness.data.cache import open_cache

    wanted = read_json(job.run / "environment.json")["data"]["fingerprint"]
    found = open_cache(job.cache).fingerprint
    if found != wanted:
        raise UserError(
            f"{socket.gethostname()}: {job.cache} holds other data (fingerprint {found}) than the run was started with ({wanted})"
        )


def _tell(board: Any, *said: Any) -> None:
    with contextlib.suppress(Exception):  # a board that is not there is no reason to stop training
        board.tell.remote(*said)


def _refuse_what_is_not_brought(job: Any) -> None:
    """Other runs and what clusters were found from lie outside a job's folders."""
    environment = read_json(job.run / "environment.json")
    wanted = {"[clusters]": "clusters", "[pseudo]": "pseudo"}
    found = [name for name, key in wanted.items() if environment.get(key)]
    if found:
        raise UserError(
            f"{found[0]}: needs a disk that all nodes share, for --out and HARNESS_CACHE; {socket.gethostname()} does not see the "
            "driver's"
        )


def _collect(ray: Any, reference: Any, job: Any) -> None:
    try:
        told = ray.get(reference)
    except ray.exceptions.RayError as error:
        said = str(error).strip().splitlines()[-1]
        raise UserError(
            f"fold {job.fold}: its node was lost {_RETRIES + 1} times, or cannot run the harness: {said}\n  Finished folds are "
            "kept: run the same command again with --resume"
        ) from error
    if "mistake" in told:
        raise UserError(told["mistake"])
    if told["files"]:
        write_results(job.run, told["files"])
