"""The page of verdicts: what it shows, and, in a real browser, what it saves after a person changed an action."""

from __future__ import annotations

import base64
import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.clean.page import count_table, write_page
from harness.clean.verdicts import Verdict
from harness.competition import Samples
from tests.clean.cells import cells

CLASSES = ("purple", "red", "blue")
NASTY = '</script><b id="x">a, "quoted" & more'
VERDICTS = [
    Verdict("r0", "near duplicate", "group", "family-0", "like row 4 (correlation 0.991)"),
    Verdict("r4", "near duplicate", "group", "family-0", "like row 0 (correlation 0.991)"),
    Verdict("r7", "foreign", "exclude", "", NASTY),
    Verdict("gone.png", "broken", "exclude", "", "cannot be decoded"),
]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    images, labels = cells(10)
    samples = Samples(np.array([f"r{i}" for i in range(10)]), images, labels)
    path = tmp_path / "clean.html"
    write_page(path, "Cells: clean", "drawn", [], VERDICTS, samples, CLASSES, tmp_path / "clean.csv")
    return path


def test_it_shows_each_family_with_its_labels_and_nothing_breaks_out(page: Path):
    text = page.read_text()
    assert text.count('class="family"') == 2 and text.count("data:image/jpeg") == 3
    assert "Near duplicate (2)" in text and "Broken (1)" in text and str(page.with_name("clean.csv")) in text
    assert NASTY not in text and text.count("</script>") == 2 and 'id="x"' not in text
    assert not re.search(r'(src|href)="(?!data:|#main)', text)  # one file, nothing from outside


def test_the_table_counts_actions():
    assert count_table(VERDICTS) == [
        ["foreign", "0", "0", "1", "0", "1"],
        ["near duplicate", "0", "2", "0", "0", "2"],
        ["broken", "0", "0", "1", "0", "1"],
    ]


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_changed_action_is_in_the_file_that_the_browser_saves(page: Path, tmp_path: Path):
    act = """<script>
    URL.createObjectURL = blob => { blob.text().then(text => {
      document.title = 'saved'; const out = document.createElement('pre'); out.id = 'saved';
      out.textContent = btoa(unescape(encodeURIComponent(text))); document.body.append(out); }); return '#'; };
    const select = document.querySelector('[data-id="r4"] select');
    select.value = 'keep'; select.dispatchEvent(new Event('change'));
    document.getElementById('save').click();
    </script></body>"""
    driven = tmp_path / "driven.html"
    driven.write_text(page.read_text().replace("</body>", act))
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=5000",
        "--dump-dom",
        driven.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    saved = re.search(r'<pre id="saved">([^<]+)</pre>', done.stdout)
    assert saved, done.stdout[-500:] + done.stderr[-500:]
    lines = list(csv.reader(io.StringIO(base64.b64decode(saved[1]).decode())))
    assert lines[0] == ["id", "verdict", "action", "group", "evidence"]
    assert {line[0]: line[2] for line in lines[1:]} == {
        "r0": "group",
        "r4": "keep",
        "r7": "exclude",
        "gone.png": "exclude",
    }
    assert lines[3][4] == NASTY
