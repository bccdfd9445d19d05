"""A sample world: a second-hand marketplace in Korean, English and Japanese, with known truth.

Users have tastes over categories, prices, places and languages that drift; listings arrive, sell
and end; a logging policy shows lists and users act on what they look at. Because the world is
made up, the true preference of every user and the probability that a position is looked at are
known, and what a system finds can be compared with them.
"""

from shortlist.testing.marketplace.sessions import EXAMINATION, KINDS, VIEW
from shortlist.testing.marketplace.world import UNTIL, World, generate

__all__ = ["EXAMINATION", "KINDS", "UNTIL", "VIEW", "World", "generate"]
