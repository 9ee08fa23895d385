"""What people call metrics: a page's or a text's words, and the name here."""

from __future__ import annotations

import re

from harness.competition.scoring.registry import metric_names
from harness.competition.scoring.spec import parsed
from harness.competition.tasks import TASKS

_METRICS = (
    (r"quadratic.{0,10}kappa|kappa.{0,20}quadratic", "quadratic_kappa"),
    (r"linear.{0,10}kappa|kappa.{0,20}linear", "linear_kappa"),
    (r"kappa", "kappa"),
    (r"mcrmse|column.?wise.*(rmse|root)", "mcrmse"),
    (r"rmsle|root.?mean.?squared?.?log", "rmsle"),
    (r"rmse|root.?mean.?square", "rmse"),
    (r"\bmae\b|mean.?absolute", "mae"),
    (r"map\s*@|mean.?average.?precision.*(@|\bat\b)", "map@"),
    (r"macro(?=[\W_]|averag).{0,12}f(?![-_ ]?[02-9])|f[-_ ]?1[^.]{0,30}\bmacro\b", "macro_f1"),
    (r"micro(?=[\W_]|averag).{0,12}f(?![-_ ]?[02-9])|f[-_ ]?1[^.]{0,30}\bmicro\b", "micro_f1"),
    (r"weighted.{0,12}f[-_ ]?1|f[-_ ]?1[^.]{0,30}\bweighted\b", "weighted_f1"),
    (
        r"\b(samples?|rows?|images?).{0,12}\bf[-_ ]?1|f[-_ ]?1[^.]{0,30}\b(samples\b|(each|per|a) (row|image))",
        "samples_f1",
    ),
    (r"\bf[-_ ]?1(?!\d|\.\d)", "f1"),
    (r"f.?score.*beta|f.?beta|\bf[-_ ]?\d|mean.?f.?score", "fbeta"),
    (r"precision.?recall|(pr|prc)[-_ ]?auc|auc[-_ ]?(pr|prc)\b", "average_precision"),
    (r"mean.?column.?wise.*(auc|roc)|(?<![a-z])m?c?auc|(?<![a-z])roc(?![a-z])|area.?under", "roc_auc"),
    (r"log.?loss|multi.?class.?loss|cross.?entropy", "log_loss"),
    (r"balanced\W+(\w+\W+)?acc|mean.?(per.?)?class.?acc|average.?(per.?)?class.?acc", "balanced_accuracy"),
    (r"matthews|\bmcc\b", "mcc"),
    (r"average.?precision", "average_precision"),
    (r"brier", "brier"),
    (r"hamming", "hamming_loss"),
    (r"jaccard", "jaccard"),
    (r"top\W?1\b.{0,12}error|classification.?error|error.?rate", "error"),
    (r"top\W?(?!1\b)\d+\W+(categorical\W+)?acc", "top"),
    (r"accuracy|categorization", "accuracy"),
)
"""Patterns of what metrics are called, most particular first."""

_DENIED = re.compile(r"\b(not|no|nor|never|instead of|rather than|unlike|except)\b.*?(?=\bbut\b|[,.;)]|$)", re.I)
"""What a sentence says that a metric is not."""


def metric_by_name(said: str, task: str, guessed: str = "") -> str | None:
    """The metric that is meant, where it is one for this task; None where it is not known, or a number of it is not.

    guessed : by the sample submission, which has the number that a page leaves out ('MAP@{K}')
    """
    found = ((name, re.search(pattern, said, re.I)) for pattern, name in _METRICS)
    name, match = next(((name, match) for name, match in found if match), ("", None))
    return _for_task(name, said, match.start(), task, guessed) if match else None


def metrics_named(said: str, task: str, guessed: str = "") -> list[str]:
    """All metrics of this task that a sentence names and does not deny, in their order there; as `metric_by_name`."""
    rest, found = _DENIED.sub(" ", said), dict[str, int]()
    for pattern, name in _METRICS:
        while match := re.search(pattern, rest, re.I):
            metric = _for_task(name, rest, match.start(), task, guessed)
            if metric:
                found.setdefault(metric, match.start())
            rest = rest[: match.start()] + "\n" * len(match[0]) + rest[match.end() :]
    return sorted(found, key=lambda metric: found[metric])


def _for_task(name: str, said: str, start: int, task: str, guessed: str) -> str | None:
    """The metric of a pattern's name, with the number that stands there; None where it is none of the task's.

    start : where in `said` the name stands
    """
    full: str | None = name
    if name == "map@":
        k = re.search(r"(?:@|\bat\b)\W*(\d+)", said[start:], re.I)
        full = f"map@{k[1]}" if k else guessed if guessed.startswith("map@") else None
    elif name == "fbeta":
        full = _f_score(said, guessed)
    elif name == "top":
        k = re.search(r"top\W?(\d+)", said[start:], re.I)
        full = f"top{k[1]}_accuracy" if k else None
    elif name == "f1" and task != "binary":  # of two classes it is that of the second
        full = "macro_f1"
    return full if full and parsed(full)[0] in metric_names(TASKS[task].of) else None


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
