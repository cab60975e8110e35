"""docs/rest-api.md lists the routes that are served: `python -m tests.unit.api.test_rest_api_page` prints its table."""

from __future__ import annotations

from pathlib import Path

import click

from engine.api.app import served

PAGE = Path(__file__).parents[3] / "docs" / "rest-api.md"


def table() -> str:
    """The table of routes; an action stands there once, without `actions/`."""
    routes = [route for route in served() if "/actions/" not in route.path]
    lines = [f"| {route.method} | `{route.path}` | {route.purpose} |" for route in routes]
    return "\n".join(["| method | path | what it does |", "|---|---|---|", *lines])


def test_the_page_lists_the_routes_that_are_served() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")


def test_every_route_says_what_it_does() -> None:
    assert not [route for route in served() if not route.purpose.endswith(".")]


def test_every_action_is_served_both_ways() -> None:
    paths = {(route.method, route.path) for route in served()}
    actions = {(method, path) for method, path in paths if "/actions/" in path}
    assert len(actions) >= 11
    assert {(method, path.replace("/actions/", "/")) for method, path in actions} <= paths


if __name__ == "__main__":
    click.echo(table())
