"""Assets over a real local HTTP server: whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vlm4vla.core import assets, environment
from vlm4vla.core.environment import Asset, Environment
from vlm4vla.core.errors import MissingAsset
from vlm4vla.environments import fetch as fetching
from vlm4vla.environments.fetch import fetch

CONTENT = {"arm.urdf": b"<robot/>", "meshes/hand.stl": bytes(range(256)) * 4000}
DIGESTS = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}


def zipped(prefix="", files=CONTENT):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in {**files, "unwanted.txt": b"?"}.items():
            archive.writestr(prefix + name, data)
    return buffer.getvalue()


def tarred(prefix=""):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in CONTENT.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


PAGES = {
    "/robot.zip": zipped("robot-1.0/"),
    "/robot.tar.gz": tarred("robot-1.0/"),
    "/arm.urdf": CONTENT["arm.urdf"],
    "/altered.zip": zipped("robot-1.0/", {**CONTENT, "arm.urdf": b"<robut/>"}),
    "/short.zip": zipped("robot-1.0/", {"arm.urdf": CONTENT["arm.urdf"]}),
    "/page.html": b"<html>not what you wanted</html>",
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path == "/cut.zip":
            body = PAGES["/robot.zip"]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            return
        if self.path == "/silent.zip":
            self.server.released.wait(30)
            return
        if self.path not in PAGES:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGES[self.path])))
        self.end_headers()
        self.wfile.write(PAGES[self.path])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests, running.released = [], threading.Event()
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VLM4VLA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VLM4VLA_ASSETS", raising=False)
    return tmp_path / "cache" / "assets"


def robot(server, page="/robot.zip", files=DIGESTS, strip="robot-1.0"):
    url = f"http://127.0.0.1:{server.server_port}{page}" if server else ""
    return Asset("robot", "robots/arm", files, "MIT", url=url, strip=strip)


@pytest.mark.parametrize("page", ["/robot.zip", "/robot.tar.gz"])
def test_an_archive_is_unpacked_checked_and_kept(server, cache, page):
    seen = []
    folder = fetch(robot(server, page), lambda done, total: seen.append((done, total)))
    assert folder == cache / "robots" / "arm"
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == CONTENT
    assert seen[-1] == (len(PAGES[page]), len(PAGES[page]))
    assert fetch(robot(server, page)) == folder
    assert server.requests == [page], "what is there is not fetched again"


def test_a_single_file_is_kept_under_its_name(server, cache):
    asset = robot(server, "/arm.urdf", {"arm.urdf": DIGESTS["arm.urdf"]}, strip="")
    assert (fetch(asset) / "arm.urdf").read_bytes() == CONTENT["arm.urdf"]


def test_an_altered_file_in_the_cache_is_replaced(server, cache):
    folder = fetch(robot(server))
    (folder / "arm.urdf").write_bytes(b"<robot/!")
    assert fetch(robot(server)) == folder
    assert (folder / "arm.urdf").read_bytes() == CONTENT["arm.urdf"]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("/altered.zip", r"arm.urdf is altered"),
        ("/short.zip", "hand.stl"),
        ("/page.html", "neither a zip nor a tar"),
        ("/cut.zip", "ended after|IncompleteRead"),
        ("/nothing.zip", "404"),
    ],
)
def test_a_bad_download_leaves_nothing_behind(server, cache, page, said):
    with pytest.raises(MissingAsset, match=said) as error:
        fetch(robot(server, page))
    assert page in error.value.message, "the address is named"
    assert str(cache / "robots/arm") in error.value.fix and "VLM4VLA_ASSETS" in error.value.fix
    assert list((cache / "robots").iterdir()) == []


def test_a_server_that_says_nothing_is_given_up(server, cache, monkeypatch):
    monkeypatch.setattr(fetching, "SILENCE_S", 0.3)
    with pytest.raises(MissingAsset, match="timed out"):
        fetch(robot(server, "/silent.zip"))


def test_without_network_the_way_by_hand_is_named(server, cache):
    asset = robot(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(MissingAsset, match="refused") as error:
        fetch(asset)
    assert asset.url in error.value.message and str(cache / "robots/arm") in error.value.fix


def test_an_asset_without_address_is_not_asked_for(cache):
    with pytest.raises(MissingAsset, match="cannot be downloaded"):
        fetch(robot(None))


def test_the_users_folder_comes_first_and_is_left_alone(server, cache, tmp_path, monkeypatch):
    own = tmp_path / "own" / "robots" / "arm"
    for name, data in CONTENT.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_bytes(data)
    monkeypatch.setenv("VLM4VLA_ASSETS", str(tmp_path / "own"))
    assert fetch(robot(server)) == own and server.requests == []
    (own / "arm.urdf").write_bytes(b"mine")
    assert fetch(robot(server)) == cache / "robots" / "arm"
    assert (own / "arm.urdf").read_bytes() == b"mine"


@pytest.fixture
def located(monkeypatch, server):
    """`locate` over an environment of this test's own."""
    world = Environment("world", assets=(robot(server),))
    monkeypatch.setattr(assets, "load_environment", lambda name: world)
    assert environment.load_environment is not assets.load_environment
    return lambda: assets.locate("world", "robot")


def test_locate_never_fetches_and_names_the_command(located, server, cache):
    with pytest.raises(MissingAsset, match=r"robots/arm does not exist") as error:
        located()
    assert error.value.fix == "bench env install world" and server.requests == []


def test_locate_names_the_missing_or_altered_file(located, server, cache):
    folder = fetch(robot(server))
    assert located() == folder
    (folder / "arm.urdf").write_bytes(b"<robot/!")
    with pytest.raises(MissingAsset, match=r"arm\.urdf is altered"):
        located()
    (folder / "arm.urdf").unlink()
    with pytest.raises(MissingAsset, match=r"arm\.urdf is missing"):
        located()


def test_unchanged_files_are_read_once(located, server, cache, monkeypatch):
    located_folder = fetch(robot(server))
    located()
    reads = []
    digest = hashlib.file_digest
    monkeypatch.setattr(
        assets.hashlib, "file_digest", lambda f, kind: reads.append(f.name) or digest(f, kind)
    )
    located()
    assert reads == []
    os.utime(located_folder / "arm.urdf")
    located()
    assert reads == [str(located_folder / "arm.urdf")]
