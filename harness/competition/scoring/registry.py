"""Every metric that competition.toml may name: for which tasks it is, which parameters it takes, which way is better."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, nan
from typing import Any

import numpy as np

from harness.base.errors import nearest
from harness.competition.metrics import METRICS, TWO_CLASS_METRICS, Metric, OfProbabilities, _ClassScorer
from harness.competition.scoring import answers, ranking, values
from harness.competition.scoring.parameters import (
    Parameter,
    at_least,
    between,
    one_of,
    prices,
    weight_of_each,
    whole,
)
from harness.competition.scoring.spec import parsed

CLASSES, LABELS, NUMBERS = "classes", "labels", "numbers"
"""What a row's target is: one of several classes, any of several labels, one or more numbers. Tasks name theirs."""

Make = Callable[[dict[str, Any]], Metric]


@dataclass(frozen=True)
class Family:
    """A metric with parameters.

    Attributes
    ----------
    of : what targets it is for
    takes : its parameters by name
    make : (parameters) -> Metric whose name is replaced by the one that was written
    two_classes : whether it is for two classes only
    least : the least value that it can have; most : the greatest, None = 1 where more is better, else none
    """

    of: str
    takes: dict[str, Parameter]
    make: Make
    two_classes: bool = False
    least: float = 0.0
    most: float | None = None

    @property
    def defaults(self) -> dict[str, Any]:
        """The values that its parameters have unless competition.toml says otherwise."""
        return {key: parameter.default for key, parameter in self.takes.items()}


def find_metric(text: str, of: str = CLASSES, n: int | None = None) -> Metric:
    """The metric of that name and with these parameters, for targets of this kind.

    n : how many classes, labels or numbers there are, so that a list that has one for each is held against it; None = not known yet

    Raises
    ------
    ValueError
        If there is none (names the nearest), it is for other targets, or a parameter is unknown, missing or of no use.
    """
    name, parameters = parsed(text)
    family = FAMILIES.get((of, name))
    if family is None:
        if of == CLASSES and name in METRICS and not parameters:
            return METRICS[name]
        raise ValueError(_unknown(text, name, of))
    values = family.defaults | parameters
    _check_parameters(text, family, values, n)
    most = 1.0 - values["min_tpr"] if name == "partial_auc" else family.most
    return replace(family.make(values), name=text, least=family.least, most=most)


def needs_two_classes(text: str) -> bool:
    """Whether a metric is for two classes only."""
    name, parameters = parsed(text)
    if name in TWO_CLASS_METRICS and "average" not in parameters:
        return True
    family = FAMILIES.get((CLASSES, name))
    return family is not None and (family.two_classes or (family.defaults | parameters).get("average") == "binary")


def counts_classes_alike(text: str) -> bool:
    """Whether a metric averages over classes, so that rare ones weigh as much as common ones."""
    name, parameters = parsed(text)
    family = FAMILIES.get((CLASSES, name))
    average = ((family.defaults if family else {}) | parameters).get("average")
    return average == "macro" or any(part in name for part in ("balanced", "macro", "recall", "sensitivity"))


def metric_names(of: str) -> list[str]:
    """Names of the metrics for targets of this kind, sorted."""
    return sorted({*(name for kind, name in FAMILIES if kind == of), *(METRICS if of == CLASSES else ())})


def _check_parameters(text: str, family: Family, values: dict[str, Any], n: int | None) -> None:
    """Refuse parameters that are unknown, missing or of no use (ValueError)."""
    for key, value in values.items():
        if key not in family.takes:
            known = ", ".join(family.takes) or "none"
            raise ValueError(
                f"metric '{text}': unknown parameter '{key}'{nearest(key, family.takes)}; it takes: {known}"
            )
        wanted = family.takes[key].wrong(value, n)
        if wanted is not None:
            found = f"{key} is missing" if value is None else f"{key} = {json.dumps(value)}"
            raise ValueError(f"metric '{text}': {found}; wanted {wanted}")


def _unknown(text: str, name: str, of: str) -> str:
    known = metric_names(of)
    others = sorted(kind for kind in (CLASSES, LABELS, NUMBERS) if kind != of and name in metric_names(kind))
    if others:
        return (
            f"metric '{text}' is for targets that are {' or '.join(others)}, and those of this task are {of}; for these there are: "
            f"{', '.join(known)}"
        )
    return f"metric '{text}' is unknown{nearest(name, known)}; known: {', '.join(known)}; parameters in brackets: fbeta(average=macro, beta=2)"


def _classes(value: Callable[..., Any]) -> Make:
    """Of predicted classes by a tally; value: (parameters) -> (Tally) -> float."""

    def make(p: dict[str, Any]) -> Metric:
        of_tally = value(p)
        return Metric("", lambda y, o: _ClassScorer(of_tally, y, o), of_tally=of_tally, of_answers=True)

    return make


def _matrix(value: Callable[..., Any], greater: bool = True, undefined: float = nan) -> Make:
    """Of a confusion matrix; value: (parameters) -> (matrix) -> float; undefined : what is agreed on where that is NaN."""

    def make(p: dict[str, Any]) -> Metric:
        of_matrix = value(p)
        return Metric("", lambda y, o: answers.ByConfusion(of_matrix, y, o, undefined), greater, of_answers=True)

    return make


def _plain(prepare: Callable[..., Any], greater: bool = True, of_answers: bool = False) -> Make:
    """prepare: (targets, outputs, **parameters) -> Scorer."""

    def make(p: dict[str, Any]) -> Metric:
        return Metric("", lambda y, o: prepare(y, o, **p), greater, of_answers=of_answers)

    return make


def _proper(prepare: Callable[..., Any], weighs_classes: bool = False) -> Make:
    """A proper score of probabilities, smaller is better; prepare: (targets, outputs, **parameters) -> Scorer."""
    plain = _plain(prepare, greater=False)

    def make(p: dict[str, Any]) -> Metric:
        weights = tuple(p["weights"]) if weighs_classes and p["weights"] is not None else None
        return replace(plain(p), of_probabilities=OfProbabilities(float(p.get("eps", 0.0)), weights))

    return make


def _kappa(power: int | None) -> Make:
    powers = {"none": 0, "linear": 1, "quadratic": 2}
    return _matrix(
        lambda p: lambda m: answers.kappa(m, powers[p["weights"]] if power is None else power),
        undefined=1.0,  # all is one class, and right
    )


def _fixed(average: str) -> Make:
    return _plain(lambda y, o: answers.label_fbeta(y, o, 1.0, average), of_answers=True)


def _cost(p: dict[str, Any]) -> Callable[[np.ndarray], float]:
    prices = np.asarray(p["matrix"], dtype=np.float64)
    return lambda m: answers.cost(m, prices)


_BETA = at_least(2, 0)
_K = whole(5, 1)
_EPS = between(values.EPS, 0, 0.5)
_OVER_CLASSES = ("macro", "micro", "weighted", "binary")
_OVER_LABELS = ("samples", "macro", "micro", "weighted")
_OVER_COLUMNS = ("macro", "micro", "weighted")  # ranked within a column: a row alone has no ranking of rows

FAMILIES: dict[tuple[str, str], Family] = {
    # One of several classes.
    (CLASSES, "error"): Family(
        CLASSES, {}, _matrix(lambda p: lambda m: 1 - np.trace(m) / m.sum(), greater=False), most=1.0
    ),
    (CLASSES, "fbeta"): Family(
        CLASSES,
        {"beta": _BETA, "average": one_of("macro", *_OVER_CLASSES)},
        _classes(lambda p: answers.class_fbeta(p["beta"], p["average"])),
    ),
    (CLASSES, "f1"): Family(
        CLASSES,
        {"average": one_of("binary", *_OVER_CLASSES)},
        _classes(lambda p: answers.class_fbeta(1.0, p["average"])),
    ),
    (CLASSES, "micro_f1"): Family(CLASSES, {}, _classes(lambda p: answers.class_fbeta(1.0, "micro"))),
    (CLASSES, "mcc"): Family(CLASSES, {}, _classes(lambda p: answers.Matthews()), least=-1.0),
    (CLASSES, "kappa"): Family(
        CLASSES, {"weights": one_of("none", "none", "linear", "quadratic")}, _kappa(None), least=-1.0
    ),
    (CLASSES, "quadratic_kappa"): Family(CLASSES, {}, _kappa(2), least=-1.0),
    (CLASSES, "linear_kappa"): Family(CLASSES, {}, _kappa(1), least=-1.0),
    (CLASSES, "cost"): Family(CLASSES, {"matrix": prices()}, _matrix(_cost, greater=False), least=-inf),
    (CLASSES, "map_at_k"): Family(CLASSES, {"k": _K}, _plain(ranking.mean_average_precision_at)),
    (CLASSES, "gap"): Family(CLASSES, {}, _plain(ranking.global_average_precision)),
    (CLASSES, "top_k_accuracy"): Family(CLASSES, {"k": _K}, _plain(ranking.top_k_accuracy)),
    (CLASSES, "log_loss"): Family(
        CLASSES,
        {"eps": _EPS, "weights": weight_of_each("classes")},
        _proper(values.class_log_loss, weighs_classes=True),
    ),
    (CLASSES, "brier"): Family(CLASSES, {}, _proper(values.class_brier)),
    (CLASSES, "average_precision"): Family(
        CLASSES,
        {},
        _plain(lambda y, o: ranking.average_precision(y == 1, np.asarray(o[:, 1], np.float64))),
        two_classes=True,
    ),
    (CLASSES, "partial_auc"): Family(
        CLASSES,
        {"min_tpr": between(0.8, 0, 1, with_low=True)},
        _plain(lambda y, o, min_tpr: ranking.partial_auc(y == 1, np.asarray(o[:, 1], np.float64), min_tpr)),
        two_classes=True,
    ),
    (CLASSES, "probabilistic_f"): Family(
        CLASSES,
        {"beta": at_least(1, 0)},
        _plain(lambda y, o, beta: values.probabilistic_f(y, o[:, 1], beta)),
        two_classes=True,
    ),
    # Any of several labels.
    (LABELS, "fbeta"): Family(
        LABELS,
        {"beta": _BETA, "average": one_of("samples", *_OVER_LABELS)},
        _plain(answers.label_fbeta, of_answers=True),
    ),
    (LABELS, "f1"): Family(
        LABELS,
        {"average": one_of("samples", *_OVER_LABELS)},
        _plain(lambda y, o, average: answers.label_fbeta(y, o, 1.0, average), of_answers=True),
    ),
    (LABELS, "micro_f1"): Family(LABELS, {}, _fixed("micro")),
    (LABELS, "macro_f1"): Family(LABELS, {}, _fixed("macro")),
    (LABELS, "samples_f1"): Family(LABELS, {}, _fixed("samples")),
    (LABELS, "weighted_f1"): Family(LABELS, {}, _fixed("weighted")),
    (LABELS, "jaccard"): Family(
        LABELS, {"average": one_of("samples", *_OVER_LABELS)}, _plain(answers.label_jaccard, of_answers=True)
    ),
    (LABELS, "hamming_loss"): Family(
        LABELS, {}, _plain(answers.label_hamming, greater=False, of_answers=True), most=1.0
    ),
    (LABELS, "accuracy"): Family(LABELS, {}, _plain(answers.label_exact, of_answers=True)),
    (LABELS, "roc_auc"): Family(LABELS, {"average": one_of("macro", *_OVER_COLUMNS)}, _plain(ranking.label_auc)),
    (LABELS, "average_precision"): Family(
        LABELS, {"average": one_of("macro", *_OVER_COLUMNS)}, _plain(ranking.label_average_precision)
    ),
    (LABELS, "map_at_k"): Family(LABELS, {"k": _K}, _plain(ranking.mean_average_precision_at)),
    (LABELS, "log_loss"): Family(
        LABELS, {"eps": _EPS, "weights": weight_of_each("labels")}, _proper(values.label_log_loss)
    ),
    (LABELS, "brier"): Family(LABELS, {}, _proper(values.label_brier)),
    # Numbers.
    (NUMBERS, "rmse"): Family(NUMBERS, {}, _plain(values.root_mean_square, greater=False)),
    (NUMBERS, "mcrmse"): Family(
        NUMBERS, {}, _plain(lambda y, o: values.root_mean_square(y, o, per_column=True), greater=False)
    ),
    (NUMBERS, "rmsle"): Family(NUMBERS, {}, _plain(values.root_mean_square_log, greater=False)),
    (NUMBERS, "mae"): Family(NUMBERS, {}, _plain(values.mean_absolute, greater=False)),
    (NUMBERS, "r2"): Family(NUMBERS, {}, _plain(values.explained), least=-inf),
    (NUMBERS, "pearson"): Family(NUMBERS, {}, _plain(values.pearson), least=-1.0),
}
"""By (kind of targets, name). The plain metrics of exclusive classes, without parameters, are those of `METRICS`."""
