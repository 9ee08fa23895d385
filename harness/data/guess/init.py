"""python -m harness.data init FOLDER_OR_ZIP: write the competition.toml that fits what lies there, with a comment for every guess."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.base.command import DataOption, JsonOption, carried, data_root, new_app, next_lines, user_command
from harness.base.errors import UserError
from harness.base.places.home import COMPETITIONS, project_home
from harness.base.places.templates import templates
from harness.base.progress import LineWatcher
from harness.base.storage.toml_text import dump_toml
from harness.base.untrusted_text import counted, listed
from harness.data.columns.patterns import IMAGE_COLUMNS
from harness.data.guess.written import Made

app = new_app()


@app.command()
@user_command
def main(
    place: Annotated[
        Path | None,
        typer.Argument(
            help="Folder or zip with the competition's files; or the slug of a competition on Kaggle, which is downloaded.",
            metavar="FOLDER_OR_ZIP",
        ),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            help="Copy a competition that comes with the harness instead: recipes, sample and all.", metavar="SLUG"
        ),
    ] = None,
    slug: Annotated[
        str | None,
        typer.Option(
            help="Name of the competition's folder: its name in its address on Kaggle, if you mean to send. Default: by the folder or zip."
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title for people. Default: by the slug.")] = None,
    platform: Annotated[
        str | None, typer.Option(help="Where it is submitted: kaggle, codabench or none (if not given).")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at a competition's files, guess layout, task and submission, and write competitions/<slug>/ with recipes.

    Nothing is written over, nothing is moved; files elsewhere are linked into <data root>/<slug>/.
    """
    if like is not None:
        made = _like(like, place, slug, title, platform)
    elif place is None:
        raise UserError(
            "nothing to look at: name the FOLDER_OR_ZIP with the files, or --like SLUG to copy a competition that comes with the harness: "
            + ", ".join(templates())
        )
    else:
        from harness.base.progress import watching

        with watching() as watcher:
            made = init(place, slug, title, platform or "none", data_root(data), watcher)
    if as_json:
        print(json.dumps(made.told, indent=2))
        return
    print("\n".join(made.lines))


def _like(like: str, place: Path | None, slug: str | None, title: str | None, platform: str | None) -> Made:
    from harness.data.guess.like import copy_like

    others = {"FOLDER_OR_ZIP": place, "--title": title, "--platform": platform}
    if too_many := [name for name, value in others.items() if value is not None]:
        raise UserError(f"--like {like}: copies a competition as it is; leave out {', '.join(too_many)}")
    return copy_like(like, _checked(slug) if slug is not None else like)


def init(
    place: Path, slug: str | None, title: str | None, platform: str, root: Path, watcher: LineWatcher | None = None
) -> Made:
    """Guess and write; raises UserError where nothing fits or competition.toml stands."""
    from harness.data.files.archives import FileTree
    from harness.data.guess.symmetries import Guess, guess_symmetries
    from harness.data.guess.written import competition_toml, write_competition

    watcher = watcher or LineWatcher(quiet=True)
    place, about = _fetched(place, root, watcher)
    if about:
        platform, title = "kaggle", title or about.title
    _refuse_the_project(place, root)
    source = _source(place)
    name = _slug(slug or (about.slug if about else None), source, root)
    folder = _free_folder(name)
    tree = FileTree(source)
    tree = tree.below_top() if tree.is_zip else tree
    findings = _look(tree, about, watcher)
    layout, targets = findings.layout, findings.targets
    titled = title or name.replace("-", " ").replace("_", " ").capitalize()
    bare = competition_toml(titled, platform, layout, targets)
    _refuse_unreadable(bare, folder)
    with watcher.waiting("looking for symmetries of the images"):
        seen = Guess() if findings.facts.places else guess_symmetries(bare, tree)
    facts = dataclasses.replace(findings.facts, symmetries=seen.names)
    text = competition_toml(titled, platform, layout, targets, findings.said, seen.names, seen.why)
    files = {"competition.toml": text, "README.md": _readme(name, title, source)}
    files |= {f"recipes/{recipe}.toml": recipe_toml(recipe, facts) for recipe in _recipes(layout)}
    linked = _link(source, root, name)
    written = write_competition(folder, files)
    told = {"slug": name, "folder": str(folder), **findings.told, "symmetries": list(seen.names)}
    lines = [
        *_lines(findings, seen, linked),
        *(f"written:  {path}" for path in written),
        *_next(name, folder, _first_recipe(facts)),
    ]
    return Made(lines, {**told, "files": list(map(str, written))})


def _refuse_unreadable(text: str, folder: Path) -> None:
    """Refuse what would be no competition.toml (an unknown platform, say), before anything is written or linked."""
    import tomllib

    from harness.competition import Competition
    from harness.competition.schema import validate

    values = {**tomllib.loads(text), "slug": folder.name, "folder": folder}
    validate(Competition, values, f"{folder / 'competition.toml'} (not written)")


def _fetched(place: Path, root: Path, watcher: LineWatcher) -> tuple[Path, Any]:
    """The folder of a competition that is downloaded, and what its page says; what lies here as it is, and None."""
    if place.exists() or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", str(place)):
        return place, None
    from harness.data.guess.platform import fetch

    return fetch(str(place), root, watcher.downloading)


def _free_folder(name: str) -> Path:
    folder = project_home() / COMPETITIONS / name
    if (folder / "competition.toml").exists():
        raise UserError(
            f"{folder / 'competition.toml'}: stands already, and is not written over. Move it away, or name another: --slug NAME"
        )
    return folder


@dataclasses.dataclass(frozen=True)
class _Findings:
    """What was found and guessed, before anything is written.

    Attributes
    ----------
    said : what lies there, in lines
    unknown : what the user is to look up
    """

    layout: Any
    targets: Any
    facts: Any
    said: list[str]
    unknown: list[str]

    @property
    def told(self) -> dict[str, Any]:
        """For --json."""
        layout, targets = self.layout, self.targets
        return {
            "task": targets.task,
            "metric": targets.metric,
            "fits": list(targets.fits),
            "data": layout.values,
            "submission": targets.submission,
            "unknown": layout.unknown,
        }


def _look(tree: Any, about: Any, watcher: LineWatcher) -> _Findings:
    """Guess layout, targets and metric; about : the competition's page, where it is known."""
    from harness.data.guess.guess import guess
    from harness.data.guess.inventory import take_stock
    from harness.data.guess.texts import told_by_texts

    with watcher.waiting(f"looking through {tree.path}"):
        inventory = take_stock(tree)
        layout, targets = guess(inventory)
    known = _metric_of(about, targets) if about else None
    texts = told_by_texts(tree, inventory.others, targets.task, targets.metric)
    if not known and texts.metric:
        known = texts.metric
        _take_metric(targets, known, texts.said[known])
    facts = _facts(layout, targets)
    others = [name for name in inventory.others if name not in texts.read]
    said = [*(about.lines() if about else ()), *_found(inventory, layout, others)]
    return _Findings(
        layout, targets, facts, said, [*([] if known else [_metric_said(targets, texts.unclear)]), *layout.unknown]
    )


def _lines(findings: _Findings, seen: Any, linked: str) -> list[str]:
    """What is said to people of what was found, guessed and not known; seen : the symmetries."""
    lines = [f"found:    {line}" for line in findings.said] + ([f"linked:   {linked}"] if linked else [])
    lines += [f"guessed:  {line}" for line in _guesses(findings.layout, findings.targets)]
    lines += [f"guessed:  symmetries {', '.join(seen.names)}: {seen.why}"] if seen.names else []
    if findings.facts.places:
        lines.append(
            "guessed:  the numbers are places in the image, by their names (NAME_x, NAME_y): recipes neither shift, turn nor mirror it"
        )
    lines += [f"unknown:  {line}" for line in findings.unknown]
    if seen.unread:
        cure = "Mend that, take the folder away and begin anew; or write symmetries into competition.toml"
        lines.append(f"unknown:  symmetries of the images, which cannot be read yet: {seen.unread} {cure}")
    return lines


def _first_recipe(facts: Any) -> str:
    """What is trained for a first look: a frozen pretrained network takes a minute; it knows nothing of icons."""
    from harness.competition.builtin.rules import suits_pretrained

    return "transfer" if suits_pretrained(facts) else "quick"


def _next(name: str, folder: Path, recipe: str) -> list[str]:
    places = carried("--data")
    return next_lines(
        f"read {folder / 'competition.toml'}, then:",
        f"python -m harness.data {name}{places}",
        f"python -m harness.cv {name} --recipe {recipe}{places}",
        "or all of it under a budget:",
        f"python -m harness.play {name} --hours 1{places}",
    )


def _metric_of(about: Any, targets: Any) -> str | None:
    """The metric that the page names, put among the targets; None where it is not known here."""
    from harness.data.guess.named_metrics import metric_by_name

    found = metric_by_name(about.metric, targets.task, targets.metric)
    if found:
        _take_metric(targets, found, f"the competition's page calls it '{about.metric}'")
    return found


def _take_metric(targets: Any, found: str, why: str) -> None:
    targets.fits = tuple(dict.fromkeys(m for m in (targets.metric, *targets.fits) if m != found))
    targets.metric, targets.why["metric"] = found, why


def _recipes(layout: Any) -> tuple[str, ...]:
    beside = set(layout.values.get("features", [])) - set(IMAGE_COLUMNS)  # trees on two sizes alone know little
    return ("quick", "strong", "transfer", "finetune", *(["columns"] if beside else []))


def recipe_toml(name: str, facts: Any) -> str:
    """A built-in recipe as a file."""
    from harness.competition.builtin.rules import built_in

    return dump_toml(built_in(name, facts))


def _refuse_the_project(place: Path, root: Path) -> None:
    """Refuse a folder that holds the project's competitions or their data; a project may have begun in the folder of the files."""
    here, home = place.resolve(), project_home()
    slugs = sorted(path.parent.name for path in (home / COMPETITIONS).glob("*/competition.toml"))
    if not slugs or any((root / slug).resolve() == here for slug in slugs):
        return
    for held in (home / COMPETITIONS, *(root / slug for slug in slugs)):
        if held.exists() and (held.parent.resolve() / held.name).is_relative_to(here):
            raise UserError(
                f"{place}: holds {held}, so it is no competition's folder. Name the folder or zip of one competition's files"
            )


def _source(place: Path) -> Path:
    """The folder or zip itself; a zip that lies alone in a folder."""
    if not place.exists():
        raise UserError(f"{place}: not there. Name the folder or zip that holds the competition's files.")
    if place.is_file():
        if place.suffix.lower() != ".zip":
            raise UserError(f"{place}: is no zip. Name the folder that it lies in, or a zip.")
        return place
    inside = [
        path for path in sorted(place.iterdir()) if not path.name.startswith(".") and path.name != "download.json"
    ]
    return inside[0] if len(inside) == 1 and inside[0].suffix.lower() == ".zip" else place


def _slug(asked: str | None, source: Path, root: Path) -> str:
    resolved = source.resolve()
    of_root = root.resolve()
    named = resolved.parent.name if resolved.parent.parent == of_root and source.is_file() else Path(resolved.name).stem
    found = asked or re.sub(r"[^a-z0-9_-]+", "-", named.lower()).strip("-")
    return _checked(found)


def _checked(slug: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", slug):
        raise UserError(f"--slug {slug}: give letters, digits, - and _ only")
    return slug


def _link(source: Path, root: Path, name: str) -> str:
    """Where the files are read from below the data root; "" where they lie there already."""
    place = root / name
    wanted = place if source.is_dir() else place / f"{name}.zip"
    if wanted.exists() and wanted.resolve() == source.resolve():
        return ""
    if wanted.exists() or wanted.is_symlink():
        raise UserError(
            f"{wanted}: is there already, and is not {source}. Name another slug: --slug NAME, or another root: --data DIR"
        )
    wanted.parent.mkdir(parents=True, exist_ok=True)
    try:
        wanted.symlink_to(source.resolve(), target_is_directory=source.is_dir())
    except OSError as error:
        raise UserError(
            f"{wanted}: no link can be made there ({error.strerror}). Move {source} to that place, and run this again."
        ) from error
    return f"{wanted} -> {source.resolve()}"


def _facts(layout: Any, targets: Any) -> Any:
    """What built-in recipes look at, as far as tables and names tell it."""
    from collections import Counter

    from harness.competition.builtin.facts import Facts, are_places, weights_at_hand

    values = layout.values
    height, width = values.get("size", [64, 64])
    table = layout.train_table[1] if layout.train_table else None
    labels = layout.labels_of or (
        table.column(targets.label[0], "") if table is not None and len(targets.label) == 1 else []
    )
    if targets.task == "multilabel" and len(targets.label) == 1:
        labels = [part for cell in labels for part in cell.split(targets.separator)]
    counts = Counter(labels)
    outputs = (
        len(targets.label) if len(targets.label) > 1 else 1 if targets.task == "regression" else max(len(counts), 2)
    )
    imbalance = max(counts.values()) / min(counts.values()) if counts and targets.task != "regression" else 1.0
    rows = len(table) if table is not None else len(layout.labels_of or []) or 1000
    channels, columns = int(values.get("channels", 3)), len(values.get("features", []))
    about = (height, width, channels, rows, outputs, imbalance, targets.task, targets.metric)
    places = targets.task == "regression" and are_places(targets.label)
    return Facts(*about, weights=weights_at_hand(), columns=columns, places=places)


def _found(inventory: Any, layout: Any, others: list[str]) -> list[str]:
    """What lies there, in lines; others : files of which nothing is read."""
    from harness.data.guess.others import others_said

    lines = [
        f"{counted(len(t), 'row')} in {name}: {', '.join(t.header[:8])}{', ...' if len(t.header) > 8 else ''}"
        for name, t in list(inventory.tables.items())[:8]
    ]
    shown = [i for i in inventory.images if i.folder in (layout.values.get("train"), layout.values.get("test"))]
    lines += [
        f"{counted(len(i.files), 'image')} in {'the folder itself' if i.folder == '.' else i.folder}, e.g. {i.below[0]}"
        for i in shown
    ]
    lines += [f"arrays in {name}" for name in inventory.arrays[:4]]
    lines += [
        f"{name}: {' x '.join(f'{side:,}' for side in shape)}" for name, shape in list(inventory.stacks.items())[:8]
    ]
    lines += [f"not looked at: {others_said(others)}"] if others else []
    lines += [f"not read: {why}" for why in list(inventory.unread.values())[:4]]
    return lines


def _guesses(layout: Any, targets: Any) -> list[str]:
    lines = [f"task {targets.task}" + (f": {targets.why['task']}" if targets.why.get("task") else "")]
    if targets.label:
        lines.append(
            f"label {', '.join(targets.label[:6])}{', ...' if len(targets.label) > 6 else ''}: {targets.why.get('label', '')}".rstrip(
                ": "
            )
        )
    value = targets.submission.get("value", "class")
    lines.append(f"submission value {value}" + (f": {targets.why['value']}" if targets.why.get("value") else ""))
    if targets.why.get("metric"):
        lines.append(f"metric {targets.metric}: {targets.why['metric']}")
    lines += [f"{key} {layout.values[key]}: {layout.why[key]}" for key in ("group_by", "group") if key in layout.why]
    if merged := layout.values.get("merge"):
        lines.append(f"merge {listed(merged, 3)}: {layout.why['merge']}")
    beside = [name for name in layout.values.get("features", []) if name not in IMAGE_COLUMNS]
    if beside:
        lines.append(
            f"features {listed(beside, 6)}: known beside each image, of the test too; if rows of one value belong together (a patient, a place), name the column in group_by"
        )
    return lines


def _metric_said(targets: Any, unclear: str) -> str:
    """What is to be looked up of the metric; unclear : of texts that name several."""
    said = unclear or "the competition's page says it"
    return f"the metric: {said}; {targets.metric} was written, and {', '.join(targets.fits)} fit the submission too"


def _readme(name: str, title: str | None, source: Path) -> str:
    return (
        f"# {title or name}\n\nData: `{source.name}`, where `python -m harness.data init` found it.\n\nTask, rules, and the published results that "
        "it is measured against: to be written.\n"
    )
