"""Every case: which call fails how, before its work or after it, and where the command is killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.submit.servers import FAULTS, Fault

READS = ("GetDataset", "GetDatasetStatus", "GetKernelSessionStatus", "log", "ListKernelSessionOutput", "output")
WRITES = ("StartBlobUpload", "put", "CreateDataset", "SaveKernel")
LOOKS = ("GetKernel", "ListKernels")
"""Called only where the push had no answer."""
KILLED = (
    "GetDataset",
    "StartBlobUpload",
    "CreateDataset",
    "GetDatasetStatus",
    "SaveKernel",
    "GetKernelSessionStatus",
    "ListKernelSessionOutput",
)

KINDS = {
    **FAULTS,
    "409": Fault("status", 409, '{"error": {"message": "The requested title is already in use"}}'),
    "503": Fault("status", 503, "busy"),
    "empty": Fault("status", 200, "{}"),
    "cut": Fault("cut"),
}
_ONLY = {
    "cut": ("output",),
    "empty": ("GetDataset", "SaveKernel", "CreateDataset", "ListKernelSessionOutput", "GetKernel"),
}


@dataclass(frozen=True)
class Case:
    """A case.

    Attributes
    ----------
    command : "train" or "code"; step : of the fault
    faults : {call: what it does, in turn}
    kill : (call, "before" or "after") at which the command is killed, or None
    """

    command: str
    step: str
    name: str
    faults: dict[str, list[Fault]]
    kill: tuple[str, str] | None = None


def all_cases() -> Iterator[Case]:
    """In order of the protocol."""
    for command in ("train", "code"):
        final = ("CreateCodeSubmission",) if command == "code" else ()
        for step in (*READS, *WRITES, *final):
            for kind, fault in KINDS.items():
                if step in _ONLY.get(kind, (step,)):
                    yield Case(command, step, f"{command}/{step}/before/{kind}", {step: [fault]})
                if step in (*WRITES, *final) and fault.kind == "status" and kind != "empty":
                    yield Case(command, step, f"{command}/{step}/after/{kind}", {step: [replace(fault, kind="after")]})
                if kind in ("500", "429", "reset") and step in READS:  # it lasts: tries and all
                    yield Case(command, step, f"{command}/{step}/lasting/{kind}", {step: [fault] * 5})
        for look in LOOKS:
            for kind, fault in KINDS.items():
                if look in _ONLY.get(kind, (look,)) and kind != "cut":
                    faults = {"SaveKernel": [FAULTS["lost"]], look: [fault]}
                    if look == "ListKernels":
                        faults["GetKernel"] = [FAULTS["404"]]
                    yield Case(command, look, f"{command}/{look}/{kind}", faults)
        for step in (*KILLED, *final):
            for when in ("before", "after"):
                yield Case(command, "SIGKILL", f"{command}/{step}/kill/{when}", {}, (step, when))
