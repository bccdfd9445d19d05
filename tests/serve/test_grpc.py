"""gRPC: the vector store's service and the project's, with health and reflection."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from clients import Server, free_port
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from litestar.testing import TestClient

from shortlist.online.engine import Engine
from shortlist.serve.app import create_app
from shortlist.serve.grpc import recommender_pb2, vectors_pb2
from shortlist.serve.grpc.generate import PACKAGE, generate
from shortlist.serve.grpc.recommender_pb2_grpc import RecommenderStub
from shortlist.serve.grpc.server import project_server, vector_server
from shortlist.serve.grpc.vectors_pb2_grpc import VectorsStub
from shortlist.serve.vectors.run import vectors_app
from shortlist.stores.vectors import StoreSchema, VectorField, open_vectors
from shortlist.testing import shop

ROOT = Path(__file__).parents[2]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
pb = vectors_pb2


def health_of(channel: grpc.Channel, name: str) -> int:
    request = health_pb2.HealthCheckRequest(service=name)
    status: int = health_pb2_grpc.HealthStub(channel).Check(request).status
    return status


def connected(port: int) -> grpc.Channel:
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    grpc.channel_ready_future(channel).result(timeout=30)
    return channel


@pytest.fixture
def vectors(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A stub and a channel of a store with two fields and three records."""
    schema = StoreSchema(
        (VectorField("title", 4, "dot", "v1"), VectorField("image", 2, "dot")),
        {"lang": "keyword", "year": "integer", "price": "number", "adult": "boolean",
         "tags": "keywords"},
    )  # fmt: skip
    store = open_vectors(tmp_path / "store", schema)
    images = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    years = {"year": [2001, 2002, 2003]}
    store.upsert(["a", "b", "c"], {"title": np.eye(3, 4, dtype=np.float32), "image": images}, years)
    store.close()
    port = free_port()
    beside = partial(vector_server, host="127.0.0.1", port=port)
    with TestClient(vectors_app(str(tmp_path / "store"), beside)):
        channel = connected(port)
        yield SimpleNamespace(stub=VectorsStub(channel), channel=channel)
        channel.close()


def record(id: str, title: list[float], **attributes: pb.Value) -> pb.Record:
    vectors = {"title": pb.Vector(values=title), "image": pb.Vector(values=[1, 0])}
    return pb.Record(id=id, vectors=vectors, attributes=attributes)


def refused(call: object, request: object) -> tuple[grpc.StatusCode, str]:
    assert callable(call)
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    return caught.value.code(), caught.value.details()


def test_the_generated_code_is_that_of_the_protos(tmp_path: Path) -> None:
    (tmp_path / PACKAGE).mkdir(parents=True)
    for made in generate(ROOT / "protos", tmp_path):
        committed = ROOT / "src" / made.relative_to(tmp_path)
        assert committed.read_text() == made.read_text(), f"{committed} is not what protoc makes"


def test_the_nearest_come_first(vectors: SimpleNamespace) -> None:
    queries = [pb.Vector(values=[0, 3, 2, 0]), pb.Vector(values=[1, 0, 0, 0])]
    request = pb.SearchRequest(
        queries=queries, k=2, field="title", attributes=["year"], where="year < 2003"
    )
    first, second = vectors.stub.Search(request).results
    assert [(hit.id, hit.score) for hit in first.hits] == [("b", 3.0), ("a", 0.0)]
    assert first.hits[0].attributes["year"].integer == 2002
    assert second.hits[0].id == "a"


def test_every_kind_of_attribute_comes_back_as_it_went(vectors: SimpleNamespace) -> None:
    sent = record(
        "new",
        [1, 2, 3, 4],
        lang=pb.Value(text="한국어"),
        year=pb.Value(integer=-(2**53)),
        price=pb.Value(number=0.1),
        adult=pb.Value(flag=True),
        tags=pb.Value(texts=pb.Texts(values=["x", "y"])),
    )
    request = pb.UpsertRequest(records=[sent], encoders={"title": "v1"})
    assert vectors.stub.Upsert(request).written == 1
    found = vectors.stub.Get(pb.GetRequest(ids=["new", "nobody"]))
    assert found.records[0] == sent
    assert list(found.missing) == ["nobody"]
    assert found.encoders["title"] == "v1"
    assert vectors.stub.Count(pb.CountRequest(where="adult == true")).count == 1
    assert vectors.stub.Delete(pb.DeleteRequest(ids=["new", "nobody"])).deleted == 1
    assert not vectors.stub.Get(pb.GetRequest(ids=["new"])).records


def test_missing_values_are_values_that_are_not_set(vectors: SimpleNamespace) -> None:
    found = vectors.stub.Get(pb.GetRequest(ids=["a"], without_vectors=True)).records[0]
    assert found.attributes["lang"].WhichOneof("kind") is None
    assert not found.vectors


def test_a_stream_of_writes_is_acknowledged_one_by_one(vectors: SimpleNamespace) -> None:
    seen = []

    def requests() -> Iterator[pb.UpsertRequest]:
        for i in range(5):
            yield pb.UpsertRequest(records=[record(f"n{i}-{j}", [i, j, 0, 0]) for j in range(i)])
            seen.append(vectors.stub.Count(pb.CountRequest()).count)

    written = [answer.written for answer in vectors.stub.UpsertStream(requests())]
    assert written == [0, 1, 2, 3, 4]
    assert vectors.stub.Count(pb.CountRequest()).count == 3 + 10
    assert seen == sorted(seen)


def test_a_refused_write_ends_the_stream_and_what_was_acknowledged_stays(
    vectors: SimpleNamespace,
) -> None:
    sent = [[record("x", [1, 0, 0, 0])], [record("y", [1, 0])], [record("z", [1, 0, 0, 0])]]
    answers = vectors.stub.UpsertStream(pb.UpsertRequest(records=one) for one in sent)
    assert next(answers).written == 1
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "request 1, records[0].vectors.title: the vector of 'y' has 2" in caught.value.details()
    assert list(vectors.stub.Get(pb.GetRequest(ids=["x", "y", "z"])).missing) == ["y", "z"]


def test_bad_requests_are_told_by_their_field(vectors: SimpleNamespace) -> None:
    stub, query = vectors.stub, pb.Vector(values=[1, 0, 0, 0])
    cases = [
        (stub.Search, pb.SearchRequest(field="title"), "queries: there is no query"),
        (stub.Search, pb.SearchRequest(queries=[query]), "field: is empty, and there are several"),
        (
            stub.Search,
            pb.SearchRequest(queries=[query], field="image"),
            "queries[0]: the query has 4",
        ),
        (stub.Search, pb.SearchRequest(queries=[query], field="title", where="year <"), "where: "),
        (stub.Search, pb.SearchRequest(queries=[query], field="title", encoder="v2"), "encoder"),
        (stub.Count, pb.CountRequest(where="yeer < 1"), "Did you mean 'year'"),
        (stub.Upsert, pb.UpsertRequest(records=[pb.Record(id="x")]), "'x' has no vector"),
        (stub.Upsert, pb.UpsertRequest(records=[record("x", [np.nan, 0, 0, 0])]), "nan"),
        (
            stub.Upsert,
            pb.UpsertRequest(records=[record("x", [1, 0, 0, 0])], encoders={"title": "v2"}),
            "encoder.title",
        ),
    ]
    for call, request, says in cases:
        code, message = refused(call, request)
        assert code == grpc.StatusCode.INVALID_ARGUMENT, message
        assert says in message


def test_the_service_describes_itself(vectors: SimpleNamespace) -> None:
    told = vectors.stub.Info(pb.InfoRequest())
    assert [(one.name, one.dim, one.metric, one.encoder) for one in told.fields] == [
        ("title", 4, "dot", "v1"),
        ("image", 2, "dot", ""),
    ]
    assert (told.attributes["year"], told.count, list(told.problems)) == ("integer", 3, [])
    reflected = ProtoReflectionDescriptorDatabase(vectors.channel)
    assert "shortlist.v1.Vectors" in reflected.get_services()
    file = reflected.FindFileContainingSymbol("shortlist.v1.Vectors")
    assert "UpsertStream" in [method.name for method in file.service[0].method]
    assert health_of(vectors.channel, "shortlist.v1.Vectors") == SERVING


def test_the_recommender_answers_as_http_does(folder: Path) -> None:
    config = shop.config("[serve]\nreload_seconds = 0.05")
    port = free_port()
    beside = partial(project_server, host="127.0.0.1", port=port)
    app = create_app(config, folder, lambda: Engine.open(config, folder), beside)
    with TestClient(app) as client, connected(port) as channel:
        stub, rpc = RecommenderStub(channel), recommender_pb2
        assert health_of(channel, "") == SERVING

        body = {"k": 5, "where": "price >= 20", "exclude": ["tools-21"]}
        by_http = client.post("/v1/recommend", json=body).json()
        found = stub.Recommend(rpc.RecommendRequest(**body))
        assert [(one.id, one.score) for one in found.items] == [
            (one["id"], pytest.approx(one["score"])) for one in by_http["items"]
        ]
        assert found.release == by_http["release"]

        like = stub.Similar(rpc.SimilarRequest(item="tools-25", k=3, explain=True))
        by_http = client.post("/v1/similar", json={"item": "tools-25", "k": 3}).json()
        assert [one.id for one in like.items] == [one["id"] for one in by_http["items"]]
        assert like.items[0].explain["sources"].values

        body = {"query": "number 7", "k": 3, "facets": ["category"], "explain": True}
        by_http = client.post("/v1/search", json=body).json()
        looked = stub.Search(rpc.TextSearchRequest(**body))
        assert [one.id for one in looked.items] == [one["id"] for one in by_http["items"]]
        assert dict(looked.items[0].highlights) == by_http["items"][0]["highlights"]
        assert dict(looked.facets["category"].values) == by_http["facets"]["category"]
        assert (looked.found, looked.query) == (by_http["found"], by_http["query"])
        by_http = client.get("/v1/suggest?q=num").json()["suggestions"]
        assert list(stub.Suggest(rpc.SuggestRequest(query="num")).suggestions) == by_http

        events = [rpc.Event(user="ann", item=f"books-{row}", kind="view") for row in (40, 41)]
        assert stub.Post(rpc.PostRequest(events=events)).accepted == 2
        found = stub.Recommend(rpc.RecommendRequest(user="ann", k=5))
        assert all(one.id.startswith("books") for one in found.items[:3])

        for call, request, says in [
            (stub.Recommend, rpc.RecommendRequest(k=0), "k: 0 items are wanted"),
            (stub.Recommend, rpc.RecommendRequest(where="colour == 1"), "where: "),
            (stub.Recommend, rpc.RecommendRequest(context={"os": "x"}), "context: 'os' is not"),
            (stub.Search, rpc.TextSearchRequest(query="x", context={"os": "x"}), "context: 'os'"),
            (
                stub.Post,
                rpc.PostRequest(
                    events=[rpc.Event(user="a", item="b", kind="view", context={"os": "x"})]
                ),
                "events[0].context: 'os' is not a context",
            ),
            (stub.Similar, rpc.SimilarRequest(item="no such"), "item: no item has the id"),
            (stub.Search, rpc.TextSearchRequest(query="x", where="price <"), "where: "),
            (stub.Post, rpc.PostRequest(events=[rpc.Event(user="a", item="b", kind="v")]), "kind"),
            (
                stub.Post,
                rpc.PostRequest(events=[rpc.Event(user="a", item="b", kind="view", propensity=2)]),
                "events[0].propensity: 2.0 is not the chance",
            ),
        ]:
            code, message = refused(call, request)
            assert (code, says in message) == (grpc.StatusCode.INVALID_ARGUMENT, True), message
        assert (
            'route="/shortlist.v1.Recommender/Recommend",status="0"' in client.get("/metrics").text
        )


def test_a_server_without_a_release_says_so_until_there_is_one(tmp_path: Path) -> None:
    config = shop.config("[serve]\nreload_seconds = 0.05")
    port = free_port()
    beside = partial(project_server, host="127.0.0.1", port=port)
    app = create_app(config, tmp_path, lambda: Engine.open(config, tmp_path), beside)
    with TestClient(app), connected(port) as channel:
        stub = RecommenderStub(channel)
        code, message = refused(stub.Recommend, recommender_pb2.RecommendRequest())
        assert code == grpc.StatusCode.UNAVAILABLE
        assert "no release is open yet" in message
        assert health_of(channel, "") == NOT_SERVING
        shop.publish(tmp_path)
        Server.wait_until(lambda: health_of(channel, "") == SERVING)
        assert stub.Recommend(recommender_pb2.RecommendRequest()).items
