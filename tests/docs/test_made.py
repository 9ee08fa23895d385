"""The reference has everything that the code has, and everything in it says what it is."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from docs.made import PARTS, commands, filled, models
from docs.made.table import prose, table
from harness.competition import Competition, Recipe, keys
from harness.competition.schema import dotted_keys
from tests.conftest import REPOSITORY

REFERENCE = {page.stem: page.read_text() for page in (REPOSITORY / "docs" / "reference").glob("*.md")}


@pytest.mark.parametrize("schema", [Competition, Recipe], ids=lambda s: s.__name__)
def test_every_key_is_there_and_documented(schema: type[BaseModel]):
    page, ours = PARTS[schema.__name__.lower()](), keys.OF_THE_LOADER[schema.__name__]
    for key in dotted_keys(schema):
        if key not in ours:
            assert f"| `{key.rpartition('.')[2]}` |" in page, key
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert rows and all(row[1] and len(row[-1]) > 4 for row in rows), [row for row in rows if len(row[-1]) <= 4]
    assert not any(f"| `{name}` |" in page.split("\n## ")[0] for name in ours)


def test_the_loader_refuses_what_is_left_out(tmp_path):
    from harness.base.errors import UserError
    from harness.competition import find_competition

    for name in keys.OF_THE_LOADER["Competition"]:
        (tmp_path / "competition.toml").write_text(f'{name} = "x"\ntitle = "X"\nmetric = "accuracy"\n')
        with pytest.raises(UserError, match=f"{name}: unknown key"):
            find_competition(tmp_path)


def test_types_and_bounds_in_words():
    class Inner(BaseModel):
        """[inner]: a table."""

    class Schema(BaseModel):
        """For the test."""

        share: Annotated[float, Field(gt=0, le=1)] | None = None
        count: Annotated[int, Field(ge=2)] = 3
        way: Literal["auto"] | bool = "auto"
        names: tuple[str, ...] = ("a",)
        size: tuple[int, int]
        inner: Inner | None = None
        sets: dict[str, Inner] = {}

    kinds = {name: keys.kind_of(field) for name, field in Schema.model_fields.items()}
    assert kinds == {
        "share": "number above 0 to 1",
        "count": "whole number from 2",
        "way": '`"auto"` or true, false',
        "names": "list of: text",
        "size": "[whole number, whole number]",
        "inner": "table",
        "sets": "tables",
    }
    assert [path for path, _, _ in keys.tables(Schema)] == ["", "inner", "sets.NAME"]


def test_every_command_and_option_is_there():
    page = PARTS["commands"]()
    for name, command in commands.commands().items():
        section = page.split(f"## {name}\n")[1].split("\n## ")[0]
        for parameter in command.params:
            options = parameter.opts if parameter.param_type_name == "option" else [parameter.metavar]
            assert getattr(parameter, "hidden", False) or all(option in section for option in options), (name, options)
    assert {"harness.data init", "harness.data preview", "harness.oof forecast"} <= set(commands.commands())


def test_every_argument_of_a_model_is_described():
    from harness.models.registry import _builders

    for name, build in _builders().items():
        missing = [key for key, (_, said) in models.arguments(build).items() if not said]
        assert not missing, f"{name}: {missing}"


def test_every_metric_of_the_task_page_is_in_the_reference_and_the_other_way_round():
    page = PARTS["metrics"]()
    metrics = set(re.findall(r"^\| `(\w+)`", page, flags=re.M))
    shown = (REPOSITORY / "docs" / "tasks.md").read_text().split("## Metrics")[1].split("\n\n`eps`")[0]
    assert metrics <= set(re.findall(r"`(\w+)`", shown)) | {"top_k_accuracy"}


@pytest.mark.parametrize("name", PARTS)
def test_every_part_has_its_place_and_only_one(name: str):
    pages = (REPOSITORY / "docs").rglob("*.md")
    assert sum(f"<!-- made: {name} -->" in page.read_text() for page in pages) == 1


def test_a_page_is_filled():
    page = filled("a\n<!-- repository -->\nonly here\n<!-- /repository -->\n<!-- made: corruptions -->\nb\n")
    assert "only here" not in page and "`white_noise`" in page and page.startswith("a\n") and page.endswith("b\n")
    with pytest.raises(KeyError):
        filled("<!-- made: nothing -->")


def test_variables_of_the_environment_are_named():
    read = {
        name
        for path in (REPOSITORY / "harness").rglob("*.py")
        for name in re.findall(r"\b(?:HARNESS|KAGGLE|CODABENCH)_[A-Z_]+\b", path.read_text())
    }
    unnamed = {name for name in read if f"`{name}`" not in REFERENCE["environment"]}
    assert unnamed <= {"KAGGLE_API_ENVIRONMENT"}, unnamed  # of the client itself


def test_extras_are_named():
    import configparser

    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    extras = [name for name in setup["options.extras_require"] if name != "__name__"]
    text = REFERENCE["environment"] + (REPOSITORY / "README.md").read_text()
    assert all(f"`{name}`" in REFERENCE["environment"] for name in extras) and "`cluster`" in text


def test_tables_hold_any_text():
    assert table(("a",), [("x|y\nz",)]) == "| a |\n| --- |\n| x\\|y z |\n"
    assert prose("a <b> [c] `d*e`") == "a \\<b\\> \\[c\\] `d*e`"
