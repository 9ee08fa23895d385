"""Mistakes with runs, verdicts, studies, ensembles and submissions."""

from __future__ import annotations

import re
import shutil

from tests.conftest import run_inside
from tests.e2e.cures.case import CV, SPACE, TUNE, Case, after, done, edit, instead, options, quoted, trained

CASES = {
    "folds that stand in part": Case(
        lambda p: run_inside(*CV, "--folds", "0", cwd=p),
        CV,
        "Add --resume to train what is missing",
        quoted("--resume"),
    ),
    "a damaged run": Case(
        lambda p: (run_inside(*CV, cwd=p), next((p / "oof/shapes").glob("tiny-*/oof.parquet")).write_bytes(b"PAR1")),
        ("harness.oof", "errors", "shapes", "--run", "RUN"),
        r"Heal it by: python -m harness\.cv shapes .*--resume",
        lambda p, s: tuple(re.search(r"python -m (harness\.cv .*--resume)", s)[1].split()),
    ),
    "a run of another name": Case(
        lambda p: run_inside(*CV, cwd=p),
        ("harness.oof", "errors", "shapes", "--run", "tiny"),
        r"Runs beside it: tiny-[0-9a-f]{8}",
        lambda p, s: ("harness.oof", "errors", "shapes", "--run", re.search(r"tiny-[0-9a-f]{8}", s)[0]),
    ),
    "no run at all": Case(
        lambda p: None,
        ("harness.submit", "--comp", "shapes", "--dry-run"),
        r"Train one: python -m harness\.cv shapes",
        lambda p, s: (run_inside(*CV, cwd=p), None)[1],
    ),
    "a partial run": Case(
        lambda p: run_inside(*CV, "--folds", "0", cwd=p),
        ("harness.submit", "--comp", "shapes", "--dry-run", "--run", "RUN"),
        "Finish it: python -m harness.cv shapes --recipe tiny .*--resume",
        lambda p, s: (run_inside(*CV, "--resume", cwd=p), None)[1],
    ),
    "verdicts that were cut": Case(
        lambda p: (
            run_inside("harness.clean", "shapes", cwd=p),
            (p / "oof/shapes/clean/clean.csv").write_text("id,verdict,action,gro"),
        ),
        CV,
        r"Judge the rows again: python -m harness\.clean shapes --overwrite",
        lambda p, s: (run_inside("harness.clean", "shapes", "--overwrite", cwd=p), None)[1],
    ),
    "verdicts that were cut, left out": Case(
        lambda p: (
            run_inside("harness.clean", "shapes", cwd=p),
            (p / "oof/shapes/clean/clean.csv").write_text("id,verdict,action,gro"),
        ),
        CV,
        "or go without: --no-clean",
        quoted("--no-clean"),
    ),
    "verdicts that are gone": Case(
        lambda p: (run_inside("harness.clean", "shapes", cwd=p), (p / "oof/shapes/clean/clean.csv").unlink()),
        CV,
        r"python -m harness\.clean shapes --overwrite",
        lambda p, s: (run_inside("harness.clean", "shapes", "--overwrite", cwd=p), None)[1],
    ),
    "no platform": Case(
        lambda p: run_inside(*CV, cwd=p),
        ("harness.submit", "--comp", "shapes"),
        "--dry-run writes and checks the file",
        quoted("--dry-run"),
    ),
    "both fresh and resumed": Case(
        trained(), (*CV, "--fresh", "--resume"), "give one of them", lambda p, s: (*CV, "--resume")
    ),
    "a noise folder that is lost": Case(
        after(trained("--noise"), lambda p: [shutil.rmtree(path) for path in (p / "oof/shapes").glob("tiny-*/noise")]),
        ("harness.oof", "forecast", "shapes", "--run", "RUN"),
        "noise: is not there, and noise.json says that it was",
        lambda p, s: (*CV, "--noise", "--resume"),
    ),
    "an unknown sampler": Case(
        lambda p: (p / "competitions/shapes/recipes/tiny.toml").write_text(
            (p / "competitions/shapes/recipes/tiny.toml").read_text() + SPACE),
        (*TUNE, "--sampler", "tpee"), "did you mean 'tpe'", instead((*TUNE, "--sampler", "tpee"), "tpee", "tpe"),
    ),
    "one run is no ensemble": Case(
        trained(),
        ("harness.oof", "ensemble", "shapes"),
        "needs two runs or more .* Train another recipe with harness.cv",
        done(trained("--set", "seed=5")),
    ),
    "an unknown way to combine": Case(
        after(trained(), trained("--set", "seed=5")),
        ("harness.oof", "ensemble", "shapes", "--method", "means"),
        "did you mean 'mean'",
        lambda p, s: ("harness.oof", "ensemble", "shapes", "--method", "mean"),
    ),
    "no run to compare": Case(
        lambda p: None, ("harness.oof", "compare", "shapes"), r"Train one: python -m harness\.cv shapes", done(trained())
    ),
    "no competition to send to": Case(
        trained(), ("harness.submit", "--dry-run"), "name the competition to send to", options("--comp", "shapes")
    ),
    "a threshold that is no probability": Case(
        trained(),
        ("harness.submit", "--comp", "shapes", "--dry-run", "--threshold", "2"),
        "a probability between 0 and 1, or 'oof'",
        lambda p, s: ("harness.submit", "--comp", "shapes", "--dry-run", "--threshold", "0.5"),
    ),
    "a file that is not there": Case(
        trained(),
        ("harness.submit", "--comp", "shapes", "--dry-run", "--file", "mine.csv"),
        "--file mine.csv: not there",
        done(lambda p: (p / "mine.csv").write_text(
            "id,label\n" + "".join(f"{path.stem},circle\n" for path in (p / "data/shapes/test").glob("*")))),
    ),
    "a run by its path": Case(
        trained(),
        ("harness.submit", "--comp", "shapes", "--dry-run", "--run", "oof/shapes/RUN"),
        r"give the run's name only \('tiny-[0-9a-f]{8}'\)",
        lambda p, s: ("harness.submit", "--comp", "shapes", "--dry-run", "--run", re.search(r"tiny-[0-9a-f]{8}", s)[0]),
    ),
    "verdicts changed by hand": Case(
        after(lambda p: run_inside("harness.clean", "shapes", cwd=p),
              lambda p: edit(p / "oof/shapes/clean/clean.csv", "keep", "exclude") if "keep" in (p / "oof/shapes/clean/clean.csv").read_text()
              else (p / "oof/shapes/clean/clean.csv").write_text((p / "oof/shapes/clean/clean.csv").read_text() + "circle0,ok,keep,,by hand\n")),
        ("harness.clean", "shapes"),
        "was changed by hand.*Add --overwrite",
        quoted("--overwrite"),
    ),
    "a noise suite that is damaged": Case(
        after(trained("--noise"), lambda p: [path.write_bytes(b"x") for path in (p / "oof/shapes").glob("tiny-*/noise/*.npz")]),
        ("harness.oof", "forecast", "shapes", "--run", "RUN"),
        "Repeat harness.cv with --noise",
        lambda p, s: (*CV, "--noise", "--resume"),
    ),
}  # fmt: skip
