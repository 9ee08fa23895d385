"""`harness.cv`: what the command does, by the same names and to the same bits; the run that comes of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import harness
from tests.api.conftest import FAST


def test_the_run_is_the_commands(inside: Path, run_command, tmp_path: Path):
    command = run_command(
        "harness.cv",
        "shapes",
        "--recipe",
        "tiny",
        "--workers",
        "1",
        "--set",
        "train.epochs=1",
        "--set",
        "cv.folds=2",
        cwd=inside,
    )
    assert command.returncode == 0, command.stderr
    run = harness.cv("shapes", "tiny", set=FAST, workers=1, out=tmp_path, quiet=True)
    theirs = inside / "oof" / "shapes" / run.name
    for name in ("oof.parquet", "test.parquet", "folds.csv", "recipe.json"):
        assert (run.path / name).read_bytes() == (theirs / name).read_bytes(), name


def test_tables_hold_what_the_run_holds(inside: Path):
    run = harness.cv("shapes", "tiny", set=FAST, workers=1, quiet=True)
    assert list(run.oof.columns) == ["id", "fold", "label", "proba_circle", "proba_square"]
    assert len(run.oof) == 40 and set(run.oof["label"]) == {"circle", "square"}
    proba = run.oof[["proba_circle", "proba_square"]].to_numpy()
    assert np.allclose(proba.sum(axis=1), 1, atol=1e-5)
    accuracy = ((proba[:, 1] > 0.5) == (run.oof["label"] == "square")).mean()
    assert run.score.metric == "accuracy" and run.score.value == pytest.approx(accuracy)
    assert run.score.low <= run.score.value <= run.score.high
    assert run.scores.loc["accuracy", "pooled"] == run.score.value
    assert run.fold_scores["n"].sum() == 40
    assert run.test is not None and len(run.test) == 6
    assert run.report().path.is_file() and "srcdoc" in run.report()._repr_html_()


def test_a_script_run_again_trains_nothing(inside: Path, tmp_path: Path):
    part = harness.cv("shapes", "tiny", set=FAST, folds=0, workers=1, out=tmp_path, quiet=True)
    assert not part.complete and np.isnan(part.oof["proba_circle"]).sum() == 20 and "only fold 0" in repr(part)
    whole = harness.cv("shapes", "tiny", set=FAST, workers=1, out=tmp_path, quiet=True)  # goes on
    stamp = (whole.path / "fold-0.npz").stat().st_mtime_ns if (whole.path / "fold-0.npz").is_file() else None
    again = harness.cv("shapes", "tiny", set=FAST, workers=1, out=tmp_path, quiet=True)
    assert whole.complete and again.path == whole.path == part.path
    assert stamp is None or (again.path / "fold-0.npz").stat().st_mtime_ns == stamp


def test_runs_that_stand_are_opened(inside: Path, tmp_path: Path):
    run = harness.cv("shapes", "tiny", set=FAST, workers=1, out=tmp_path, quiet=True)
    comp = harness.competition("shapes")
    assert [found.name for found in comp.runs(tmp_path)] == [run.name]
    assert comp.run(run.name, tmp_path).score == run.score
    with pytest.raises(harness.UserError, match=r"no run there \(did you mean"):
        comp.run(run.name[:-1], tmp_path)


def test_what_is_wrong_is_said_as_the_command_says_it(inside: Path):
    with pytest.raises(harness.UserError, match=r"unknown key \(did you mean 'train.epochs'"):
        harness.cv("shapes", "tiny", set={"train.epoch": 3}, quiet=True)
    with pytest.raises(harness.UserError, match="has folds 0 to 1"):
        harness.cv("shapes", "tiny", set=FAST, folds=[7], quiet=True)
    with pytest.raises(harness.UserError, match="set: 'model.name': a function cannot stand in a recipe"):
        harness.cv("shapes", "tiny", set={"model.name": lambda: 0}, quiet=True)
    with pytest.raises(harness.UserError, match=r"'shape' is no competition.*did you mean 'shapes'"):
        harness.cv("shape", quiet=True)


def test_words_of_a_page_are_escaped(inside: Path):
    folder = inside / "competitions" / "odd"
    shutil.copytree(inside / "competitions" / "shapes", folder, dirs_exist_ok=True)
    toml = folder / "competition.toml"
    toml.write_text(toml.read_text().replace('"Shapes"', '"<script>alert(1)</script>"'))
    shown = harness.competition("odd")._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown


def test_runs_are_compared_combined_and_looked_at(inside: Path, tmp_path: Path):
    comp = harness.competition("shapes")
    options = {"workers": 1, "out": tmp_path, "quiet": True}
    first = harness.cv(comp, "tiny", set=FAST, noise=True, noise_rows=20, **options)
    second = harness.cv(comp, "tiny", set={**FAST, "train.lr": 0.02}, **options)
    assert first.noisy is not None and second.noisy is None
    compared = harness.compare(comp, [first, second.name], out=tmp_path)
    assert set(compared.runs.index) == {first.name, second.name} and len(compared.pairs) == 1
    assert compared.report().path == tmp_path / "oof" / "shapes" / "compare.html"
    wrong = first.errors()
    truth = (first.oof["proba_square"] > 0.5) != (first.oof["label"] == "square")
    assert wrong.run == first.name and truth.sum() <= len(wrong.rows) and wrong.report().path.is_file()
    both = harness.ensemble(comp, [first, second], out=tmp_path)
    assert set(both.members) == {first.name, second.name} and "mean" in both.methods.index
    assert both.score.low <= both.score.value <= both.score.high
    told = first.forecast()
    assert told.public.low <= told.public.value <= told.public.high and told.report().path.is_file()
    for one in (comp, first, compared, wrong, both, told):
        assert "<table>" in one._repr_html_() and repr(one).startswith("<")
