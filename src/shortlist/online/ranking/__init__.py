"""Scorers over what a release holds."""
