"""Forecasts of simulated runs: near the truth, and plain about what they cannot know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.competition import find_competition
from harness.competition.metrics import METRICS
from harness.competition.scoring.registry import find_metric
from harness.cv.noise.suite import Suite
from harness.cv.scores import competition_metrics, score_run
from harness.oof.forecast.calibration import Cells, known_rows, suite_cells
from harness.oof.forecast.evaluation import Fared, on_leaderboards, past_table
from harness.oof.forecast.forecast import MIXTURE, forecast
from harness.oof.forecast.inputs import ForecastInputs, Looks
from harness.oof.forecast.track_record import History, Past
from harness.runs import Folds
from tests.conftest import FOLDER_TOML
from tests.oof.forecast.test_estimators import calibrated_rows

N, T = 3000, 2000


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("project") / "competitions" / "pets"
    folder.mkdir(parents=True)
    text = FOLDER_TOML.replace('["circle", "square"]', '["cat", "dog", "owl"]')
    (folder / "competition.toml").write_text(text + "\n[leaderboard]\npublic_share = 0.3\nprivate_share = 0.7\n")
    return find_competition(folder)


def noisier(proba: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """A model that sees less: less sure, and led astray by what all models see (seed // 10) and by its own noise."""
    everyone, own = np.random.default_rng(seed // 10), np.random.default_rng(seed)
    logs = np.log(np.clip(proba, 1e-4, 1)) / (1 + strength)
    logs += strength * (everyone.normal(size=proba.shape) + 0.5 * own.normal(size=proba.shape))
    e = np.exp(logs - logs.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def make_subject(metric: str = "accuracy") -> ForecastInputs:
    proba, labels = calibrated_rows(N, sharpness=6.0)
    rows = np.arange(0, N, 3)
    names = tuple(f"c{i}" for i in range(10))
    suite = Suite(
        names=names,
        rows=rows,
        proba=np.array(
            [[noisier(proba[rows], 0.3 * (s + 1), 10 * (5 * i + s)) for s in range(5)] for i in range(10)]
        ).astype(np.float16),
        statistics=np.random.default_rng(0).normal(size=(10, 5, len(rows), 20)).astype(np.float32),
        clean_statistics=np.random.default_rng(1).normal(size=(len(rows), 20)).astype(np.float32),
    )
    score = find_metric(metric)(labels, proba)
    scores = {"complete": True, "metrics": {metric: {"pooled": score, "low": score - 0.012, "high": score + 0.012}}}
    folds = Folds(np.arange(N).astype(str), np.arange(N), (np.arange(N) % 5).astype(np.int8))
    return ForecastInputs("one", labels, folds, proba, scores, None, [], suite)


@pytest.fixture(scope="module")
def subject() -> ForecastInputs:
    return make_subject()


@pytest.fixture(scope="module")
def cells(pets, subject: ForecastInputs) -> Cells:
    """What the suite says of the estimators: the same whatever is forecast."""
    assert subject.suite is not None
    return suite_cells(known_rows(subject, competition_metrics(pets)[0], subject.suite), subject)


def test_cells_at_hand_change_nothing(pets, subject: ForecastInputs, cells: Cells):
    proba, _ = calibrated_rows(T, sharpness=6.0, seed=9)
    seen = replace(subject, test_folds=[proba] * 2)
    at_hand, found = forecast(pets, seen, cells=cells)[0], forecast(pets, seen)[0]
    assert (at_hand.public, at_hand.private, at_hand.rule) == (found.public, found.private, found.rule)
    assert at_hand.estimators == found.estimators and at_hand.fall == found.fall


@pytest.mark.parametrize("strength", [0.0, 0.6, 1.2])
def test_the_truth_is_inside_and_the_middle_is_near(pets, subject: ForecastInputs, cells: Cells, strength: float):
    proba, labels = calibrated_rows(T, sharpness=6.0, seed=9)
    folds = [noisier(proba, strength, 5000 + k) for k in range(3)] if strength else [proba] * 3
    found, shift = forecast(pets, replace(subject, test_folds=folds), cells=cells)
    truth = METRICS["accuracy"](labels, np.mean(folds, axis=0))
    assert found.public.low <= truth <= found.public.high
    assert found.public.score == pytest.approx(truth, abs=0.08)
    assert shift is None and found.kind == "test predictions" and "importance" not in found.estimators
    assert found.public.rows == 600 and found.private.rows == 1400
    public, private = (r.high - r.low for r in (found.public, found.private))
    assert private < public  # fewer rows, more luck


def test_a_hidden_test_gets_a_table_of_scenarios(pets, subject: ForecastInputs, cells: Cells):
    found, _ = forecast(pets, subject, test_rows=1000, cells=cells)
    assert found.kind == "hidden test" and list(found.scenarios) == list(MIXTURE)
    table = found.scenarios
    assert table["as in training"]["score"] > table["mild (severities 1 and 2)"]["score"]
    assert table["strong (severities 3 to 5)"]["worst"] < table["mild (severities 1 and 2)"]["worst"]
    assert found.public.low < table["mild (severities 1 and 2)"]["score"] < found.public.high
    assert any("our guess" in note for note in found.notes)
    assert sum(weight for weight, _, _ in MIXTURE.values()) == pytest.approx(1)


def test_without_the_noise_suite_only_luck_is_in_the_interval_and_that_is_said(pets, subject: ForecastInputs):
    proba, _ = calibrated_rows(T, sharpness=6.0, seed=9)
    found, _ = forecast(pets, replace(subject, suite=None, test_folds=[proba, proba]))
    assert found.kind == "sampling only" and found.rule is None and found.fall == 0
    assert any("noise suite was not run" in note for note in found.notes)


@pytest.mark.parametrize("seen", [True, False])
def test_a_suite_on_which_the_metric_is_not_defined_is_no_suite_and_that_is_said(tmp_path: Path, seen: bool):
    folder = tmp_path / "competitions" / "pets"
    folder.mkdir(parents=True)
    text = FOLDER_TOML.replace('"circle", "square"', '"cat", "dog", "owl"').replace('"accuracy"', '"roc_auc"')
    (folder / "competition.toml").write_text(text)
    whole = make_subject("roc_auc")
    assert whole.suite is not None
    of_cats = whole.labels[whole.suite.rows] == 0  # no dog, no owl: no AUC
    suite = replace(
        whole.suite,
        rows=whole.suite.rows[of_cats],
        proba=whole.suite.proba[:, :, of_cats],
        statistics=whole.suite.statistics[:, :, of_cats],
        clean_statistics=whole.suite.clean_statistics[of_cats],
    )
    proba, _ = calibrated_rows(T, sharpness=6.0, seed=9)
    found, _ = forecast(
        find_competition(folder), replace(whole, suite=suite, test_folds=[proba, proba] if seen else [])
    )
    assert found.kind == "sampling only" and found.rule is None and found.fall == 0
    assert np.isfinite(found.public.score)
    assert any("roc_auc is not defined on its" in note and "--noise-rows" in note for note in found.notes)
    assert not any("was not run" in note for note in found.notes)


def test_three_submissions_pull_the_forecast_and_two_do_not(pets, subject: ForecastInputs, cells: Cells):
    proba, _ = calibrated_rows(T, sharpness=6.0, seed=9)
    seen = replace(subject, test_folds=[proba] * 2)
    plain, _ = forecast(pets, seen, cells=cells)
    past = [Past("pets", 0.9, 0.9 - 0.1 + 0.001 * i, metric=pets.metric) for i in range(3)]
    two, _ = forecast(pets, seen, past=past[:2], cells=cells)
    three, _ = forecast(pets, seen, past=past, cells=cells)
    assert two.public == plain.public and two.history is None
    assert three.history["offset"] == pytest.approx(-0.099) and three.history["own"] == 3
    assert three.public.score < plain.public.score - 0.05


def test_others_count_a_tenth():
    own = [Past("pets", 0.9, public, metric="accuracy") for public in (0.88, 0.89, 0.87)]
    other = [Past("digits", 0.9, 0.95, metric="accuracy")] * 10
    losses = [Past("letters", 0.3, 0.9, metric="log_loss")] * 99
    assert History.of([*own, *other, *losses], "pets", "accuracy").offset == pytest.approx(
        (-0.06 + 10 * 0.1 * 0.05) / 4
    )
    assert History.of(other, "pets", "accuracy") is None


def test_submissions_of_before_the_metric_was_corrected_have_no_say():
    guessed = [Past("pets", 0.97, 0.12, metric="accuracy")] * 3
    assert History.of(guessed, "pets", "log_loss") is None
    corrected = [Past("pets", 0.15, 0.12 + 0.01 * i, metric="log_loss") for i in range(3)]
    history = History.of([*guessed, *corrected], "pets", "log_loss")
    assert history is not None and history.own == 3 and history.offset == pytest.approx(-0.02)


def test_a_metric_that_should_be_small_is_forecast_too(pets, tmp_path: Path):
    subject = make_subject("log_loss")
    contest = pets.model_copy(update={"metric": "log_loss"})
    proba, labels = calibrated_rows(T, sharpness=6.0, seed=9)
    folds = [noisier(proba, 1.2, 5000 + k) for k in range(3)]
    found, _ = forecast(contest, replace(subject, test_folds=folds))
    truth = find_metric("log_loss")(labels, np.mean(folds, axis=0))
    assert found.fall > 0 and found.public.low <= truth <= found.public.high and found.public.low >= 0


def test_leaderboard_rows(pets):
    rows = pets.leaderboard.rows
    assert rows(1000) == (300, 700) and rows(0) == (0, 0)
    counted = pets.leaderboard.model_copy(update={"counted": 500, "private_share": None})
    assert counted.rows(1000) == (150, None) and counted.rows(100) == (30, None) and counted.rows(0) == (150, None)


def test_a_metric_of_ones_own_above_one_is_forecast(pets, subject: ForecastInputs):
    contest = pets.model_copy(update={"metric": "custom"})
    (pets.folder / "competition.py").write_text(
        "def score(labels, proba):\n    return 100 * float((proba.argmax(1) == labels).mean())\n"
    )
    scores = {"complete": True, "metrics": {"custom": {"pooled": 84.0, "low": 82.8, "high": 85.2}}}
    proba, _ = calibrated_rows(300, sharpness=6.0, seed=9)
    found, _ = forecast(contest, replace(subject, scores=scores, test_folds=[proba, proba]))
    assert np.isfinite([found.public.score, found.public.low, found.public.high]).all() and found.public.high > 50


def test_a_run_without_a_mistake_still_needs_luck(pets, subject: ForecastInputs):
    scores = {"complete": True, "metrics": {"accuracy": {"pooled": 1.0, "low": 1.0, "high": 1.0}}}
    sure = np.eye(3)[subject.labels]
    found, _ = forecast(pets, replace(subject, oof=sure, scores=scores, suite=None, test_folds=[sure[:50]]))
    assert found.public.low < 1.0


def test_models_that_learnt_from_the_test_are_not_asked_about_it(pets, subject: ForecastInputs, cells: Cells):
    proba, _ = calibrated_rows(T, sharpness=6.0, seed=9)
    found, _ = forecast(pets, replace(subject, test_folds=[proba, proba], pseudo=True), cells=cells)
    assert found.estimators == {} and any("learnt from confident test rows" in note for note in found.notes)


def test_what_makes_the_score_too_good_is_repeated(pets, subject: ForecastInputs, cells: Cells):
    found, _ = forecast(pets, replace(subject, caveats=("the best epoch was picked on the scored rows",)), cells=cells)
    assert "the best epoch was picked on the scored rows" in found.notes


def test_the_table_of_the_past_shows_submissions_of_which_no_or_half_a_forecast_is_known():
    past = [
        Past("pets", 0.9, 0.88, 0.89, 0.87, 0.91),
        Past("pets", 0.9, 0.8),
        Past("pets", 0.9, 0.8, low=0.7, high=0.9),
    ]
    assert [row[2] for row in past_table(past)[1]] == ["0.89000 [0.87000, 0.91000]", "none", "none"]
    assert on_leaderboards(past) == Fared("leaderboard", 1, 1.0, pytest.approx(0.01), pytest.approx(0.02))


def looks_of(difference: float, n: int = 500) -> Looks:
    rng = np.random.default_rng(3)
    test = rng.normal(size=(n, 20)) + difference
    return Looks(rng.normal(size=(n, 20)).astype(np.float32), np.arange(n), test.astype(np.float32), np.arange(n))


def test_foreign_test_images_without_a_noise_suite_are_told_loudly_and_widen_the_lower_end(
    pets, subject: ForecastInputs
):
    proba, _ = calibrated_rows(T, sharpness=6.0, seed=9)
    seen = replace(subject, suite=None, test_folds=[proba, proba])
    alike, _ = forecast(pets, seen, looks=looks_of(0.0))
    foreign, _ = forecast(pets, seen, looks=looks_of(3.0))
    assert alike.kind == "sampling only" and not any("DO NOT TRUST" in note for note in alike.notes)
    assert foreign.kind == "unmeasured shift" and foreign.notes[0].startswith("DO NOT TRUST THIS FORECAST")
    assert foreign.public.low < 0.5 < alike.public.low  # three classes: towards chance
    assert foreign.public.high == pytest.approx(alike.public.high, abs=0.02)
    assert foreign.public.score == pytest.approx(alike.public.score, abs=0.1)


def test_images_that_nobody_can_tell_apart_bring_the_forecast_back_to_oof(pets, subject: ForecastInputs, cells: Cells):
    """Whatever the fold models say: weak ones disagree more than they err."""
    proba, _ = calibrated_rows(T, sharpness=6.0, seed=9)
    at_odds = [noisier(proba, 0.8, 10 * k) for k in range(3)]
    seen = replace(subject, test_folds=at_odds)
    alike, _ = forecast(pets, seen, looks=looks_of(0.0), cells=cells)
    foreign, _ = forecast(pets, seen, looks=looks_of(3.0), cells=cells)
    foretold = 2 * alike.shift["high"] - 1  # the share of images that may be others: few images rule out no less
    assert alike.disagreement > 1 - alike.oof["score"] and abs(alike.fall) <= foretold < 0.1
    assert alike.public.score - alike.gain == pytest.approx(alike.oof["score"] - alike.fall, abs=0.01)
    luck = 2 * 1.645 * np.hypot(0.012 / 1.96, np.sqrt(alike.oof["score"] * (1 - alike.oof["score"]) / 600))
    assert alike.public.high - alike.public.low < 1.2 * np.hypot(luck, 1.645 * alike.gain) + foretold
    assert foreign.fall > 0.1 and foreign.public.low > 0


@pytest.mark.parametrize(
    ("task", "metric"), [("ordinal", "quadratic_kappa"), ("multilabel", "samples_f1"), ("regression", "rmse")]
)
@pytest.mark.parametrize("strength", [0.0, 0.6])
def test_every_task_is_forecast_by_its_outputs_and_decision(pets, task: str, metric: str, strength: float):
    contest = pets.model_copy(update={"task": task, "metric": metric})
    kind, score = contest.kind, competition_metrics(contest)[0]

    def outputs_of(n: int, seed: int, strength: float, model: int = 0) -> tuple[np.ndarray, np.ndarray]:
        proba, labels = calibrated_rows(n, sharpness=4.0, seed=seed)
        seen = noisier(proba, strength, 10 * seed + model + 1) if strength else proba
        if task == "ordinal":
            return seen, labels
        if task == "multilabel":
            both = np.random.default_rng(seed).permutation(n)
            return np.maximum(seen, seen[both]).clip(0.001, 0.999), np.maximum(
                np.eye(3)[labels], np.eye(3)[labels[both]]
            )
        return seen @ np.array([[0.0], [10], [20]]), (10.0 * labels)[:, None] + np.random.default_rng(seed).normal(
            0, 2, (n, 1)
        )

    oof, labels = outputs_of(N, 0, 0.0)
    folds = Folds(np.arange(N).astype(str), np.arange(N), (np.arange(N) % 5).astype(np.int8))
    rows = np.arange(0, N, 3)
    cells = [[outputs_of(N, 0, 0.2 * (s + 1), i)[0][rows] for s in range(5)] for i in range(8)]
    rng = np.random.default_rng(0)
    statistics = rng.normal(size=(8, 5, len(rows), 20)) + np.arange(5)[:, None, None] * 0.1
    suite = Suite(
        tuple(f"c{i}" for i in range(8)),
        rows,
        np.array(cells, kind.stored_as),
        statistics,
        rng.normal(size=(len(rows), 20)),
    )
    scores = score_run(contest, labels, oof, folds, list(range(5)))
    subject = ForecastInputs("one", labels, folds, oof, scores, None, [], suite, task=kind)
    made = [outputs_of(T, 7, strength, k) for k in range(3)]
    found, _ = forecast(contest, replace(subject, test_folds=[outputs for outputs, _ in made]))
    truth = score(made[0][1], subject.judged(score, np.mean([outputs for outputs, _ in made], axis=0)))
    assert found.public.low <= truth <= found.public.high
    assert bool(found.shares) == (task != "regression") and found.kind == "test predictions"
    plain = abs(found.oof["score"] - truth)
    assert abs(found.public.score - truth) <= max(0.6 * plain, 0.05 * abs(truth))


def test_a_gain_that_cannot_be_told_is_nought_and_said(pets, subject: ForecastInputs):
    contest = pets.model_copy(update={"metric": "custom"})
    (pets.folder / "competition.py").write_text(
        "def score(labels, proba):\n    return float('nan') if len(labels) != 3000 else 0.5\n"
    )
    scores = {"complete": True, "metrics": {"custom": {"pooled": 0.5, "low": 0.45, "high": 0.55, "std": 0.3}}}
    proba, _ = calibrated_rows(300, sharpness=6.0, seed=9)
    found, _ = forecast(contest, replace(subject, suite=None, scores=scores, test_folds=[proba, proba]))
    assert found.gain == 0 and any("taken as 0, give or take 0.3" in note for note in found.notes)
    assert found.public.high - found.public.low > 0.8
