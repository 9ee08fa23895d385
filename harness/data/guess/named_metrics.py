"""What people call metrics: a page's or a text's words, and the name here."""

from __future__ import annotations

import re

from harness.competition.scoring.registry import metric_names
from harness.competition.scoring.spec import parsed
from harness.competition.tasks import TASKS

_METRICS = (
    (r"quadratic.{0,10}kappa", "quadratic_kappa"),
    (r"linear.{0,10}kappa", "linear_kappa"),
    (r"kappa", "kappa"),
    (r"mcrmse|column.?wise.*(rmse|root)", "mcrmse"),
    (r"rmsle|root.?mean.?squared?.?log", "rmsle"),
    (r"rmse|root.?mean.?square", "rmse"),
    (r"(^|[^a-z])mae|mean.?absolute", "mae"),
    (r"map\s*@|mean.?average.?precision.*(@|\bat\b)", "map@"),
    (r"f.?score.*beta|f.?beta|(^|[^a-z])f[-_ ]?(?!1\b)\d|mean.?f.?score", "fbeta"),
    (r"macro.{0,12}f|f1.*macro", "macro_f1"),
    (r"micro.{0,12}f|f1.*micro", "micro_f1"),
    (r"weighted.{0,12}f1|f1.*weighted", "weighted_f1"),
    (r"(samples?|rows?|images?).{0,12}f1|f1.*(samples|(each|per|a) (row|image))", "samples_f1"),
    (r"(^|[^a-z])f1", "f1"),
    (r"mean.?column.?wise.*(auc|roc)|(^|[^a-z])m?c?auc|(^|[^a-z])roc|area.?under", "roc_auc"),
    (r"log.?loss|multi.?class.?loss|cross.?entropy", "log_loss"),
    (r"balanced\W+(\w+\W+)?acc", "balanced_accuracy"),
    (r"matthews|(^|[^a-z])mcc", "mcc"),
    (r"average.?precision", "average_precision"),
    (r"brier", "brier"),
    (r"hamming", "hamming_loss"),
    (r"jaccard", "jaccard"),
    (r"top\W?1\b.*error|classification.?error|error.?rate", "error"),
    (r"top\W?(?!1\b)\d+\W+(categorical\W+)?acc", "top"),
    (r"accuracy|categorization", "accuracy"),
)
"""Patterns of what metrics are called, most particular first."""


def metric_by_name(said: str, task: str, guessed: str = "") -> str | None:
    """The metric that is meant, where it is one for this task; None where it is not known, or a number of it is not.

    guessed : by the sample submission, which has the number that a page leaves out ('MAP@{K}')
    """
    name = next((name for pattern, name in _METRICS if re.search(pattern, said, re.I)), None)
    if name == "map@":
        k = re.search(r"(?:@|\bat\b)\W*(\d+)", said, re.I)
        name = f"map@{k[1]}" if k else guessed if guessed.startswith("map@") else None
    elif name == "fbeta":
        name = _f_score(said, guessed)
    elif name == "top":
        k = re.search(r"top\W?(\d+)", said, re.I)
        name = f"top{k[1]}_accuracy" if k else None
    elif name == "f1" and task != "binary":  # of two classes it is that of the second
        name = "macro_f1"
    return name if name and parsed(name)[0] in metric_names(TASKS[task].of) else None


def names_metric(said: str) -> bool:
    """Whether any metric is named, of whatever task."""
    return any(re.search(pattern, said, re.I) for pattern, _ in _METRICS)


def _f_score(said: str, guessed: str) -> str | None:
    """An F-score with the beta that is told; without one what was guessed, where that is one."""
    beta = re.search(r"beta\W*(\d+(?:\.\d+)?)|(?<![a-z])f[-_ ]?(\d+(?:\.\d+)?)", said, re.I)
    if beta is None:
        return guessed if re.fullmatch(r"(\w+_)?(f[\d.]+|fbeta.*)", guessed) else None
    average = re.search("macro|micro|weighted|samples", said, re.I)
    number = f"f{float(beta[1] or beta[2]):g}"
    return f"{average[0].lower()}_{number}" if average else number
