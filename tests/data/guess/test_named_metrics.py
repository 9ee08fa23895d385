"""What pages and texts call metrics."""

from __future__ import annotations

import pytest

from harness.competition.scoring.registry import find_metric
from harness.competition.tasks import TASKS
from harness.data.guess.named_metrics import metric_by_name, metrics_named


@pytest.mark.parametrize(
    ("said", "guessed", "ours"),
    [
        ("MAP@{K}", "map@3", "map@3"),
        ("MAP@{K}", "accuracy", None),
        ("Mean F-Score", "samples_f1", "samples_f1"),
        ("Mean F-Score", "fbeta(beta=2)", "fbeta(beta=2)"),
        ("Mean F-Score", "roc_auc", None),
    ],
)
def test_a_number_that_the_page_leaves_out_is_the_samples(said: str, guessed: str, ours: str | None):
    assert metric_by_name(said, "multilabel", guessed) == ours


@pytest.mark.parametrize(
    ("said", "task", "ours"),
    [
        ("Quadratic Weighted Kappa", "ordinal", "quadratic_kappa"),
        ("Area Under Receiver Operating Characteristic Curve", "binary", "roc_auc"),
        ("Mean Columnwise Area Under Receiver Operating Characteristic Curve", "multilabel", "roc_auc"),
        ("Multiclass Loss", "single", "log_loss"),
        ("Categorization Accuracy", "single", "accuracy"),
        ("MAP@3", "single", "map@3"),
        ("Mean Average Precision @ 3", "single", "map@3"),
        ("Mean Average Precision at 12", "single", "map@12"),
        ("MAP@{K}", "single", None),
        ("Root Mean Squared Error", "regression", "rmse"),
        ("MCRMSE", "regression", "mcrmse"),
        ("Mean F2 Score", "multilabel", "f2"),
        ("F-Score (beta = 0.5)", "multilabel", "f0.5"),
        ("Micro-averaged F2", "multilabel", "micro_f2"),
        ("Mean F-Score", "multilabel", None),
        ("F1 Score", "single", "macro_f1"),
        ("Macro F-Score", "single", "macro_f1"),
        ("Intersection over Union of boxes", "single", None),
        ("Root Mean Squared Error", "single", None),
        ("Micro-averaged F1", "multilabel", "micro_f1"),
        ("macro averaged F1-score", "single", "macro_f1"),
        ("Weighted F1", "single", "weighted_f1"),
        ("F1 score of the positive class", "binary", "f1"),
        ("mean F1 over the images", "multilabel", "macro_f1"),
        ("F1 of each row, averaged", "multilabel", "samples_f1"),
        ("Balanced multiclass accuracy", "single", "balanced_accuracy"),
        ("accuracy on a balanced test set", "single", "accuracy"),
        ("Top-5 accuracy", "single", "top5_accuracy"),
        ("Top-1 accuracy", "single", "accuracy"),
        ("Top 1 Error", "single", "error"),
        ("Cohen's kappa", "single", "kappa"),
        ("the usual procedure", "single", None),
        ("evaluation images of rocks and soils", "single", None),
        ("Kappa with quadratic weights", "ordinal", "quadratic_kappa"),
        ("Area under the precision-recall curve", "binary", "average_precision"),
        ("Mean class accuracy", "single", "balanced_accuracy"),
        ("sklearn.metrics.f1_score", "single", "macro_f1"),
        ("F1 score on microscopy images", "single", "macro_f1"),
        ("accuracy on microscopic fields of view", "single", "accuracy"),
        ("F0.5", "multilabel", "f0.5"),
    ],
)
def test_what_kaggle_and_others_call_metrics(said: str, task: str, ours: str | None):
    found = metric_by_name(said, task)
    assert found == ours
    if found:
        find_metric(found, TASKS[task].of)


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("scored by macro-averaged F1, not by accuracy", ["macro_f1"]),
        ("accuracy (not F1)", ["accuracy"]),
        ("Not evaluated by AUC but by log loss", ["log_loss"]),
        ("log loss rather than accuracy", ["log_loss"]),
        ("Top-1 accuracy is the metric, error rates are for information", ["accuracy", "error"]),
        ("macro F1 and micro F1", ["macro_f1", "micro_f1"]),
        ("MAP@3, then MAP@5", ["map@3", "map@5"]),
        ("F1 score on microscopy images", ["macro_f1"]),
        ("nothing of the kind", []),
    ],
)
def test_all_that_a_sentence_names_and_does_not_deny(said: str, ours: list[str]):
    assert metrics_named(said, "single") == ours
