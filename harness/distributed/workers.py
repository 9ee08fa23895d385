"""Processes of a study on the nodes of a Ray cluster: each asks the study for trials until it has enough."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.places.home import project_home
from harness.base.source_digest import code_digest
from harness.distributed.executor import Cluster, connect


def run_workers(cluster: Cluster, commands: Sequence[Sequence[str]], say: Callable[[str], None]) -> None:
    """Run `python -m ARGS` for each of `commands` on some node, in this folder, which all nodes must see; wait for all.

    Raises
    ------
    UserError
        If the cluster cannot be reached, or a node has another harness, does not see this folder, or its command failed.
    """
    with contextlib.redirect_stdout(sys.stderr):
        ray = connect(cluster.address)
        options = {"num_cpus": cluster.cpus or 1, "num_gpus": cluster.gpus, "max_retries": 3}
        task = ray.remote(_run).options(**options)
        where = (str(Path.cwd()), str(project_home().resolve()))
        waiting = [task.remote(list(command), *where, code_digest(), cluster.cpus or 1) for command in commands]
        say(f"cluster: {len(waiting)} processes work on the study")
        try:
            while waiting:
                done, waiting = ray.wait(waiting, timeout=1.0)
                for mistake in _answers(ray, done):
                    raise UserError(mistake)
        except BaseException:
            for reference in waiting:
                ray.cancel(reference, force=True)
            raise
        finally:
            ray.shutdown()


def _answers(ray: Any, done: Sequence[Any]) -> list[str]:
    try:
        return [said for said in ray.get(list(done)) if said]
    except ray.exceptions.RayError as error:
        return [f"--cluster: a node was lost again and again: {str(error).strip().splitlines()[-1]}"]


def _run(command: list[str], folder: str, home: str, code: str, cores: int) -> str:
    """On a node; what went wrong, or ""."""
    node = socket.gethostname()
    if code_digest() != code:
        return f"node {node} has another harness ({code_digest()}, the driver {code}): install the same on all nodes"
    if not (Path(folder).is_dir() and Path(home).is_dir()):
        return f"node {node} does not see {folder}: start it from a folder on a disk that all nodes share"
    environment = {**os.environ, "HARNESS_HOME": home, "HARNESS_CORES": str(cores)}  # as many as Ray keeps for it
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else f"node {node}: {(done.stderr.strip().splitlines() or ['it failed'])[-1]}"
