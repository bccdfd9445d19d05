import socket
from itertools import count

import pytest
from pymilvus import MilvusClient

from shortlist.core.errors import ConfigError, StoreError
from shortlist.stores.vectors import StoreSchema, VectorField, VectorStore, open_vectors
from shortlist.testing.vectors import VectorStoreSuite

_names = count()


class TestMilvusStore(VectorStoreSuite):
    @pytest.fixture(autouse=True)
    def _collection(self, milvus_address: str) -> None:
        self.address = milvus_address
        self.url = f"milvus://{milvus_address}/docs{next(_names)}"

    def open(self, schema: StoreSchema | None) -> VectorStore:
        return open_vectors(self.url, schema)

    def test_a_collection_of_somebody_else_is_left_alone(self) -> None:
        client = MilvusClient(uri=f"http://{self.address}")
        client.create_collection("theirs", dimension=3)
        with pytest.raises(StoreError, match="'theirs' was not made by shortlist"):
            open_vectors(f"milvus://{self.address}/theirs")
        client.close()

    def test_a_collection_that_is_not_there_needs_a_schema(self) -> None:
        with pytest.raises(ConfigError, match="there is no collection 'none'"):
            open_vectors(f"milvus://{self.address}/none")

    def test_a_url_without_a_collection_is_explained(self) -> None:
        with pytest.raises(ConfigError, match="does not name a collection"):
            open_vectors(f"milvus://{self.address}/")


def test_a_server_that_does_not_answer_is_named() -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StoreError, match=address):
            open_vectors(f"milvus://{address}/docs", StoreSchema((VectorField("v", 2),)))
