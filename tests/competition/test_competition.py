"""competition.toml and competition.py: found by folder or slug, checked, hooks known by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.competition import find_competition
from tests.conftest import FOLDER_TOML


@pytest.fixture
def project(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(shapes)
    return shapes


def hooks(project: Path, text: str) -> None:
    (project / "competitions" / "shapes" / "competition.py").write_text(text)


def test_folder_and_slug_name_the_same_competition(project: Path):
    by_slug, by_folder = find_competition("shapes"), find_competition("competitions/shapes/")
    assert by_slug == by_folder
    assert by_slug.slug == "shapes"
    assert by_slug.recipes == ["tiny"]


def test_an_unknown_competition_lists_the_known(project: Path):
    with pytest.raises(UserError, match=r"'shape' is no competition.*did you mean 'shapes'.*Known here: shapes"):
        find_competition("shape")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('metric = "accuracy"', 'metric = "acuracy"', "metric 'acuracy' is unknown .did you mean 'accuracy'"),
        ('metric = "accuracy"', "", "metric: missing; it has no default"),
        ('["circle", "square"]', '["circle", "circle"]', "named twice"),
        ('["circle", "square"]', '["circle", "circle "]', "'circle' is named twice .blanks around a name do not count"),
        ('"accuracy"', '"cost"', "metric 'cost': matrix is missing; wanted a square list of lists"),
        ('"accuracy"', '{name = "log_loss", weights = [1, 2, 3]}', "wanted 2 numbers, one for each of the classes"),
        ("channels = 1", "channels = 0", r"data\.channels = 0: input should be greater than or equal to 1"),
        (
            "size =",
            'group_by = "patient"\nsize =',
            r"data\.group_by: class folders have no table; name the one .* data\.join; or .* data\.group",
        ),
        ("size =", 'fold = "fold"\nsize =', r"data\.fold: class folders have no table; give a table of labels"),
        (
            "size =",
            'files = "{id}.png"\nsize =',
            r"data\.files: format = 'image_folder' does not read it; it is of image_csv",
        ),
        (
            "channels = 1",
            'channels = 3\nfiles = ["{id}_a.png", "{id}_b.png"]',
            r"data\.channels = 3: a row has 2 files; write 2 .one of each. or 6 .three.",
        ),
        ("size =", 'where = "train"\nsize =', r"data\.where = 'train': write a table in braces: \{name = ...\}"),
        ("size =", "sise =", r"data\.sise: unknown key .did you mean 'data\.size'"),
    ],
)
def test_mistakes_in_competition_toml(project: Path, old: str, new: str, said: str):
    (project / "competitions" / "shapes" / "competition.toml").write_text(FOLDER_TOML.replace(old, new))
    with pytest.raises(UserError, match=said) as error:
        find_competition("shapes")
    assert "competition.toml" in str(error.value)


def test_lists_are_held_against_the_classes_once_these_are_read_from_the_data(project: Path):
    text = FOLDER_TOML.replace('"accuracy"', '{name = "cost", matrix = [[0, 1], [1, 0]]}')
    text = text.replace('classes = ["circle", "square"]\n', "")
    (project / "competitions" / "shapes" / "competition.toml").write_text(text)
    found = find_competition("shapes")
    assert found.with_classes(("a", "b")).classes == ("a", "b")
    with pytest.raises(
        UserError, match="wanted 3 rows of 3 numbers, one for each class; these are 2 .read from the data"
    ):
        found.with_classes(("a", "b", "c"))


def test_a_sets_submission_holds_what_the_task_leaves_no_choice_about(project: Path):
    more = '[sets.large.data]\nformat = "image_folder"\nsize = 24\n[sets.large.submission]\nid = "name"\n'
    text = FOLDER_TOML.replace('"accuracy"', '"f1"\ntask = "multilabel"') + more
    (project / "competitions" / "shapes" / "competition.toml").write_text(text)
    found = find_competition("shapes")
    assert (found.submission.value, found.sets["large"].submission.value) == ("labels", "labels")
    assert found.sets["large"].submission.id == "name"


LONG_TOML = """title = "Long"
task = "multilabel"
metric = "roc_auc"
[data]
format = "image_csv"
size = 8
long = "{id}_{class}"
[submission]
sample = "sample.csv"
long = "{id}_{class}"
"""


def test_a_long_submission_holds_probabilities(project: Path):
    path = project / "competitions" / "shapes" / "competition.toml"
    path.write_text(LONG_TOML)
    assert find_competition("shapes").submission.value == "probability"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('long = "{id}_{class}"\n[sub', 'long = "{id}{class}"\n[sub', "something between the two"),
        ('long = "{id}_{class}"\n[sub', 'long = "{class}"\n[sub', "something between the two"),
        ('long = "{id}_{class}"\n[sub', 'long = "what"\nlabel = ["a", "b"]\n[sub', "one value or one label in a row"),
        ('long = "{id}_{class}"\n[sub', 'long = "what"\nlabel = "what"\nseparator = " "\n[sub', "data.separator"),
        ('"image_csv"', '"image_folder"', "does not read it"),
        ('task = "multilabel"', 'task = "single"', "an answer of all"),
        ('sample = "sample.csv"', 'value = "probability"', "needs submission.sample"),
        ('sample = "sample.csv"', 'sample = "sample.csv"\nvalue = "labels"', "an answer of all"),
        ('sample = "sample.csv"', 'sample = "s.csv"\nlookup = {file = "l.csv", id = "i"}', "not a pattern"),
        ('sample = "sample.csv"', 'sample = "s.csv"\nlookup = {file = "../l.csv", id = "i"}', "below <data root>"),
        (
            'sample = "sample.csv"\nlong = "{id}_{class}"',
            'lookup = {file = "l.csv", id = "i"}',
            "needs submission.long",
        ),
    ],
)
def test_long_tables_that_cannot_be(project: Path, old: str, new: str, said: str):
    path = project / "competitions" / "shapes" / "competition.toml"
    assert old in LONG_TOML
    path.write_text(LONG_TOML.replace(old, new))
    with pytest.raises(UserError, match=said):
        find_competition("shapes")


def test_a_label_in_each_row_is_for_several_labels(project: Path):
    path = project / "competitions" / "shapes" / "competition.toml"
    text = LONG_TOML.replace('long = "{id}_{class}"\n[sub', 'long = "what"\nlabel = "what"\n[sub')
    path.write_text(text)
    assert find_competition("shapes").data.long == "what"
    path.write_text(
        text.replace('"multilabel"', '"single"').replace(
            'sample = "sample.csv"', 'sample = "s.csv"\nvalue = "probability"'
        )
    )
    with pytest.raises(UserError, match='write task = "multilabel"'):
        find_competition("shapes")


def test_hooks_are_found_and_helpers_left_alone(project: Path):
    hooks(project, "from pathlib import Path\ndef _helper(): pass\ndef score(labels, proba): return 0.5\n")
    competition = find_competition("shapes")
    assert competition.hook("score")(None, None) == 0.5
    assert competition.hook("to_submission") is None


def test_an_unknown_public_function_lists_the_known_ones(project: Path):
    hooks(project, "def scores(labels, proba): return 0.5\n")
    with pytest.raises(
        UserError, match=r"(?s)'scores' is none that the harness calls .did you mean 'score'.*load_samples"
    ):
        find_competition("shapes").hook("score")


def test_a_competition_py_that_fails_is_a_clear_error(project: Path):
    hooks(project, "import nothing_like_this\n")
    with pytest.raises(UserError, match=r"competition\.py: could not be imported: ModuleNotFoundError"):
        find_competition("shapes").hook("score")


def test_a_key_that_came_later_gives_no_decoded_copy_another_name(project: Path):
    """A new key of [data] belongs in `DataSpec.later`: all caches would be decoded anew."""
    written = find_competition("shapes").data.model_dump(mode="json")
    assert list(written) == [
        *("format", "size", "channels", "background", "range", "train", "merge", "test", "optional", "captions", "test_captions", "labels"),
        *("label", "separator", "label_pattern", "id", "files", "pixels", "test_rows", "join", "group_by", "images", "test_images", "group"),
        *("archive", "fold"),
    ]  # fmt: skip
