"""Kaggle's notebooks and data sets on loopback: what is pushed is really run, in a fresh folder, its inputs read-only, without network."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.submit import servers

_JAIL = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'


@functools.cache
def jail() -> tuple[str, ...]:
    """What makes a process's inputs read-only and takes its network away; nothing where the system does not let us."""
    tried = subprocess.run(["unshare", "-mn", "true"], capture_output=True, check=False)
    return ("unshare", "-mn", "sh", "-c", _JAIL, "sh") if tried.returncode == 0 else ()


class Session:
    """A run of a pushed notebook."""

    def __init__(self, folder: Path, text: str, inputs: dict[str, dict[str, bytes] | Path]) -> None:
        self.input, self.working = folder / "input", folder / "working"
        self.events: list[dict[str, Any]] = []
        self.cancelled = False
        self.working.mkdir(parents=True)
        (folder / "tmp").mkdir()
        for place, files in inputs.items():
            home = self.input / place
            if isinstance(files, Path):
                shutil.copytree(files, home)
                continue
            home.mkdir(parents=True)
            for name, content in files.items():
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (home / name).write_bytes(content)
        self.input.mkdir(exist_ok=True)
        cells = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        (folder / "script.py").write_text("\n\n".join(cells))
        for path in self.input.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "tmp"),
            "TMPDIR": str(folder / "tmp"),
            "KAGGLE_INPUT_DIR": str(self.input),
            "KAGGLE_WORKING_DIR": str(self.working),
            **{name: os.environ[name] for name in ("HARNESS_CORES",) if name in os.environ},  # the same machine as here
        }
        ahead = (*jail(), str(self.input)) if jail() else ()
        self.process = subprocess.Popen(
            [*ahead, sys.executable, str(folder / "script.py")],
            cwd=self.working,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.events.append({"stream_name": "stdout", "time": time.time(), "data": line})

    def wait(self) -> None:
        self.process.wait(timeout=120)
        self._reader.join(10)

    def cancel(self) -> None:
        self.cancelled = True
        self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def text(self) -> str:
        return "".join(event["data"] for event in self.events)

    @property
    def status(self) -> str:
        if self.cancelled:
            return "CANCEL_ACKNOWLEDGED"
        code = self.process.poll()
        return "RUNNING" if code is None else "ERROR" if code else "COMPLETE"

    def outputs(self) -> dict[str, bytes]:
        paths = [p for p in sorted(self.working.rglob("*")) if p.is_file()]
        return {p.relative_to(self.working).as_posix(): p.read_bytes() for p in paths}


class Recorded:
    """A session that gives at once what another one of the same job gave."""

    def __init__(self, files: dict[str, bytes], status: str = "COMPLETE") -> None:
        self.files, self.status = files, status
        self.events = [{"stream_name": "stdout", "time": 0.0, "data": "recorded\n"}]
        self.text = "recorded"

    def outputs(self) -> dict[str, bytes]:
        return self.files

    def kill(self) -> None: ...


class Notebooks(servers.Kaggle):
    """The calls about data sets and notebooks, beside those of submissions.

    Attributes
    ----------
    competition : its files, as Kaggle mounts them; mount : where, below the inputs
    quota : hours of GPU left; odd_names : further files that the output's list names, with their contents
    moved : bytes that were uploaded; kernels : {name: versions, each with its Session}
    recorded : {job: what its sessions give, in turn}, recorded_all : what others give, instead of running them
    hooks : {step: called before and after the work}
    """

    user = "somebody"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.http.handle_error = lambda request, address: None  # a client that was killed
        self.folder = folder
        self.data_sets: dict[str, list[dict[str, Any]]] = {}
        self.kernels: dict[str, list[dict[str, Any]]] = {}
        self.competition: Path | None = None
        self.reset()

    def reset(self) -> None:
        """As it was at first; what runs is ended."""
        self.clear()
        for session in self.sessions:
            session.kill()
        self.data_sets, self.kernels = {}, {}
        self.mount, self.quota, self.moved, self.error = "competitions/{}", 30.0, 0, ""
        self.odd_names: dict[str, bytes] = {}
        self.recorded: dict[str, list[Recorded]] = {}
        self.recorded_all: Recorded | None = None
        self.hooks: dict[str, Callable[[str], None]] = {}
        self.not_ready, self.lists = 0, True

    def close(self) -> None:
        for session in self.sessions:
            session.kill()
        super().close()

    @property
    def sessions(self) -> list[Session]:
        return [version["session"] for versions in self.kernels.values() for version in versions]

    def route(self, method, path, query, body):
        if "/kernels/logs/stream/" in path:
            return "log", lambda: self._log(path.rpartition("/")[2])
        if path.startswith("/output/"):
            _, _, name, *rest = path.split("/")
            return "output", lambda: self._output("/".join(rest), name)
        step = path.rpartition("/")[2]
        if hasattr(self, f"_on_{step}"):
            told = json.loads(body or b"{}")
            return step, lambda: self._hooked(step, told)
        if path.startswith("/upload/"):
            self.moved += len(body)
        return super().route(method, path, query, body)

    def _hooked(self, step, told):
        hook = self.hooks.get(step, lambda when: None)
        hook("before")
        answer = getattr(self, f"_on_{step}")(told)
        hook("after")
        return answer

    def _session(self, told, inputs):
        """Of a pushed notebook: run, or as it was recorded."""
        job = re.search(r"'job': '([0-9a-f]{8})'", told["text"])
        waiting = self.recorded.get(job[1] if job else "", [self.recorded_all] if self.recorded_all else [])
        if waiting:
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return Session(self.folder / f"session-{len(self.sessions)}-{time.monotonic_ns()}", told["text"], inputs)

    def _on_GetAcceleratorQuotaStatistics(self, told):
        def seconds(hours):
            return f"{hours * 3600:.0f}s"

        return 200, {
            "quotaRefreshTime": "2099-01-01T00:00:00Z",
            "gpuQuota": {"timeUsed": seconds(30 - self.quota), "totalTimeAllowed": seconds(30)},
        }

    def _on_StartBlobUpload(self, told):
        token = f"token{len(self.calls)}"
        self.names[token] = told["name"]
        return 200, {"token": token, "createUrl": f"{self.url}/upload/{token}"}

    @functools.cached_property
    def names(self) -> dict[str, str]:
        return {}

    def _files(self, told):
        return {self.names[file["token"]]: self.uploads[file["token"]] for file in told["files"]}

    def _on_CreateDataset(self, told):
        if told["slug"] in self.data_sets:
            return 409, {"error": {"message": f'The requested title "{told["title"]}" is already in use'}}
        assert told["isPrivate"] and 6 <= len(told["slug"]) <= 50 and 20 <= len(told["subtitle"]) <= 80
        self.data_sets[told["slug"]] = [
            {"files": self._files(told), "subtitle": told["subtitle"], "notes": "Initial release"}
        ]
        return 200, {"status": "ok", "ref": f"{self.user}/{told['slug']}"}

    def _on_CreateDatasetVersion(self, told):
        body = told["body"]
        version = {"files": self._files(body), "subtitle": body["subtitle"], "notes": body["versionNotes"]}
        self.data_sets[told["datasetSlug"]].append(version)
        return 200, {"status": "ok"}

    def _on_GetDataset(self, told):
        versions = self.data_sets.get(told["datasetSlug"])
        if not versions:
            return 403, {"error": {"message": "Permission 'datasets.get' was denied"}}
        lines = [{"versionNumber": n, "versionNotes": v["notes"]} for n, v in enumerate(versions, 1)]
        about = {"currentVersionNumber": len(versions), "subtitle": versions[-1]["subtitle"], "versions": lines}
        return 200, {"ref": f"{self.user}/{told['datasetSlug']}", "isPrivate": True, **about}

    def _on_GetDatasetStatus(self, told):
        if told["datasetSlug"] not in self.data_sets:
            return 404, {"error": {"message": "no such data set"}}
        self.not_ready -= 1
        return 200, {"status": "BLOBS_RECEIVED" if self.not_ready >= 0 else "READY"}

    def _on_SaveKernel(self, told):
        if self.error:
            return 200, {"error": self.error}
        owner, name = told["slug"].split("/")
        assert (
            owner == self.user and told["isPrivate"] and told["newTitle"].replace(" ", "-") == name and len(name) <= 50
        )
        inputs: dict[str, Any] = {}
        for ref in told.get("datasetDataSources", []):
            inputs[ref.split("/")[1]] = self.data_sets[ref.split("/")[1]][-1]["files"]
        for ref in told.get("kernelDataSources", []):
            inputs[ref.split("/")[1]] = self.kernels[ref.split("/")[1]][-1]["session"].outputs()
        left_out = []
        for slug in told.get("competitionDataSources", []):
            if self.competition is None:
                left_out.append(slug)
            else:
                inputs[self.mount.format(slug)] = self.competition
        version = {**told, "session": self._session(told, inputs)}
        self.kernels.setdefault(name, []).append(version)
        return 200, {
            "ref": f"/code/{told['slug']}",
            "url": f"https://www.kaggle.com/code/{told['slug']}",
            "versionNumber": len(self.kernels[name]),
            "invalidCompetitionSources": left_out,
        }

    def _on_GetKernel(self, told):
        versions = self.kernels.get(told["kernelSlug"])
        if not versions:
            return 403, {"error": {"message": "Permission 'kernels.get' was denied"}}
        about = {"currentVersionNumber": len(versions), "slug": told["kernelSlug"]}
        return 200, {"metadata": about, "blob": {"source": versions[-1]["text"]}}

    def _on_CreateCodeSubmission(self, told):
        return 200, self._CreateCodeSubmission(told)

    def _on_ListKernels(self, told):
        return 200, {"kernels": [{"ref": f"{self.user}/{name}"} for name in self.kernels] if self.lists else []}

    def _on_GetKernelSessionStatus(self, told):
        versions = self.kernels.get(told["kernelSlug"])
        if not versions:
            return 403, {"error": {"message": "Permission 'kernels.get' was denied"}}
        return 200, {"status": versions[-1]["session"].status}

    def _log(self, name):
        session = self.kernels[name][-1]["session"]
        if session.status != "RUNNING":
            return 200, json.dumps(session.events).encode(), {"Content-Type": "application/json"}
        lines = "".join(f"data: {json.dumps(event)}\n\n" for event in list(session.events))
        return 200, lines.encode(), {"Content-Type": "text/event-stream"}

    def _on_ListKernelSessionOutput(self, told):
        files = self.kernels[told["kernelSlug"]][-1]["session"].outputs() | self.odd_names
        first = int(told.get("pageToken") or 0)
        names = sorted(files)[first : first + 10]
        more = {"nextPageToken": str(first + 10)} if first + 10 < len(files) else {}
        url = f"{self.url}/output/{told['kernelSlug']}"
        return 200, {
            "files": [{"fileName": n, "url": f"{url}/{n}?X-Goog-Signature=that-nobody-may-see"} for n in names],
            **more,
        }

    def _output(self, name, kernel):
        files = self.kernels[kernel][-1]["session"].outputs() | self.odd_names
        return 200, files[name], {"Content-Type": "application/octet-stream"}
