"""The `penstock` command."""

from engine.cli.root import main

__all__ = ["main"]
