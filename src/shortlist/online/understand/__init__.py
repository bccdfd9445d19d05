"""Understanding a query: normalise, spell, expand, classify, link."""

from shortlist.online.understand.understand import Expansion, Understood, understand

__all__ = ["Expansion", "Understood", "understand"]
