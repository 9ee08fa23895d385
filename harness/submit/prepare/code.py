"""A run as a code submission of Kaggle: the bundle, tried here, and the package that its notebook is made of."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.competition import Competition
from harness.competition.data_spec import is_pattern
from harness.data.cache import Dataset
from harness.data.formats.images import SCALE
from harness.kernels.job import Job
from harness.kernels.pack import build_pack
from harness.oof.forecast.track_record import Past
from harness.runs import Run
from harness.submit.arguments import BundleOptions
from harness.submit.code.package import CODE, About, write_package
from harness.submit.prepare.bundle import Bundled, bundle_run, prepared_of
from harness.submit.prepare.prepared import Prepared
from harness.submit.submission import answered_table, wanted_form, wanted_ids

_HELD = 512
"""Rows that the notebook's answers are held against."""


def prepare_code(
    competition: Competition,
    dataset: Dataset,
    runs: Sequence[Run],
    out: Path,
    options: BundleOptions,
    threshold: str | None,
    message: str | None,
    past: Sequence[Past],
) -> tuple[Prepared, list[str]]:
    """Build the bundle and try it, then write submissions/<slug>/<run>.code, from which everything is sent.

    Raises
    ------
    UserError
        If the competition is not on Kaggle, its test or its rows are nothing for a notebook, or as `prepare_bundle`.
    """
    _check(competition, dataset)
    bundled = bundle_run(competition, dataset, runs, out, options, threshold)
    path = bundled.path.with_suffix(CODE)
    about = _about(competition, bundled, options)
    files = _files(bundled, competition, options)
    write_package(path, about, files)
    held = files["expected.csv"].decode().count("\n") - 1
    if not held:
        raise UserError(
            "--code: every answer to the example rows hangs on a rounding, so that nothing could be held against what the notebook writes; is the "
            "run trained at all?"
        )
    lines = [*bundled.lines, *_time_lines(bundled, about)]
    lines.append(
        f"notebook: private, without internet; its answers to {held:,} example rows are held against the harness's own"
    )
    return prepared_of(bundled, path, competition, threshold, message, past), lines


def _check(competition: Competition, dataset: Dataset) -> None:
    problem, spec = "", competition.submission
    if competition.platform != "kaggle":
        problem = f"is for Kaggle; '{competition.slug}' is on {competition.platform}"
    elif dataset.test is None:
        problem = "there are no example rows of the test here: name their place by data.test, under which Kaggle puts the hidden ones"
    elif competition.submission.value == "confident":
        problem = "value = 'confident' holds probabilities beside the class, which a bundle's model does not give"
    elif spec.long is not None and spec.lookup is None and not is_pattern(spec.long):
        problem = "a row of the submission is told by two columns (submission.long), and rows are compared by their ids"
    elif competition.hook("to_submission"):
        problem = "competition.py writes the rows by itself (to_submission), from probabilities"
    if problem:
        raise UserError(f"--code: {problem}. Write the notebook by hand, and send it by --notebook OWNER/NAME@VERSION")


def _about(competition: Competition, bundled: Bundled, options: BundleOptions) -> About:
    run, form = bundled.run, bundled.answering.form
    choice = run.recipe.data.model_copy(update={"size": None})
    data = competition.using(choice).data.chosen(choice)
    columns = competition.submission.columns(competition.classes)
    units = [1.0] * len(columns)
    if competition.submission.value == "number":
        units = [float(unit) for unit in np.ravel(run.task.units(run.labels))]
        units = units if len(units) == len(columns) else [max(units)] * len(columns)
    own = competition.dataset
    return About(
        slug=competition.slug,
        run=run.name,
        folder=own.split("/")[1] if own else competition.slug,
        competitions=(competition.slug,),
        data_sets=(own,) if own else (),
        data=data.model_dump(mode="json"),
        classes=tuple(competition.classes),
        margin=0.03 if options.half else 0.005,
        numeric={} if form.numbers else dict(zip(columns, units, strict=True)),
        seconds=options.limit,
        accelerator=options.accelerator,
        hidden_rows=options.hidden_rows or competition.leaderboard.counted,
    )


def _files(bundled: Bundled, competition: Competition, options: BundleOptions) -> dict[str, bytes]:
    dataset, test = bundled.dataset, bundled.dataset.test
    assert test is not None
    scale = dataset.cache / SCALE
    job = Job(competition, "", (), files={SCALE: scale} if scale.is_file() else {})
    with tempfile.TemporaryDirectory(prefix="code-") as folder:
        pack = build_pack(job, Path(folder))
        files = {path.name: path.read_bytes() for path in pack.files}
    asked = wanted_form(competition, dataset).asked
    ids = wanted_ids(competition, dataset) if asked is None else asked.keys
    return {
        **files,
        f"{bundled.run.name}.bundle": bundled.path.read_bytes(),
        "ids.json": json.dumps({"column": competition.submission.id, "ids": ids.tolist()}).encode(),
        "expected.csv": _expected(bundled, competition, 0.02 if options.half else 1e-3).encode(),
    }


def _expected(bundled: Bundled, competition: Competition, margin: float) -> str:
    """The harness's own answers to some rows of the test, in which nothing is level; CSV."""
    from harness.submit.bundle.build import predict_opened

    test = bundled.dataset.test
    assert test is not None
    rows = range(min(len(test), _HELD))
    pixels = np.stack([test.images[row] for row in rows])
    folds = predict_opened(bundled.opened, pixels, bundled.run.recipe.train.seeds)
    firm = np.flatnonzero(bundled.answering.firm(folds, margin))
    table = answered_table(competition, test.ids[firm], bundled.answering.of(folds)[firm])
    wanted = set(wanted_ids(competition, bundled.dataset).tolist())
    table = table[table[competition.submission.id].isin(wanted)]
    return wanted_form(competition, bundled.dataset).text(table)


def _time_lines(bundled: Bundled, about: About) -> list[str]:
    """What the hidden test will take by the trial here; there it is measured before anything is submitted."""
    trial = bundled.trial
    if about.hidden_rows is None:
        return [
            "time:     how many images the hidden test has is not known (--hidden-rows N, or [leaderboard] counted)"
        ]
    needed = trial.load + about.hidden_rows * trial.seconds_per_image
    over = " MORE THAN THE LIMIT, unless that machine is faster" if needed > about.seconds else ""
    return [
        f"time:     {about.hidden_rows:,} images of the hidden test: {needed:,.0f} s on a machine like this, of {about.seconds:,.0f} s{over}"
    ]
