"""Items that were written since the release: how they take part in its answers."""

from __future__ import annotations

from shortlist.online.live.items import Live

__all__ = ["Live"]
