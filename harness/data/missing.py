"""What to say where a competition's files are not where they are looked for: what lies there instead, and how that was meant."""

from __future__ import annotations

from pathlib import Path

from harness.base.command import carried
from harness.base.untrusted_text import plain
from harness.competition import Competition
from harness.data.files.archives import FileTree

_LOOKED_AT = 2_000


def archive_name(competition: Competition) -> str:
    """What the platform's zip is called in a competition's data folder."""
    return competition.data.archive or f"{competition.slug}.zip"


def no_data(competition: Competition, folder: Path) -> str:
    """The message for a data folder that holds neither the training data nor the platform's zip."""
    archive = folder / archive_name(competition)
    others = [name for name, other in competition.sets.items() if FileTree(folder).has(other.data.train)]
    there = "".join(
        f"  There are files of another data set: --set data.set={name} (--data-set {name})\n" for name in others
    )
    there += "".join(f"  {line}\n" for line in near_misses(competition, folder))
    sample = "  or try the harness on the embedded sample: add --sample\n" if competition.hook("make_sample") else ""
    return (
        f"no data of '{competition.slug}': neither {folder / competition.data.train} nor {archive} with it is there.\n"
        f"{there}"
        f"  Download it:           {_download_command(competition, folder)}\n"
        f"{sample}"
        "  (the folder is <data root>/<slug>/; the root comes from --data DIR, else $HARNESS_DATA, else data/)"
    )


def near_misses(competition: Competition, folder: Path) -> list[str]:
    """What lies near by and may be the data, a line each with its cure; [] where nothing does."""
    return [
        line
        for line in (
            _root_is_a_file(folder),
            _root_is_the_folder(competition, folder),
            _one_part(competition, folder),
            _other_zip(competition, folder),
            _other_case(competition, folder),
            _one_level_down(competition, folder),
        )
        if line
    ]


def _root_is_a_file(folder: Path) -> str:
    root = folder.parent
    if not root.is_file():
        return ""
    return f"{root} is a file: put it into a folder of the name {folder.name}, and name the folder above that one by --data"


def _root_is_the_folder(competition: Competition, folder: Path) -> str:
    """--data names the competition's own folder, not the one above it."""
    root = folder.parent
    if folder.exists() or not root.is_dir():
        return ""
    train, zipped = FileTree(root).has(competition.data.train), (root / archive_name(competition)).is_file()
    if not (train or zipped):
        return ""
    found = competition.data.train if train else archive_name(competition)
    if root.resolve().name == folder.name:
        return f"{root / found} is there: name the folder above by --data {plain(root.resolve().parent)}"
    return f"{root / found} is there: move it into {folder}"


def _other_parts(competition: Competition) -> list[str]:
    """What competition.toml names beside the training images."""
    data = competition.data
    asked = competition.submission
    named = [data.test, data.labels, *data.merge, *data.merge_labels, asked.sample, asked.lookup and asked.lookup.file]
    return [name for name in named if name and name != data.train]


def _one_part(competition: Competition, folder: Path) -> str:
    """Some files of the competition lie there, each downloaded by itself; the training images do not."""
    if not folder.is_dir():
        return ""
    tree, train = FileTree(folder), competition.data.train
    there = [name for name in _other_parts(competition) if tree.has(name) or (folder / f"{name}.zip").is_file()]
    if not there:
        return ""
    wanted = train if Path(train).suffix else f"{train} or {train}.zip"
    return f"There is '{there[0]}', but not {wanted} (data.train): put it beside, or correct data.train in competition.toml"


def _other_zip(competition: Competition, folder: Path) -> str:
    """A zip of another name: 'digit-recognizer (1).zip', as browsers call a second download."""
    parts = {Path(name).name for name in _other_parts(competition)}
    zips = sorted(p.name for p in folder.glob("*.zip") if p.stem not in parts) if folder.is_dir() else []
    if not zips:
        return ""
    wanted = archive_name(competition)
    meant = next((name for name in zips if name.startswith(Path(wanted).stem)), zips[0])
    return f"There is '{plain(meant)}': rename it to {wanted}, or write data.archive = \"{plain(meant)}\" in competition.toml"


def _other_case(competition: Competition, folder: Path) -> str:
    """'Train' for 'train', where the disk tells them apart."""
    train = competition.data.train
    for name in _below(folder, depth=train.count("/") + 1):
        if name.casefold() == train.casefold():
            return f"There is '{plain(name)}': write data.train = \"{plain(name)}\" in competition.toml, or rename it"
    return ""


def _one_level_down(competition: Competition, folder: Path) -> str:
    """The files lie in a folder of their own, as some programs unpack a zip."""
    for name in _below(folder, depth=1):
        inner = folder / name
        if inner.is_dir() and FileTree(inner).has(competition.data.train):
            return f"There is '{plain(name)}/{competition.data.train}': move what is in {plain(inner)} up into {folder}"
    return ""


def _below(folder: Path, depth: int) -> list[str]:
    """Names of files and folders so deep below a folder, relative to it; the first 2,000."""
    found: list[str] = []
    for path in folder.glob("/".join("*" * depth)) if folder.is_dir() else ():
        if not path.name.startswith("."):
            found.append(path.relative_to(folder).as_posix())
        if len(found) >= _LOOKED_AT:
            break
    return sorted(found)


def other_content(competition: Competition, tree: FileTree) -> str:
    """The message for a zip without the training data: what it holds, and how that may have been meant."""
    wanted, tops = competition.data.train, tree.top_folders()
    cased = next((name for name in sorted(tree.members) if name.casefold() == wanted.casefold()), None)
    deeper = next((name for name in sorted(tree.members) if name.endswith(f"/{wanted}")), None)
    meant = cased or deeper
    cure = (
        f"It has '{plain(meant)}': write data.train = \"{plain(meant)}\" in competition.toml."
        if meant
        else "Correct data.train in competition.toml, or take the zip away and fetch it anew."
    )
    held = ", ".join(f"'{plain(name, 60)}'" for name in tops[:8]) + (", ..." if len(tops) > 8 else "")
    return f"{tree.path}: holds no '{wanted}' (data.train). At its top are {held or 'no files'}. {cure}"


def _download_command(competition: Competition, folder: Path) -> str:
    if competition.platform == "kaggle" or competition.dataset:
        return (
            f"python -m harness.data {competition.called}{carried('--data')}   (into {folder}; needs a Kaggle account)"
        )
    return f"from {competition.url or 'the competition page'} into {folder}"
