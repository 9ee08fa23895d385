"""The mean of runs: same rule for OOF and test, order of members does not matter, partial runs are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.competition.tasks import TASKS
from harness.oof.ensemble.blend import Blend, best_runs, blend_name, mean_of_probabilities, named_or_best, scaling_of
from harness.runs import Run, load_run
from tests.conftest import FOLDER_TOML
from tests.runs.test_run import make_run


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("project") / "competitions" / "pets"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(FOLDER_TOML.replace('["circle", "square"]', '["cat", "dog"]'))
    return find_competition(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load_run(make_run(tmp_path_factory.mktemp("runs") / "one").path)


def varied(run: Run, seed: int) -> Run:
    """The same rows with other probabilities, test rows in another order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(4)
    return replace(
        run,
        path=run.path.with_name(f"run{seed}"),
        oof=rng.dirichlet(np.ones(2), 12).astype(np.float32),
        test=rng.dirichlet(np.ones(2), 4).astype(np.float32),
        test_ids=run.test_ids[order],
    )


@settings(max_examples=20, deadline=None)
@given(seeds=st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True))
def test_order_of_members_does_not_matter_and_rows_meet_by_id(pets, run: Run, seeds: list[int]):
    runs = [varied(run, s) for s in seeds]
    blend, reverse = mean_of_probabilities(runs, pets), mean_of_probabilities(runs[::-1], pets)
    assert blend.name == reverse.name
    np.testing.assert_allclose(blend.oof, reverse.oof, atol=1e-6)
    of_id = dict(zip(reverse.test_ids, reverse.test, strict=True))
    for i, row in zip(blend.test_ids, blend.test, strict=True):
        np.testing.assert_allclose(row, of_id[i], atol=1e-6)
        mean = np.mean([r.test[r.test_ids.tolist().index(i)] for r in runs], axis=0)
        np.testing.assert_allclose(row, mean, atol=1e-6)


def test_a_single_run_is_itself(pets, run: Run):
    blend = mean_of_probabilities([run], pets)
    assert blend.name == run.name and np.array_equal(blend.oof, run.oof)


def test_equal_runs_blend_to_themselves_with_the_same_score(pets, run: Run):
    twin = replace(run, path=run.path.with_name("twin"))
    blend = mean_of_probabilities([run, twin], pets)
    np.testing.assert_allclose(blend.oof, run.oof, atol=1e-7)
    assert blend.scores == mean_of_probabilities([run], pets).scores


def test_partial_runs_and_hidden_tests_are_refused(pets, run: Run):
    with pytest.raises(UserError, match="run 'one' is partial: 2 of 3 folds. Finish it: "):
        mean_of_probabilities([replace(run, scores={"folds": [0, 1]})], pets)
    with pytest.raises(UserError, match="has no test predictions"):
        mean_of_probabilities([replace(run, test=None)], pets)


def test_best_runs_follow_the_metrics_direction_and_leave_out_what_does_not_fit(pets, tmp_path: Path, capsys):
    def scored(name: str, value: float, metric: str = "accuracy", greater: bool = True, **changes) -> None:
        folder = make_run(tmp_path / "oof" / "pets" / name, **changes)
        line = {"pooled": value, "greater_is_better": greater}
        folder.finish({"metric": metric, "metrics": {metric: line}, "complete": value > 0.05, "folds": [0, 1, 2]})

    scored("low", 0.1)
    scored("high", 0.9)
    scored("partial", 0.01)
    scored("other-data", 0.95, fingerprint="beef")
    scored("other-folds", 0.5, fold_seed=1)  # cannot be blended with the best one
    scored("loss", 0.99, metric="log_loss", greater=False)
    scored("more-loss", 1.2, metric="log_loss", greater=False)
    scored("damaged", 0.99)
    (tmp_path / "oof" / "pets" / "damaged" / "environment.json").write_text("{")
    assert [p.name for p in best_runs(tmp_path, pets, "f00d")] == ["high", "low"]
    assert "left out: " in (said := capsys.readouterr().err) and "damaged: environment.json" in said
    assert "scored by another metric than competition.toml's 'accuracy': loss, more-loss. The same harness.cv" in said
    by_loss = pets.model_copy(update={"metric": "log_loss"})
    assert [p.name for p in best_runs(tmp_path, by_loss, "f00d")] == ["loss", "more-loss"]


def test_where_no_run_has_a_score_by_the_metric_that_is_said(pets, tmp_path: Path):
    folder = make_run(tmp_path / "oof" / "pets" / "loss")
    line = {"pooled": 0.5, "greater_is_better": False}
    folder.finish({"metric": "log_loss", "metrics": {"log_loss": line}, "complete": True, "folds": [0, 1, 2]})
    with pytest.raises(UserError, match=r"no complete run of 'pets'(.|\n)*another metric than .*'accuracy': loss\."):
        named_or_best(pets, tmp_path, [])


def test_a_blend_of_samples_is_named_so():
    assert blend_name(["sample-a", "sample-b"]).startswith("sample-blend-")
    assert blend_name(["sample-a", "b"]).startswith("blend-")


def test_each_fold_is_scaled_and_then_averaged_and_votes_stay_as_they_are():
    folds = tuple(np.array(rows, dtype=np.float32) for rows in ([[0.9, 0.1], [0.5, 0.5]], [[0.1, 0.9], [0.8, 0.2]]))
    scores = {"decision": {"scaling": {"values": {"scale": [0.5], "bias": [0.0]}}}}
    ids, mean = np.array(["a", "b"]), np.mean(folds, axis=0)
    blend = Blend("x", ("x",), mean, np.ones(2, bool), ids, mean, scores, folds)
    odds = [np.sqrt(fold[:, 0] / fold[:, 1]) for fold in folds]  # a temperature of two
    first = np.mean([o / (1 + o) for o in odds], axis=0)
    np.testing.assert_allclose(blend.scaled_test(TASKS["single"]), np.column_stack([first, 1 - first]), atol=1e-6)
    assert replace(blend, test_folds=()).scaled_test(TASKS["single"]) is mean
    assert replace(blend, scores={"decision": None}).scaled_test(TASKS["single"]) is mean
    assert [
        scaling_of(s) for s in ({}, {"decision": {"values": [0.5]}}, {"decision": {"scaling": {"values": {}}}})
    ] == [{}] * 3
