"""A forecast in lines for a terminal, and as a page with what the test images look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.base.untrusted_text import counted
from harness.competition import Competition
from harness.competition.scoring.registry import NUMBERS
from harness.data.cache import Dataset
from harness.oof.forecast.domain_shift import Shift
from harness.oof.forecast.estimators import ESTIMATORS
from harness.oof.forecast.forecast import IN_METRIC, Forecast
from harness.oof.forecast.inputs import Looks
from harness.oof.forecast.interval import LEVEL, Range
from harness.oof.forecast.kinds import KINDS
from harness.report import figures
from harness.report.gallery import Shot, top_bars
from harness.report.page import Page, Section

_GALLERY = 24


def forecast_lines(found: Forecast) -> list[str]:
    """What to say of it in a few lines, the score first."""
    name = found.metric.replace("_", " ")
    lines = [f"forecast: public {name} {_shown(found.public)}"]
    if found.private:
        lines.append(f"          private {name} {_shown(found.private)}")
    lines.append(f"          from {_parts(found)}")
    lines += [f"          {note}" for note in found.notes]
    return lines


def _shown(found: Range) -> str:
    rows = f", {counted(found.rows, 'row')}" if found.rows else ", rows not known: without the luck of the draw"
    return f"{found.score:.4f}, {100 * LEVEL:.0f} % interval {found.low:.4f} to {found.high:.4f}{rows}"


def _parts(found: Forecast) -> str:
    fell = -found.fall if found.greater_is_better else found.fall
    rose = found.gain if found.greater_is_better else -found.gain
    parts = [f"OOF {found.oof['score']:.4f}"]
    if found.kind in ("test images", "test predictions"):
        parts.append(f"shift {fell:+.4f} (by {found.rule}, off by {found.rule_error:.4f} on corruptions left out)")
    elif found.kind == "hidden test":
        parts.append(f"scenarios {fell:+.4f}")
    elif found.kind == "unmeasured shift":
        parts.append(f"unmeasured shift {fell:+.4f}")
    if found.gain:
        parts.append(f"averaging the fold models {rose:+.4f}")
    if found.history:
        parts.append(f"history {found.history['offset']:+.4f} over {found.history['own']} submissions")
    return ", ".join(parts)


def part_table(found: Forecast) -> tuple[list[str], list[list[str]]]:
    """Header and rows: what the forecast is made of."""
    sign = 1 if found.greater_is_better else -1
    rows = [["OOF", f"{found.oof['score']:.5f}", f"95 %: {found.oof['low']:.5f} to {found.oof['high']:.5f}"]]
    if found.kind == "hidden test":
        rows.append(["scenarios", f"{-sign * found.fall:+.5f}", "median of the mixture below"])
    elif found.rule:
        note = f"by '{found.rule}'; mean error {found.rule_error:.5f} on corruptions left out"
        rows.append(["shift", f"{-sign * found.fall:+.5f}", note])
    if found.estimators:
        others = [name for name in ESTIMATORS if name not in found.estimators]
        without = f"; not to be had for this task, or without images: {', '.join(others)}" if others else ""
        rows.append(["estimators", str(len(found.estimators)), ", ".join(found.estimators) + without])
    rows.append(["averaging the fold models", f"{sign * found.gain:+.5f}", "judged by their own mean"])
    if found.history:
        h = found.history
        rows.append(
            ["history", f"{h['offset']:+.5f}", f"public - CV over {h['own']} submissions, spread {h['spread']:.5f}"]
        )
    for name, part in (("public", found.public), ("private", found.private)):
        if part:
            rows.append([f"{name} score", f"{part.score:.5f}", f"90 %: {part.low:.5f} to {part.high:.5f}"])
    return ["part", "value", "note"], rows


def write_forecast(
    path: Path,
    competition: Competition,
    found: Forecast,
    shift: Shift | None,
    looks: Looks | None,
    dataset: Dataset,
    test: np.ndarray | None = None,
) -> None:
    """Write forecast.html; test : float (t, C), what was predicted of the test images, or None."""
    warnings = ["Embedded sample, not the competition's data."] if dataset.is_sample else []
    page = Page(
        title=f"{competition.title}: forecast of {found.run}",
        lead=f"What the leaderboard will show, from {found.kind}, before a submission is spent.",
        warnings=warnings + [note[0].upper() + note[1:] + "." for note in found.notes],
    )
    name = found.metric.replace("_", " ")
    page.card(f"public {name}", f"{found.public.score:.4f}", f"90 %: {found.public.low:.4f} to {found.public.high:.4f}")
    if found.private:
        page.card("private", f"{found.private.score:.4f}", f"90 %: {found.private.low:.4f} to {found.private.high:.4f}")
    page.card(f"OOF {name}", f"{found.oof['score']:.4f}", f"95 %: {found.oof['low']:.4f} to {found.oof['high']:.4f}")
    if found.shift:
        page.card("train against test", f"AUC {found.shift['auc']:.2f}", "0.5: nobody can tell them apart")
    section = page.section("What it is made of")
    section.table(*part_table(found))
    section.figure(figures.score_bars(_bars(found), name), "Scores with their intervals; estimators alone as points.")
    if found.scenarios:
        _scenarios(page, found)
    if found.disagreement is not None:
        page.section("Fold models").text(
            f"{KINDS[competition.kind.of]().says_apart(found.disagreement)} For models of one "
            "recipe that is near their error, or below it where they share mistakes (Jiang and others 2022); for metrics that it "
            "bounds (accuracy, Hamming loss, distances) the forecast assumes no smaller error."
        )
    if shift is not None and looks is not None:
        _pictures(page.section("What gives the test images away"), competition, shift, looks, dataset, test)
    if found.shares:
        rows = [[n, f"{100 * a:.2f} %", f"{100 * b:.2f} %"] for n, (a, b) in found.shares.items()]
        section = page.section("Shares of the classes")
        section.table(["class", "in training", "expected in the test"], rows, folded=True)
        section.text(
            "Expected: by black box shift estimation (Lipton and others 2018; of labels by the adjusted count), if only the shares changed."
        )
    page.write(path)


def _bars(found: Forecast) -> dict[str, dict[str, float]]:
    sign = 1 if found.greater_is_better else -1
    bars = {"OOF": {**found.oof, "pooled": found.oof["score"], "mean": found.oof["score"]}}
    for name, part in (("public forecast", found.public), ("private forecast", found.private)):
        if part:
            bars[name] = {"pooled": part.score, "low": part.low, "high": part.high, "mean": part.score}
    told = {name: fall for name, fall in found.estimators.items() if name in (*IN_METRIC, "threshold", "entropy")}
    for name, fall in told.items():
        score = found.oof["score"] - sign * fall
        bars[f"by {name} alone"] = {"pooled": score, "low": score, "high": score, "mean": score}
    return bars


def _scenarios(page: Page, found: Forecast) -> None:
    rows = [
        [n, f"{100 * s['weight']:.0f} %", f"{s['score']:.4f}", f"{s['worst']:.4f}"] for n, s in found.scenarios.items()
    ]
    section = page.section("Scenarios of the hidden test")
    section.table(["scenario", "weight", "mean score", "worst"], rows)
    section.text("The weights are a guess, the scores are measured by the noise suite.")


def _pictures(
    section: Section,
    competition: Competition,
    shift: Shift,
    looks: Looks,
    dataset: Dataset,
    test: np.ndarray | None,
) -> None:
    rows = [[n, f"{auc:.3f}", f"{difference:+.2f}"] for n, auc, difference in shift.telling[:8]]
    section.table(["statistic", "AUC alone", "difference in standard deviations"], rows)
    section.text(f"All together: AUC {shift.auc:.3f} [{shift.low:.3f}, {shift.high:.3f}]. The least like training:")
    worst = np.argsort(-shift.likeness)[:_GALLERY]
    chosen = looks.test_rows[worst]
    assert dataset.test is not None
    ids = [str(dataset.test.ids[row]) for row in chosen]
    captions = [f"{row_id}: {shift.likeness[place]:.2f}" for row_id, place in zip(ids, worst, strict=True)]
    shots = [
        _shot(competition, row_id, caption, None if test is None else test[row])
        for row_id, caption, row in zip(ids, captions, chosen, strict=True)
    ]
    section.gallery(np.stack([dataset.test.images[row] for row in chosen]), shots)


def _shot(competition: Competition, row_id: str, caption: str, said: np.ndarray | None) -> Shot:
    """A test image with what was predicted of it, by which the gallery is filtered; said : float (C,), or None."""
    kind, names = competition.kind, competition.classes
    if said is None or kind.of == NUMBERS:
        return Shot(caption, row_id)
    bars = top_bars(names, np.asarray(said, dtype=np.float32))
    if not kind.is_one_class:
        return Shot(caption, row_id, bars=bars)
    best = int(np.argmax(said))
    return Shot(f"{caption}, {names[best]}", row_id, {"most probable": names[best]}, float(said[best]), bars)
