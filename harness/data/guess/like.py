"""python -m harness.data init --like SLUG: copy a competition that comes with the harness into the project."""

from __future__ import annotations

from harness.base.command import carried, next_lines
from harness.base.errors import UserError, nearest
from harness.base.places.home import COMPETITIONS, project_home
from harness.base.places.templates import templates, templates_root
from harness.data.guess.written import Made, write_competition


def copy_like(like: str, slug: str) -> Made:
    """Copy competitions/<like> of the harness to competitions/<slug> of the project; nothing that stands is touched.

    Raises
    ------
    UserError
        If there is no such competition, or competition.toml stands there.
    """
    from harness.competition import find_competition

    known = templates()
    if like not in known:
        raise UserError(
            f"--like {like}: no competition of that name comes with the harness{nearest(like, known)}; known: {', '.join(known)}"
        )
    names = sorted(
        known[like], key=lambda name: name == "competition.toml"
    )  # it comes last: a copy broken off is gone on with
    folder, source = project_home() / COMPETITIONS / slug, templates_root() / like
    written = write_competition(folder, {name: (source / name).read_text(encoding="utf-8") for name in names})
    contest = find_competition(folder)
    recipe = "" if "quick" in contest.recipes else f" --recipe {contest.recipes[0]}"
    lines = [f"copied:   {contest.title}, as it comes with the harness", *(f"written:  {path}" for path in written)]
    if slug != like and contest.platform != "none":
        lines.append(
            f"note:     {contest.platform} is asked by the folder's name: harness.data and harness.submit would mean '{slug}' there, not '{like}'"
        )
    sample = [f"python -m harness.cv {slug}{recipe} --sample"] if contest.hook("make_sample") else []
    real = f"python -m harness.data {slug}{carried('--data')}"
    lines += next_lines(*sample, *(["its real data, fetched, or where to put them:"] if sample else []), real)
    return Made(lines, {"slug": slug, "folder": str(folder), "like": like, "files": list(map(str, written))})
