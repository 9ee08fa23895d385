"""The kaggle client's calls for data sets and notebooks, in the child process: what `kaggle_child` answers beside submissions.

The client's own `kernels_output` writes whatever names the platform gives, `dataset_create_new` leaves out files whose upload failed: files
are listed, named, uploaded and written here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_MOST_PAGES, _PAGE = 100, 100
_LINE = 2000
_DEEPEST = 12


def account(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Whose account the credentials are of."""
    return {"user": str(api.get_config_value(api.CONFIG_NAME_USER) or "")}


def quota(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Hours of GPU that are left this week, None where it is not told."""
    told = api.quota_view()
    gpu = told.gpu_quota
    if gpu is None or not gpu.total_time_allowed:
        return {"hours": None, "until": None}
    left = gpu.total_time_allowed - gpu.time_used
    until = told.quota_refresh_time
    return {"hours": left.total_seconds() / 3600, "until": until.isoformat() if until else None}


def dataset(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """A data set's latest version with its notes."""
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest

    with api.build_kaggle_client() as client:
        asked = ApiGetDatasetRequest()
        asked.owner_slug, asked.dataset_slug = request["owner"], request["name"]
        told = client.datasets.dataset_api_client.get_dataset(asked)
    notes = {str(v.version_number): str(v.version_notes or "") for v in told.versions or [] if v}
    return {
        "ref": str(told.ref or ""),
        "version": int(told.current_version_number or 0),
        "notes": notes,
        "subtitle": str(told.subtitle or ""),
        "private": bool(told.is_private),
    }


def dataset_status(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Whether its latest version can be used: "ready", "failed", or still on its way."""
    return {"status": str(api.dataset_status(f"{request['owner']}/{request['name']}"))}


def dataset_upload(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Bring one file to the platform's store; what it is called there is told by a token."""
    from kaggle.api.kaggle_api_extended import ResumableUploadResult
    from kagglesdk.blobs.types.blob_api_service import ApiBlobType, ApiStartBlobUploadRequest

    path = Path(request["path"])
    with api.build_kaggle_client() as client:
        asked = ApiStartBlobUploadRequest()
        asked.type, asked.name, asked.content_length = ApiBlobType.DATASET, path.name, path.stat().st_size
        asked.last_modified_epoch_seconds = int(path.stat().st_mtime)
        told = client.blobs.blob_api_client.start_blob_upload(asked)
    if not told.token or not told.create_url:
        raise ValueError("the answer to the start of the upload holds no token")
    if api.upload_complete(str(path), told.create_url, True) != ResumableUploadResult.COMPLETE:
        raise ConnectionError(f"{path.name} could not be uploaded")
    return {"token": told.token}


def dataset_save(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Make a private data set of uploaded files, or a new version of one; called once."""
    from kagglesdk.datasets.types.dataset_api_service import (
        ApiCreateDatasetRequest,
        ApiCreateDatasetVersionRequest,
        ApiCreateDatasetVersionRequestBody,
        ApiDatasetNewFile,
    )

    files = []
    for token in request["tokens"]:
        file = ApiDatasetNewFile()
        file.token = token
        files.append(file)
    with api.build_kaggle_client() as client:
        calls = client.datasets.dataset_api_client
        if request["new"]:
            asked = ApiCreateDatasetRequest()
            asked.owner_slug, asked.slug, asked.title = request["owner"], request["name"], request["title"]
            asked.subtitle, asked.license_name, asked.is_private = request["subtitle"], "unknown", True
            asked.files = files
            told = calls.create_dataset(asked)
        else:
            body = ApiCreateDatasetVersionRequestBody()
            body.version_notes, body.subtitle, body.delete_old_versions = request["notes"], request["subtitle"], False
            body.files = files
            again = ApiCreateDatasetVersionRequest()
            again.owner_slug, again.dataset_slug, again.body = request["owner"], request["name"], body
            told = calls.create_dataset_version(again)
    return {"status": str(told.status or ""), "problem": str(told.error or ""), "ref": str(told.ref or "")}


def kernel(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """A notebook's latest version with its text."""
    from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelRequest

    with api.build_kaggle_client() as client:
        asked = ApiGetKernelRequest()
        asked.user_name, asked.kernel_slug = request["owner"], request["name"]
        told = client.kernels.kernels_api_client.get_kernel(asked)
    metadata, blob = told.metadata, told.blob
    return {
        "version": int(metadata.current_version_number or 0) if metadata else 0,
        "text": str(blob.source or "") if blob else "",
    }


def kernels_named(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Names of one's own notebooks that a search finds."""
    told = api.kernels_list_with_response(page_size=100, search=request["name"], mine=True)
    return {"names": [str(line.ref or "").rpartition("/")[2] for line in told.kernels or [] if line]}


def kernel_save(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Push the folder of a notebook, which begins to run; called once."""
    told = api.kernels_push(request["folder"], request["limit"], request["accelerator"] or None)
    left_out = {
        "data set": told.invalid_dataset_sources,
        "competition": told.invalid_competition_sources,
        "notebook": told.invalid_kernel_sources,
    }
    return {
        "ref": str(told.ref or ""),
        "url": str(told.url or ""),
        "version": int(told.version_number or 0),
        "problem": str(told.error or ""),
        "left_out": [f"{kind} {name}" for kind, names in left_out.items() for name in names or []],
    }


def kernel_status(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """How the latest session of a notebook stands."""
    from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusRequest

    with api.build_kaggle_client() as client:
        asked = ApiGetKernelSessionStatusRequest()
        asked.user_name, asked.kernel_slug = request["owner"], request["name"]
        told = client.kernels.kernels_api_client.get_kernel_session_status(asked)
    return {"status": told.status.name, "message": str(told.failure_message or "")}


def kernel_log(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """What a session has printed beyond the first `skip` pieces, as far as it comes within so many seconds and pieces.

    A log without an end is left where the limits are: `cut` says so.
    """
    ends, pieces, seen = time.monotonic() + request["patience"], [], 0
    size = 0
    stream = api.kernels_logs_stream(f"{request['owner']}/{request['name']}")
    try:
        for event in stream:
            seen += 1
            if seen > request["skip"]:
                data = event.get("data", "") if isinstance(event, dict) else ""
                pieces.append(str(data)[: 10 * _LINE])
                size += len(pieces[-1])
            if seen >= request["most"] or size >= 2**22 or time.monotonic() > ends:
                return {"pieces": pieces, "seen": seen, "cut": seen >= request["most"]}
    except OSError:  # a live stream that is quiet or broken off: what has come is told
        if not pieces and not seen:
            raise
    finally:
        stream.close()
    return {"pieces": pieces, "seen": seen, "cut": False}


def kernel_output(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Bring a session's files whose names match a pattern into a folder, or just name them; whole ones that are there already are kept.

    Names come from the platform: one that is absolute, climbs or is odd is left out, and told; so is one that a whole file of another
    size already has in the answer.
    """
    wanted = re.compile(request["pattern"])
    taken, refused = [], []
    for name, url in _listed(api, request):
        if not is_inside(name):
            refused.append(name[:200])
        elif wanted.fullmatch(name) and name not in taken:
            if request["fetch"]:
                _fetch(url, Path(request["folder"]) / name)
            taken.append(name)
    return {"files": taken, "refused": refused}


def is_inside(name: str) -> bool:
    """Whether a file's name, as a platform gives it, stays below the folder that it is put into."""
    parts = name.split("/")
    return len(parts) <= _DEEPEST and all(re.fullmatch(r"[\w .+=,()-]{1,200}", p) and p.strip(". ") for p in parts)


def _listed(api: Any, request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

    asked = ApiListKernelSessionOutputRequest()
    asked.user_name, asked.kernel_slug, asked.page_size = request["owner"], request["name"], _PAGE
    with api.build_kaggle_client() as client:
        for _ in range(_MOST_PAGES):
            told = client.kernels.kernels_api_client.list_kernel_session_output(asked)
            for file in told.files or []:
                if file:
                    yield str(file.file_name or ""), str(file.url or "")
            if not told.next_page_token:
                return
            asked.page_token = told.next_page_token


def _fetch(url: str, path: Path) -> None:
    """Write a file whole or not at all; one of the size that is told stays. Credentials do not go with it."""
    import requests

    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")):
        raise ValueError(f"{path.name} is offered at an address that is no https one")
    part = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with requests.get(url, stream=True) as answer:
        answer.raise_for_status()
        told = answer.headers.get("Content-Length", "")
        size = int(told) if told.isdigit() else None
        if path.is_file() and size == path.stat().st_size:
            return
        with part.open("wb") as out:
            for piece in answer.iter_content(1 << 20):
                out.write(piece)
    if size is not None and part.stat().st_size != size:
        part.unlink()
        raise ConnectionError(f"{path.name} came only in part")
    part.replace(path)


CALLS = {
    "account": account,
    "quota": quota,
    "dataset": dataset,
    "dataset_status": dataset_status,
    "dataset_upload": dataset_upload,
    "dataset_save": dataset_save,
    "kernel": kernel,
    "kernels_named": kernels_named,
    "kernel_save": kernel_save,
    "kernel_status": kernel_status,
    "kernel_log": kernel_log,
    "kernel_output": kernel_output,
}
