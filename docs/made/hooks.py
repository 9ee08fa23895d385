"""What mkdocs calls while it builds the site: fill in what is made from the code, and lead links where they lead on the site.

Pages link to each other and to the rest of the repository by relative paths, as they are read on a forge or in an editor. On the
site the documents of `BROUGHT_IN` are pages too; a link to any other file of the repository is shown as its path.
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("NO_MKDOCS_2_WARNING", "true")

from docs.made import filled  # noqa: E402 - found by the path above

BROUGHT_IN = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "benchmarks/RESULTS.md": "project/results.md",
    **{
        f"competitions/{path.parent.name}/README.md": f"played/{path.parent.name}.md"
        for path in sorted((ROOT / "competitions").glob("*/README.md"))
    },
}
"""Documents outside of docs/: where they lie -> where they are on the site."""

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"(^```.*?^```$)", flags=re.M | re.S)


def on_files(files: Files, config: Any) -> Files:
    """Take the other documents in."""
    for source, place in BROUGHT_IN.items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """A page as it stands on the site."""
    place = page.file.src_uri
    source = {there: here for here, there in BROUGHT_IN.items()}.get(place, f"docs/{place}")
    parts = FENCE.split(filled(markdown))
    parts[::2] = [LINK.sub(lambda found: _on_the_site(found[1], found[2], source, place), part) for part in parts[::2]]
    return "".join(parts)


def _on_the_site(text: str, target: str, source: str, place: str) -> str:
    """A link of the file `source`, which stands at `place` on the site; one that leads nowhere stays, for mkdocs to refuse."""
    path, hash_, anchor = target.partition("#")
    if not path or "://" in target or target.startswith("mailto:"):
        return f"[{text}]({target})"
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    there = BROUGHT_IN.get(wanted, wanted.removeprefix("docs/") if wanted.startswith("docs/") else None)
    if there is not None:
        return f"[{text}]({posixpath.relpath(there, posixpath.dirname(place) or '.')}{hash_}{anchor})"
    return (text if "`" in text else f"{text} (`{wanted}`)") if (ROOT / wanted).exists() else f"[{text}]({target})"
