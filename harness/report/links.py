"""Links between pages: every page names those that lie with it, and a page that is written later appears in those that stand.

A link is only ever to a file that is there. Where pages lie tells what they are: those of a run in its folder, those of a competition
above it in oof/<slug>, the board in oof, the leaderboard in submissions. Pages from before there were links are linked to, and left as they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file, write_text
from harness.base.untrusted_text import plain
from harness.report.about import read_about

RUN_PAGES = {"report.html": "Run", "errors.html": "Errors", "noise.html": "Noise", "forecast.html": "Forecast"}
"""Pages in a run's folder, and what links to them say."""

_LEADERBOARD = Path("submissions") / "leaderboard.html"
BOARD = Path("oof") / "board.html"
_BEGIN, _END = "<!--links-->", "<!--/links-->"
PLACE = _BEGIN + _END
"""What a template has where the links go."""

_LINKS = re.compile(re.escape(_BEGIN) + ".*?" + re.escape(_END), re.DOTALL)
_HEAD = 2**16  # bytes at a page's beginning that hold its links


class Link(str):
    """A table's cell that leads to another page; text for everything else."""

    href: str

    def __new__(cls, text: str, href: str) -> Link:
        """href : relative, quoted."""
        link = super().__new__(cls, text)
        link.href = href
        return link


def linked_runs(rows: Sequence[Sequence[str]], column: int, reports: Sequence[Path], page: Path) -> list[list[str]]:
    """A table's rows whose cells of that column lead to the reports, of those that are there; one report to a row."""
    return [
        [Link(c, relative(report, page)) if i == column and report.is_file() else c for i, c in enumerate(row)]
        for row, report in zip(rows, reports, strict=True)
    ]


def publish(path: Path, html: str) -> None:
    """Write a page, whole or not at all, with links to the pages beside it; those that stand get a link to it where they lack one."""
    write_text(path, with_links(path, html))
    for page in _all_beside(path.absolute()):
        _refresh(page)


def with_links(path: Path, html: str) -> str:
    """A page that lies, or would lie, at a path, with links to the pages beside it."""
    return _filled(html, _bar(path))


def refresh_run(folder: Path) -> None:
    """Renew the links of a run's pages, after one of them was removed."""
    for name in RUN_PAGES:
        _refresh(folder / name)


def neighbours(path: Path) -> list[tuple[str, Path]]:
    """What a page's links say and where they lead, itself among them; only pages that are there."""
    found = [(name, path.with_name(file)) for file, name in RUN_PAGES.items()] if path.name in RUN_PAGES else []
    home = _competition_of(path)
    if home:
        found += [("Board", home.parents[1] / BOARD), *_of_competition(home)]
        found.append(("Leaderboard", home.parents[1] / _LEADERBOARD))
    elif path.name in (_LEADERBOARD.name, BOARD.name):
        found.append(("Board", path.parents[1] / BOARD))
        for slug in sorted(path.parents[1].glob("oof/*")):
            found += [(f"{plain(slug.name)}: {name}", page) for name, page in _of_competition(slug) if name in _FIRST]
        found.append(("Leaderboard", path.parents[1] / _LEADERBOARD))
    return [(name, page) for name, page in found if page == path or page.is_file()]


_FIRST = ("Comparison", "Play")


def _competition_of(path: Path) -> Path | None:
    """The folder oof/<slug> that a page belongs to, the nearest: a study's runs have one of their own."""
    return next((folder for folder in path.absolute().parents if folder.parent.name == "oof"), None)


def pages_of(home: Path) -> list[tuple[str, Path]]:
    """The pages of a competition (its folder oof/<slug>) that are there, but for those of its runs: what links to them say, where they lie."""
    return [(name, page) for name, page in _of_competition(home) if page.is_file()]


def _of_competition(home: Path) -> list[tuple[str, Path]]:
    pages = [("Comparison", home / "compare.html")]
    pages += [(f"Cleaning{_set_apart(p, 'clean')}", p) for p in sorted(home.glob("clean*/clean.html"))]
    pages += [(f"Play{_set_apart(p, 'play')}", p) for p in sorted(home.glob("play*/play.html"))]
    pages += [(f"Study {plain(p.parent.name)}", p) for p in sorted(home.glob("studies/*/study.html"))]
    pages += [(f"Forecast {plain(p.stem.removeprefix('forecast-'))}", p) for p in sorted(home.glob("forecast-*.html"))]
    return pages


def _set_apart(page: Path, usual: str) -> str:
    """' (sample)' of the folder clean-sample."""
    rest = page.parent.name.removeprefix(usual).lstrip("-")
    return f" ({plain(rest)})" if rest else ""


def _all_beside(path: Path) -> Iterator[Path]:
    """The pages whose links may lead to this one."""
    if path.name in RUN_PAGES:
        yield from (path.with_name(name) for name in RUN_PAGES if name != path.name)
        return
    home = _competition_of(path)
    is_of_all = path.name in (_LEADERBOARD.name, BOARD.name)
    homes = [home] if home else sorted(path.parents[1].glob("oof/*")) if is_of_all else []
    for of in homes:
        yield from (page for _, page in _of_competition(of) if page != path)
        yield from (page for name in RUN_PAGES for page in of.glob(f"*/{name}"))
    if home or is_of_all:
        root = home.parents[1] if home else path.parents[1]
        yield from (root / page for page in (_LEADERBOARD, BOARD) if root / page != path)


def _bar(path: Path) -> str:
    """The links as HTML, and what people call the run; "" where a page has no neighbour and nothing is said."""
    import markupsafe

    path = path.absolute()
    found = neighbours(path)
    said = read_about(path.parent).line() if path.name in RUN_PAGES else ""
    about = f'<p class="about">{markupsafe.escape(said)}</p>' if said else ""
    if not any(page != path for _, page in found):
        return about
    items = [
        markupsafe.Markup("<li><a href='{}'{}>{}</a></li>").format(
            relative(page, path), markupsafe.Markup(' aria-current="page"') if page == path else "", name
        )
        for name, page in found
    ]
    return f'<nav aria-label="Pages"><ul>{markupsafe.Markup("").join(items)}</ul></nav>{about}'


def relative(page: Path, start: Path) -> str:
    """The address of a page, for a link on the page `start`."""
    return quote(Path(os.path.relpath(page, start.parent)).as_posix())


def _filled(html: str, bar: str) -> str:
    return _LINKS.sub(lambda _: _BEGIN + bar + _END, html, count=1)


def _refresh(path: Path) -> None:
    """Renew a page's links where others are there now; a page that cannot be written, or is being written anew, is left alone."""
    try:
        before = path.stat()
        with path.open("rb") as file:
            found = _LINKS.search(file.read(_HEAD).decode("utf-8", "replace"))
        bar = _bar(path)
        if not found or found[0] == _BEGIN + bar + _END:
            return
        html = path.read_text(encoding="utf-8")
        with complete_file(path) as temporary:
            temporary.write_text(_filled(html, bar), encoding="utf-8")
            after = path.stat()
            if (after.st_ino, after.st_mtime_ns) != (before.st_ino, before.st_mtime_ns):
                raise FileExistsError  # a newer page, whose links are newer too
    except (OSError, UserError, UnicodeError):
        return
