"""What is opened from the same bytes is opened once."""

from shortlist.core.shared import Shared


class Opened:
    """Something that costs to open."""


def test_the_same_content_is_the_same_object_while_somebody_holds_it() -> None:
    shared: Shared[Opened] = Shared()
    first = shared.get(b"model", Opened)
    assert shared.get(bytes(bytearray(b"model")), Opened) is first
    assert shared.get(b"other", Opened) is not first
    assert shared.get(b"model", Opened, variant=2) is not first


def test_what_nobody_holds_is_not_kept() -> None:
    shared: Shared[Opened] = Shared()
    made = []

    def make() -> Opened:
        made.append(1)
        return Opened()

    for _ in range(3):
        shared.get(b"model", make)
    assert len(made) == 3
