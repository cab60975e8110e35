"""docs/command-line.md and the command line itself name the same commands and options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from engine.cli.root import SUBCOMMANDS, penstock

PAGE = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text(encoding="utf-8")
#: One line for each command, or for some commands of a group.
OVERVIEW = re.findall(r"^penstock (\w+) (.*)$", PAGE.partition("```\n")[2].partition("```")[0], re.MULTILINE)
SECTIONS = dict(section.split("\n", 1) for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:])
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
#: Told once for all commands.
EVERYWHERE = {"--home", "--help", "-h"}


def command(name: str) -> click.Command:
    found = penstock.get_command(click.Context(penstock), name)
    assert found is not None
    return found


def inside(group: click.Command) -> Mapping[str, click.Command]:
    return group.commands if isinstance(group, click.Group) else {}


def section(name: str) -> str:
    """The text about a command: the section whose title names it."""
    return next(text for title, text in SECTIONS.items() if name in re.findall(r"\w+", title))


def options(of: click.Command) -> Iterator[frozenset[str]]:
    """The spellings of each option of a command, and of those in it."""
    for each in (of, *inside(of).values()):
        for parameter in each.params:
            spellings = frozenset((*parameter.opts, *parameter.secondary_opts))
            if isinstance(parameter, click.Option) and not parameter.hidden and not spellings & EVERYWHERE:
                yield spellings


def test_the_overview_has_every_command_in_the_order_of_the_help() -> None:
    assert list(dict.fromkeys(name for name, _ in OVERVIEW)) == list(SUBCOMMANDS)


@pytest.mark.parametrize("name", [name for name in SUBCOMMANDS if inside(command(name))])
def test_the_overview_has_every_command_of_a_group(name: str) -> None:
    lists = [re.match(r"[a-z-]+( \| [a-z-]+)*", rest) for group, rest in OVERVIEW if group == name]
    told = [word for found in lists if found is not None for word in found[0].split(" | ")]
    assert sorted(told) == sorted(inside(command(name)))


@pytest.mark.parametrize("name", [name for name in SUBCOMMANDS if name != "completion"])
def test_every_command_and_option_is_told_and_no_other(name: str) -> None:
    text = section(name)
    told = set(OPTION.findall(text))
    known = EVERYWHERE.union(*(spellings for each in SUBCOMMANDS for spellings in options(command(each))))

    assert [each for each in inside(command(name)) if not re.search(rf"\b{each}\b", text)] == []
    assert [sorted(spellings) for spellings in options(command(name)) if not spellings & told] == []
    assert told - known == set()
