"""The noise suite of the final choice: taken by those that lack it, and an ensemble's made of its members'."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from harness.base.storage.manifest import sha256_of
from harness.competition import load_recipe
from harness.ledger import State
from harness.oof.forecast.inputs import forecast_inputs_of
from harness.play.ending import Ending
from harness.play.journal import DONE, FAILED, SKIPPED
from harness.play.stepping import ANYWAY
from harness.play.steps import finish
from harness.play.steps.table import Table
from harness.play.steps.train import train_run


def test_an_ensemble_gets_the_suite_of_its_members(table: Table):
    recipe = load_recipe(table.competition.folder, "tiny", ["cv.folds=2"])
    other = recipe.model_copy(update={"seed": 1, "name": "other"})
    names = [train_run(table, one)["run"] for one in (recipe, other)]
    finish.under_noise(table, finish.load(table, names[0]), 10)
    both = finish.combine(table, names)["run"]
    assert finish.without_suite(table, names[0]) == [] and finish.without_suite(table, both) == [names[1]]
    before = finish.load(table, both)
    assert forecast_inputs_of(before).suite is None
    assert finish.measure_falls(table, both, 10) == {"held": [names[1]], "run": both}
    suite = forecast_inputs_of(finish.load(table, both)).suite
    assert suite is not None and finish.without_suite(table, both) == []
    np.testing.assert_array_equal(finish.load(table, both).oof, before.oof)
    suites = [forecast_inputs_of(finish.load(table, name)).suite for name in names]
    if before.environment["ensemble"]["method"] == "mean":
        np.testing.assert_allclose(suite.proba, np.mean([s.proba for s in suites if s], axis=0), atol=1e-3)
    file = finish.told(finish.prepare(table, finish.load(table, both), finish_ledger(table)))
    assert file["forecast"]["rule"] is not None


def finish_ledger(table: Table) -> Any:
    from harness.ledger import open_ledger

    return open_ledger(table.out)


@pytest.mark.parametrize(("left", "fits"), [(100.0, True), (60.0, False), (0.0, False)])
def test_the_final_choice_is_held_against_the_suite_where_a_fold_that_judges_it_fits_too(
    table: Table, left: float, fits: bool
):
    recipe = load_recipe(table.competition.folder, "tiny", ["cv.folds=2", "train.epochs=1"])
    outcome = train_run(table, recipe)
    asked: list[tuple[float, float]] = []
    accounts = SimpleNamespace(
        table=table,
        runs={outcome["run"]: outcome},
        costs=SimpleNamespace(in_seconds=True),
        budget=SimpleNamespace(left=left),
        finishing=5.0,
        noise=lambda recipe: 40.0,
        noise_rows=10,
        judging=lambda name: 20.0,
        is_worth_judging=lambda name: True,
    )

    def do(key: str, what: str, why: str, work: Any, predicted: float, most: float) -> None:
        asked.append((predicted, most))

    ending = Ending(cast(Any, accounts), cast(Any, SimpleNamespace(do=do)), cast(Any, None), cast(Any, None))
    ending._measure_falls(outcome["run"])
    assert asked == [(40.0, ANYWAY if fits else 0.0)]
    finish.under_noise(table, finish.load(table, outcome["run"]), 10)
    ending._measure_falls(outcome["run"])
    assert len(asked) == 1  # it has one already
    accounts.costs.in_seconds = False
    ending._measure_falls(outcome["run"])
    assert len(asked) == 1


@pytest.mark.parametrize(("before", "sent"), [(0, 2), (1, 1), (2, 0), (3, 0)])
def test_what_an_earlier_call_has_sent_counts(monkeypatch: pytest.MonkeyPatch, before: int, sent: int):
    def entry(run: str, state: State = State.COMPLETE) -> Any:
        return SimpleNamespace(intent=SimpleNamespace(run=run), state=state)

    entries = [entry("other"), entry("one", State.REFUSED), *(entry(f"{i}") for i in range(before))]
    ledger, waiting = SimpleNamespace(entries=lambda slug: entries), [str(i) for i in range(before, 6)]

    def send(*given: Any) -> Any:
        entries.append(entry(waiting.pop(0)))
        return SimpleNamespace(summaries=[{"state": State.COMPLETE}])

    monkeypatch.setattr(finish, "_gone_on_with", lambda *given: [])
    monkeypatch.setattr(finish, "_next_to_send", lambda *given: SimpleNamespace(name=waiting[0], why="worth it"))
    monkeypatch.setattr(finish, "load", lambda *given: None)
    monkeypatch.setattr(finish, "prepare", lambda *given: None)
    monkeypatch.setattr(finish, "send_new", send)
    table = cast(Any, SimpleNamespace(competition=SimpleNamespace(slug="shapes"), out=None))
    names = ["one", *(str(i) for i in range(6))]
    assert len(finish.send_best(table, names, 2, cast(Any, ledger), print)) == sent


def test_a_forecast_from_before_the_suite_is_made_again(table: Table, tmp_path: Path):
    file = tmp_path / "sent.csv"
    file.write_text("id,label\n")
    outcome = {"file": str(file), "sha256": sha256_of(file), "forecast": {"run": "one"}}
    steps = {"forecast": SimpleNamespace(state=DONE, outcome=outcome)}
    journal = SimpleNamespace(ended=steps.get)
    ending = Ending(cast(Any, None), cast(Any, None), cast(Any, journal), cast(Any, None))
    assert ending._forecast_before("one") == outcome and ending._forecast_before("two") is None
    steps["falls/one"] = SimpleNamespace(state=SKIPPED, outcome={})
    assert ending._forecast_before("one") == outcome
    steps["falls/one"] = SimpleNamespace(state=DONE, outcome={})
    assert ending._forecast_before("one") is None


@pytest.mark.parametrize(("left", "folds"), [(3.0, 2), (12.0, 3), (100.0, 4), (-5.0, 2)])
def test_what_is_left_in_the_end_judges_on_more_folds_but_never_on_all(left: float, folds: int):
    asked: list[tuple[str, float]] = []
    decided: dict[str, int] = {"folds that judge x": 2}
    steps = {"judge/x": SimpleNamespace(state=DONE, spent=20.0)}
    costs = SimpleNamespace(in_seconds=True, k=5)
    accounts = SimpleNamespace(table=None, costs=costs, budget=SimpleNamespace(left=left))
    journal = SimpleNamespace(
        ended=steps.get, decisions=decided, decide=lambda key, choose: decided.setdefault(key, choose())
    )

    def do(key: str, what: str, why: str, work: Any, predicted: float, most: float) -> None:
        asked.append((key, predicted))

    does = SimpleNamespace(do=do, seconds=lambda key: steps[key].spent)
    ending = Ending(cast(Any, accounts), cast(Any, does), cast(Any, journal), cast(Any, None))
    ending._judge_more("x")
    assert asked == ([(f"judge/x/{folds}", (folds - 2) * 10.0)] if folds > 2 else [])
    steps["judge/x"].state = FAILED  # the metric had no value on the first folds
    told = list(asked)
    ending._judge_more("x")
    assert asked == 2 * told
    del steps["judge/x"]  # skipped
    ending._judge_more("x")
    assert asked == 2 * told
