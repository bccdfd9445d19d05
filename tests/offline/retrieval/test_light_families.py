"""Every light family keeps the contract of retrievers."""

from shortlist.config.schema import (
    FactorsRetriever,
    GraphFilterRetriever,
    LinearRetriever,
    NeighboursRetriever,
    Retriever,
    TransitionsRetriever,
)
from shortlist.testing.retrieval import RetrieverContract


class TestTransitionsContract(RetrieverContract):
    def config(self) -> Retriever:
        return TransitionsRetriever()


class TestNeighboursContract(RetrieverContract):
    def config(self) -> Retriever:
        return NeighboursRetriever(recent=20, nearest=10)


class TestFactorsContract(RetrieverContract):
    def config(self) -> Retriever:
        return FactorsRetriever(dim=8, epochs=4)


class TestGraphFilterContract(RetrieverContract):
    def config(self) -> Retriever:
        return GraphFilterRetriever(frequencies=4)


class TestClosedLinearContract(RetrieverContract):
    def config(self) -> Retriever:
        return LinearRetriever(solver="closed")


class TestSparseLinearContract(RetrieverContract):
    def config(self) -> Retriever:
        return LinearRetriever(solver="sparse", support=8)


class TestEaseContract(RetrieverContract):
    def config(self) -> Retriever:
        return LinearRetriever(decay=1.0)
