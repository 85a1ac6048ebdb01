import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as parquet
import pytest

from imagemusic.data.build.build import build
from imagemusic.data.build.export import export, push
from imagemusic.errors import OutputError
from tests.gathered import gather


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as an upload of small files needs."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.asked.append((self.path, self.headers.get("Authorization"), body))
        here = f"http://127.0.0.1:{self.server.server_port}"
        if self.headers.get("Authorization") != "Bearer hf_good":
            self.answer({"error": "Invalid credentials"}, 401)
        elif self.path == "/api/repos/create":
            self.answer({"url": f"{here}/datasets/owner/name"})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]
            self.answer({"files": modes})
        elif "/commit/" in self.path:
            self.answer({"commitUrl": f"{here}/datasets/owner/name/commit/abc", "commitOid": "abc", "success": True})
        else:
            self.answer({})

    def do_GET(self):
        self.answer({"id": "owner/name", "sha": "abc", "siblings": [], "private": True})

    def answer(self, table, status=200):
        body = json.dumps(table).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    made = gather(tmp_path_factory.mktemp("exported") / "set", albums=3)
    made.midi("bad.mid", b"junk")
    made.line("bad.mid", status="corrupt")
    return made.folder, build(made.folder, workers=1)


@pytest.fixture(scope="module")
def exported(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "out"
    export(dataset[1], out)
    return out


def test_ids_and_fingerprints_are_written_and_nothing_that_names_anybody(exported):
    assert {path.name for path in exported.iterdir()} == {"pieces.parquet", "README.md"}
    rows = parquet.read_table(exported / "pieces.parquet").to_pylist()
    assert len(rows) == 6  # the file that cannot be used is left out
    assert all(len(row["midi_sha256"]) == 64 and len(row["fingerprint"]) == 32 for row in rows)
    assert not {"artist", "title", "album", "key", "cover", "cover_sha256", "cover_hash", "prepared"} & rows[0].keys()
    assert len({row["group"] for row in rows}) == 3
    assert "artist" not in rows[0]["group"]


def test_no_cover_is_among_the_bytes(dataset, exported):
    folder, _ = dataset
    written = b"".join(path.read_bytes() for path in exported.iterdir())
    for cover in folder.glob("covers/*/*"):
        assert cover.read_bytes()[100:200] not in written
        assert cover.stem.encode() not in written


def test_of_spotify_no_more_than_ids_is_passed_on(tmp_path):
    made = gather(tmp_path / "set", albums=1)
    text = (made.folder / "journal.jsonl").read_text().replace('"terms": "own"', '"terms": "spotify", "isrc": "GB123"')
    (made.folder / "journal.jsonl").write_text(text)
    export(build(made.folder, workers=1), tmp_path / "out")
    rows = parquet.read_table(tmp_path / "out" / "pieces.parquet").to_pylist()
    assert [(row["release_id"], row["isrc"]) for row in rows] == [("Artist 0/Album 0", None)] * 2


def test_the_hub_gets_these_two_files_in_a_private_data_set(exported, hub):
    (exported / "cover.jpg").write_bytes(b"not for anybody")
    address = push(exported, "owner/name", endpoint=f"http://127.0.0.1:{hub.server_port}", token="hf_good")
    (exported / "cover.jpg").unlink()
    assert address.endswith("/datasets/owner/name")
    created = next(json.loads(body) for path, _, body in hub.asked if path == "/api/repos/create")
    assert created["type"] == "dataset"
    assert created.get("private") or created.get("visibility") == "private"  # as the version of the library says it
    commit = next(body for path, _, body in hub.asked if "/commit/" in path)
    files = [json.loads(line)["value"]["path"] for line in commit.splitlines() if json.loads(line)["key"] == "file"]
    assert sorted(files) == ["README.md", "pieces.parquet"]


def test_a_hub_that_refuses_is_one_line(exported, hub):
    with pytest.raises(OutputError, match="owner/name: the hub did not take it"):
        push(exported, "owner/name", endpoint=f"http://127.0.0.1:{hub.server_port}", token="hf_bad")


def test_a_name_that_no_hub_takes_is_refused(exported):
    with pytest.raises(OutputError, match="the hub did not take it"):
        push(exported, "no spaces please", endpoint="http://127.0.0.1:9", token="hf_good")


def test_a_place_that_cannot_be_written_is_one_line(dataset, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        export(dataset[1], tmp_path / "file" / "out")
