"""A case from its first command to the last --resume, on a project and servers of its own."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from pathlib import Path

from benchmarks.common import say
from benchmarks.faults.answers import CALL, GRACE, LONG_GRACE, RETRY, Case
from benchmarks.faults.judging import Result, judged, ledger_text, unfinished
from benchmarks.faults.platforms import Codabench, Kaggle, Ordered
from harness.base.errors import UserError
from tests.conftest import REPOSITORY, make_shapes

_MOST_RESUMES = 5


class Stage:
    """A project for each platform, and both servers; the environment and the current folder are its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers: dict[str, Ordered] = {"kaggle": Kaggle(), "codabench": Codabench()}
        for name in [n for n in os.environ if n.startswith(("KAGGLE", "CODABENCH", "HARNESS_"))]:
            del os.environ[name]
        os.environ |= {"HOME": str(folder), "HARNESS_CACHE": str(folder / "cache"), "PYTHONPATH": str(REPOSITORY)}
        os.environ |= {"HARNESS_RETRY_SECONDS": str(RETRY), "HARNESS_CALL_SECONDS": str(CALL), "COLUMNS": "200"}
        for name, server in self.servers.items():
            server.http.handle_error = lambda *args: None  # type: ignore[method-assign]
            os.environ |= server.environment()
            self._make_project(folder / name, name)
        self._share_client()

    @staticmethod
    def _make_project(project: Path, platform: str) -> None:
        project.mkdir()
        make_shapes(project, per_class=2)
        toml = project / "competitions" / "shapes" / "competition.toml"
        text = toml.read_text().replace("metric =", f'platform = "{platform}"\nmetric =')
        toml.write_text(text + "\n[codabench]\nphase = 9\n")
        lines = [f"{i},{'circle' if i % 2 else 'square'}\n" for i in range(6)]
        (project / "ready.csv").write_text("id,label\n" + "".join(lines))

    def _share_client(self) -> None:
        """One process of the kaggle client for all commands in here: it takes seconds to start, and knows nothing of before."""
        from harness.remote import kaggle_client

        child = kaggle_client.Child("harness.remote.kaggle_child")
        kaggle_client.Child = lambda module: child  # type: ignore[assignment,misc]
        self.child = child

    def close(self) -> None:
        self.child.kill()
        for server in self.servers.values():
            server.close()
        if self.servers["kaggle"].stray:
            raise UserError(f"calls went out to {self.servers['kaggle'].stray}")

    def run(self, case: Case) -> Result:
        """The whole story of a case."""
        server, project = self.servers[case.platform], self.folder / case.platform
        out, started = Path(tempfile.mkdtemp(dir=self.folder)), time.monotonic()
        os.environ["HARNESS_GRACE_SECONDS"] = str(LONG_GRACE if case.late else GRACE)
        server.begin(case)
        os.chdir(project)
        new = ["--comp", "shapes", "--data", "data", "--wait", "0.2", "--file", "ready.csv", "--out", str(out)]
        said, command = [], command_in_a_process if case.real else command_in_here
        for number in range(1 + case.again):
            if number == case.lasts:
                server.mend()
            said.append(command(new))
            if case.forget and number == 0:
                said.append(ledger_text(out))
                for path in (out / "submissions").glob("ledger.sqlite*"):
                    path.unlink()
        server.mend()
        for _ in range(_MOST_RESUMES):
            if not unfinished(out):
                break
            time.sleep(GRACE)
            said.append(command(["--resume", "--queued", "--wait", "0.2", "--out", str(out)]))
        result = judged(case, server, out, "\n".join(said))
        shutil.rmtree(out)
        return replace(result, seconds=round(time.monotonic() - started, 2))


def run_share(cases: list[Case]) -> list[Result]:
    """A worker's share, on a stage of its own."""
    here, results = Path.cwd(), []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        stage = Stage(Path(folder))
        try:
            for number, case in enumerate(cases, start=1):
                results.append(stage.run(case))
                if number % 100 == 0:
                    say(f"{number} of {len(cases)} cases of this worker")
        finally:
            os.chdir(here)
            stage.close()
    return results


def command_in_here(arguments: list[str]) -> str:
    """All that the command prints, with a traceback if it ends in one."""
    from harness.submit.__main__ import app as submit

    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            submit(arguments)
        except SystemExit:
            pass
        except Exception:
            traceback.print_exc()
    return stdout.getvalue() + "\n" + stderr.getvalue()


def command_in_a_process(arguments: list[str]) -> str:
    """The same, as a user starts it."""
    words = [sys.executable, "-m", "harness.submit", *arguments]
    done = subprocess.run(words, capture_output=True, timeout=120, check=False)  # bytes: \r must stay
    return f"{done.stdout.decode(errors='replace')}\n{done.stderr.decode(errors='replace')}"
