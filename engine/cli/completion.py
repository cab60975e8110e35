"""`penstock completion`: a script that teaches a shell to complete commands and options."""

from __future__ import annotations

import click

from engine.cli.commands import Command


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that completes commands in a shell.

    For bash, put `eval "$(penstock completion bash)"` into ~/.bashrc.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(ctx.find_root().command, {}, "penstock", "_PENSTOCK_COMPLETE")
    # The template itself: `source()` would first start the shell to ask for its version.
    click.echo(script.source_template % script.source_vars())
