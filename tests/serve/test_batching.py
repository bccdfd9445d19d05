import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import FeatureError, RequestError
from shortlist.core.request import Request, Shortlist
from shortlist.serve.batching import Batcher


def answer(requests: Sequence[Request]) -> list[Shortlist]:
    """Answers with as many items as wanted; more than 1,000 are refused, as the engine does.

    For 1,000 items a feature would be needed whose value cannot be told.
    """
    for request in requests:
        if request.k == 1_000:
            raise FeatureError("too old.", where="features.week")
        if request.k > 1_000:
            raise RequestError("too many.", where="k")
    return [
        Shortlist(
            ids=[f"{request.user}{n}" for n in range(request.k)],
            scores=np.zeros(request.k, np.float32),
            rows=np.arange(request.k, dtype=np.int32),
            release="r",
            request="q",
        )
        for request in requests
    ]


@given(
    st.lists(st.integers(0, 1_001) | st.sampled_from([1_000, 1_001]), max_size=40),
    st.integers(1, 8),
)
def test_everybody_gets_the_own_answer_or_error_in_batches_of_a_bounded_size(
    wanted: list[int], most: int
) -> None:
    wanted = [k if k > 990 else k % 5 for k in wanted]
    sizes: list[int] = []

    async def ask_all() -> list[Shortlist | BaseException]:
        batcher = Batcher(answer, most, sizes.append)
        asked = [batcher.ask(Request(user=f"u{n}.", k=k)) for n, k in enumerate(wanted)]
        return await asyncio.gather(*asked, return_exceptions=True)

    for n, (k, found) in enumerate(zip(wanted, asyncio.run(ask_all()), strict=True)):
        if k > 1_000:
            assert isinstance(found, RequestError)
        elif k == 1_000:
            assert isinstance(found, FeatureError)
        else:
            assert isinstance(found, Shortlist)
            assert found.ids == [f"u{n}.{place}" for place in range(k)]
    assert sum(sizes) == len(wanted)
    assert max(sizes, default=0) <= most


def test_a_request_to_an_idle_worker_is_answered_alone() -> None:
    sizes: list[int] = []

    async def one_after_another() -> None:
        batcher = Batcher(answer, 16, sizes.append)
        for _ in range(3):
            await batcher.ask(Request())

    asyncio.run(one_after_another())
    assert sizes == [1, 1, 1]


def test_requests_that_arrive_together_are_answered_together() -> None:
    sizes: list[int] = []

    async def together() -> None:
        batcher = Batcher(answer, 16, sizes.append)
        await asyncio.gather(*(batcher.ask(Request()) for _ in range(20)))

    asyncio.run(together())
    assert sizes == [16, 4]


def test_a_caller_that_went_away_costs_nothing() -> None:
    answered: list[str] = []

    def note(requests: Sequence[Request]) -> list[Shortlist]:
        answered.extend(request.user for request in requests)
        return answer(requests)

    async def leave() -> None:
        batcher = Batcher(note, 16)
        gone = asyncio.ensure_future(batcher.ask(Request(user="gone")))
        await asyncio.sleep(0)
        gone.cancel()
        await batcher.ask(Request(user="stays"))

    asyncio.run(leave())
    assert answered == ["stays"]


def test_a_failure_reaches_those_who_asked_and_nobody_after_them() -> None:
    failures = iter([OSError("the disk is gone")])

    def fail_once(requests: Sequence[Request]) -> list[Shortlist]:
        for failure in failures:
            raise failure
        return answer(requests)

    async def ask_twice() -> Shortlist:
        batcher = Batcher(fail_once, 16)
        with pytest.raises(OSError, match="disk"):
            await batcher.ask(Request())
        return await batcher.ask(Request(k=3))

    assert len(asyncio.run(ask_twice())) == 3
