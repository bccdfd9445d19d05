"""`[feast]`: an existing Feast repository that features are read from."""

from __future__ import annotations

from shortlist.config.section import Section


class FeastSection(Section, frozen=True):
    """`[feast]`: a Feast repository that features with `value = "feast"` are read from.

    Attributes:
        url: where `feast serve` answers; it is asked when serving.
        repository: the folder of its `feature_store.yaml`, relative to the project folder or
            absolute; its offline store is asked when training.
        python: the interpreter that training asks it with, one that has `feast` installed. Empty:
            the one that trains.
        item: the join key that item ids are values of.
        user: the join key that user ids are values of.
        timeout: seconds that an answer is waited for when serving.
    """

    url: str
    repository: str
    python: str = ""
    item: str = "item_id"
    user: str = "user_id"
    timeout: float = 0.2
