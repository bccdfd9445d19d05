"""The `shortlist` command; one file per command."""

from shortlist.cli.app import main

__all__ = ["main"]
