import socket
import subprocess
import sys
from pathlib import Path

import pytest
from clients import free_port, until_ready
from litestar.testing import TestClient

from shortlist.online.engine import Engine
from shortlist.serve.app import create_app
from shortlist.serve.errors import AddressError
from shortlist.serve.run import serve
from shortlist.serve.supervise import check_addresses, reserved
from shortlist.serve.tensorflow.versions import version_of
from shortlist.testing import shop


def test_an_address_that_is_taken_is_an_error_that_names_it(folder: Path) -> None:
    (folder / "shortlist.toml").write_text(shop.CONFIG)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AddressError, match=f"127.0.0.1:{port} .*in use.*another"):
            serve(folder, "127.0.0.1", port)


def test_an_address_is_taken_while_the_workers_that_will_listen_there_start() -> None:
    ports = {"port": free_port(), "grpc_port": free_port()}
    with reserved("127.0.0.1", ports):
        for port in ports.values():
            with pytest.raises(AddressError, match="in use"):
                check_addresses("127.0.0.1", {"port": port})
            with socket.socket() as worker:
                for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
                    worker.setsockopt(socket.SOL_SOCKET, option, 1)
                worker.bind(("127.0.0.1", port))
                worker.listen()
    check_addresses("127.0.0.1", {"port": ports["port"]})


def test_a_server_without_a_release_lives_says_so_and_serves_the_first_one(tmp_path: Path) -> None:
    config = shop.config("[serve]\nreload_seconds = 0.05")
    with TestClient(create_app(config, tmp_path, lambda: Engine.open(config, tmp_path))) as client:
        assert client.get("/healthz").json()["status"] == "ok"
        for answer in (client.get("/readyz"), client.post("/v1/recommend", json={})):
            assert answer.status_code == 503
            assert "no release is open yet" in answer.json()["error"]["problem"]
        probed = client.get("/v1/models/index")
        assert probed.status_code == 404
        assert "Could not find any versions of model index" in probed.json()["error"]
        called = client.post("/v1/models/index:predict", json={"inputs": [0.5]})
        assert called.status_code == 503
        assert "no release is open yet" in called.json()["error"]
        published = shop.publish(tmp_path)
        until_ready(client)
        assert client.post("/v1/recommend", json={}).json()["release"] == published


def test_a_model_is_loading_until_its_release_answers(folder: Path) -> None:
    config = shop.config("[serve]\nreload_seconds = 3600")
    with TestClient(create_app(config, folder, lambda: Engine.open(config, folder))) as client:
        newer = str(version_of(shop.publish(folder)))
        answer = client.get("/v1/models/index")
        listed = [entry["state"] for entry in answer.json()["model_version_status"]]
        assert (answer.status_code, listed) == (200, ["LOADING", "AVAILABLE"])
        newest = client.get(f"/v1/models/index/versions/{newer}").json()
        assert [entry["version"] for entry in newest["model_version_status"]] == [newer]


def test_a_release_that_cannot_be_opened_is_not_ready_and_says_why(folder: Path) -> None:
    config = shop.config()
    current = next((folder / ".shortlist" / "releases").glob("2*"))
    (current / "catalogue" / "vocabulary" / "keys.npy").unlink()
    with TestClient(create_app(config, folder, lambda: Engine.open(config, folder))) as client:
        answer = client.get("/v1/models/index")
        assert answer.status_code == 503
        (status,) = answer.json()["model_version_status"]
        assert (status["state"], status["status"]["error_code"]) == ("END", "INTERNAL")
        assert "lacks a file" in status["status"]["error_message"]


def test_serving_needs_no_grpc_until_its_port_is_asked_for(folder: Path) -> None:
    (folder / "shortlist.toml").write_text(shop.CONFIG)
    program = (
        "import sys; from pathlib import Path\n"
        "for name in ('grpc', 'grpc_health', 'grpc_reflection', 'google.protobuf'):\n"
        "    sys.modules[name] = None\n"
        "from litestar.testing import TestClient\n"
        "from shortlist.serve.app import app_of\n"
        "from shortlist.serve.run import serve\n"
        "from shortlist.serve.vectors import run\n"
        "with TestClient(app_of(Path(sys.argv[1]))) as client:\n"
        "    print(client.get('/readyz').status_code)\n"
        "try: serve(Path(sys.argv[1]), port=int(sys.argv[2]), grpc_port=int(sys.argv[3]))\n"
        "except Exception as error: print(error)\n"
    )
    arguments = [str(folder), str(free_port()), str(free_port())]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "200",
        "grpc_port: gRPC is not installed. Install shortlist[grpc].",
    ]


def test_two_settings_of_one_port_are_told(folder: Path) -> None:
    (folder / "shortlist.toml").write_text(shop.CONFIG)
    port = free_port()
    with pytest.raises(AddressError, match="is the port already") as caught:
        serve(folder, port=port, grpc_port=port)
    assert caught.value.where == "grpc_port"
