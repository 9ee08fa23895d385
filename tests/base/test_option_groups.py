"""Groups of options on a command line."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from harness.base.command import new_app, user_command
from harness.base.option_groups import Without, option_group, words_of


@option_group("Paint")
class Paint:
    colour: Annotated[str, typer.Option("--hue", help="Which.")] = "red"
    coats: Annotated[int, typer.Option(min=1, help="How many.")] = 2


@option_group("Wall")
class Wall:
    height: Annotated[float, typer.Option(help="In metres.")]


def call(function, *words: str):
    app = new_app()
    app.command()(user_command(function))
    return CliRunner().invoke(app, list(words))


def paint(name: Annotated[str, typer.Argument()], paint: Paint, wall: Wall, dry: bool = False) -> None:
    """Paint."""
    print(name, paint, wall, dry)


def test_a_group_is_made_of_its_options():
    done = call(paint, "shed", "--hue", "blue", "--height", "2.5", "--dry")
    assert done.output == "shed Paint(colour='blue', coats=2) Wall(height=2.5) True\n"


def test_the_options_of_a_group_keep_their_rules():
    assert call(paint, "shed", "--height", "2", "--coats", "0").exit_code == 2
    assert "--height" in call(paint, "shed").output


def test_help_shows_a_group_under_its_heading():
    lines = call(paint, "--help").output.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Arguments:", "Paint:", "Wall:", "Options:"]
    assert lines[lines.index("Paint:") + 1].split()[0] == "--hue"


def test_a_command_can_do_without_an_option_of_a_group():
    def one_coat(paint: Annotated[Paint, Without("coats")]) -> None:
        print(paint)

    assert call(one_coat, "--hue", "blue").output == "Paint(colour='blue', coats=2)\n"
    refused = call(one_coat, "--coats", "1")
    assert refused.exit_code == 2 and "--coats" in refused.output


def test_two_options_of_one_name_are_a_mistake_of_the_program():
    def twice(paint: Paint, coats: int = 1) -> None:
        """Twice."""

    with pytest.raises(ValueError, match="duplicate parameter name"):
        user_command(twice)


@option_group("Room")
class Room:
    walls: Annotated[list[str] | None, typer.Option("--wall", help="Each.")] = None
    swept: Annotated[bool, typer.Option("--swept/--unswept", help="Before.")] = True
    lit: Annotated[bool, typer.Option("--lit", help="While.")] = False
    least_light: float = 0.5


@pytest.mark.parametrize(
    "groups",
    [
        (Paint(), Wall(height=2.5), Room()),
        (
            Paint(colour="a b", coats=3),
            Wall(height=-1e-3),
            Room(walls=["x", "--y"], swept=False, lit=True, least_light=0),
        ),
    ],
)
def test_the_words_of_groups_make_them_again(groups: tuple[Paint, Wall, Room]):
    seen = []

    def furnish(paint: Paint, wall: Wall, room: Room) -> None:
        """Furnish."""
        seen.append((paint, wall, room))

    assert call(furnish, *words_of(*groups)).exit_code == 0
    assert seen == [groups]
    assert len(words_of(*groups)) == (2 if groups[0] == Paint() else 14)
