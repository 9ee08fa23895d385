"""Which kind of task has its errors told how."""

from __future__ import annotations

from harness.oof.errors.class_report import ClassReport
from harness.oof.errors.grade_report import GradeReport
from harness.oof.errors.label_report import LabelReport
from harness.oof.errors.number_report import NumberReport
from harness.oof.errors.report import ErrorReport
from harness.runs import Run

_REPORTS: dict[str, type[ClassReport] | type[LabelReport] | type[NumberReport]] = {
    "single": ClassReport,
    "binary": ClassReport,
    "ordinal": GradeReport,
    "multilabel": LabelReport,
    "regression": NumberReport,
}


def report_of(run: Run) -> ErrorReport:
    """Where a run is wrong (raises UserError where no row was predicted)."""
    return _REPORTS[run.task.name](run)
