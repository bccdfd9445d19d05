"""Arrange: from scored candidates to the list that is shown."""

from shortlist.online.arrange.arrange import Arrange, Arranged

__all__ = ["Arrange", "Arranged"]
