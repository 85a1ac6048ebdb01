"""Fetching against a real server on this machine, with its bad days."""

import functools
import hashlib
import importlib.util
import io
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from imagemusic.data.corpora import registry
from imagemusic.data.corpora.registry import convert_engraved, digest, read_origins
from imagemusic.data.download import RetryPolicy, download
from imagemusic.errors import ConfigError, DataError, DependencyError
from imagemusic.music.midi import midi_bytes
from imagemusic.music.score import Note, Score, Track

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch_corpora.py"
COMMIT = "0123456789" * 4
SONG = midi_bytes(Score([Track([Note(0, 60, 24)])]))
QUICK = RetryPolicy(first_wait_seconds=0.001, timeout_seconds=5)


class Handler(BaseHTTPRequestHandler):
    """Answer from `server.files`; `server.troubles` holds what goes wrong first, by path."""

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        troubles = server.troubles.get(self.path, [])
        trouble = troubles.pop(0) if troubles else ""
        body = server.files.get(self.path)
        if trouble.startswith("redirect"):
            self.send_response(302)
            self.send_header("Location", trouble.removeprefix("redirect "))
            self.end_headers()
        elif trouble.isdigit() or body is None:
            self.send_response(int(trouble or 404))
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) if "Range" in self.headers else 0
            if trouble == "no ranges":
                start = 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            self.wfile.write(body[start : start + (len(body) - start) // 2] if trouble == "cut" else body[start:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.troubles, server.asked = {}, {}, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def archive_of(files, root=f"repo-{COMMIT}"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, data in files.items():
            member = tarfile.TarInfo(f"{root}/{path}" if root else path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


FILES = {"music/a.mid": SONG, "music/b.mid": SONG, "music/deep/c.mid": SONG, "LICENSE": b"MIT", "src/x.c": b""}
ARCHIVE = archive_of(FILES)
PATH = f"/someone/songs/tar.gz/{COMMIT}"


def sha256_of(files):
    lines = sorted(f"{path}\0{hashlib.sha256(data).hexdigest()}\n" for path, data in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.fixture
def fetch(server, tmp_path, monkeypatch, capsys):
    """Run the script with a table of one corpus; return (status, stdout, stderr)."""
    spec = importlib.util.spec_from_file_location("fetch_corpora", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server.files[PATH] = ARCHIVE

    def run(*more, **changes):
        settings = {
            "repository": "someone/songs",
            "commit": COMMIT,
            "licence": "MIT",
            "take": ["music/*.mid", "LICENSE"],
            "root": "music",
            "files": 2,
            "size_bytes": 2 * len(SONG),
            "sha256": sha256_of({"a.mid": SONG, "b.mid": SONG}),
        }
        rows = [
            f"{key} = {str(value).lower() if value in (True, False) else repr(value)}"
            for key, value in (settings | changes).items()
        ]
        (tmp_path / "corpora.toml").write_text("[songs]\n" + "\n".join(rows) + "\n")
        arguments = ["--table", tmp_path / "corpora.toml", "--base-url", server.url, "--first-wait", "0.001", *more]
        monkeypatch.setattr("sys.argv", ["fetch_corpora", *map(str, arguments)])
        status = module.main()
        return status, *capsys.readouterr()

    return run


def test_what_a_corpus_takes_of_an_archive_lands_in_its_folder(fetch, tmp_path):
    status, out, err = fetch("--out", tmp_path / "corpora")
    assert (status, out, err) == (0, "songs: 2 files, as expected\n", "")
    folder = tmp_path / "corpora" / "songs"
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "a.mid", "b.mid"]
    assert [path.name for path in folder.parent.iterdir()] == ["songs"]


def test_a_second_run_asks_for_nothing(fetch, tmp_path, server):
    fetch("--out", tmp_path)
    server.asked.clear()
    assert fetch("--out", tmp_path)[0] == 0
    assert server.asked == []


def test_a_busy_server_is_asked_again(fetch, tmp_path, server):
    server.troubles[PATH] = ["503", "429", "500"]
    assert fetch("--out", tmp_path)[0] == 0
    assert len(server.asked) == 4


def test_a_cut_body_is_gone_on_with_where_it_broke_off(fetch, tmp_path, server):
    server.troubles[PATH] = ["cut", "cut"]
    assert fetch("--out", tmp_path)[0] == 0
    half = len(ARCHIVE) // 2
    assert [asked for _, asked in server.asked] == [
        None,
        f"bytes={half}-",
        f"bytes={half + (len(ARCHIVE) - half) // 2}-",
    ]


def test_a_server_without_ranges_sends_everything_again(fetch, tmp_path, server):
    server.troubles[PATH] = ["cut", "no ranges"]
    assert fetch("--out", tmp_path)[0] == 0


def test_another_checksum_is_refused_and_nothing_is_left_in_place(fetch, tmp_path):
    status, _, err = fetch("--out", tmp_path / "corpora", sha256="0" * 64)
    assert status == 1
    assert "songs: 2 files with sha256" in err and err.count("\n") == 2
    assert "0 fetched, without songs" in err
    assert not (tmp_path / "corpora" / "songs").exists()


def test_a_corpus_that_is_converted_may_differ_and_says_so(fetch, tmp_path):
    status, out, _ = fetch("--out", tmp_path, sha256="0" * 64, exact=False, note="made by verovio 6.4.1")
    assert status == 0
    assert out.rstrip().endswith("made by verovio 6.4.1")


def test_a_missing_archive_is_one_line_and_not_asked_for_twice(fetch, tmp_path, server):
    server.files.clear()
    status, _, err = fetch("--out", tmp_path)
    assert status == 1
    assert "the server answered HTTP 404 Not Found" in err
    assert len(server.asked) == 1


def test_a_server_that_stays_busy_is_given_up(tmp_path, server):
    server.files["/x"], server.troubles["/x"] = b"x", ["503"] * 9
    with pytest.raises(DataError, match=r"gave up after 6 attempts \(HTTP 503\)"):
        download(f"{server.url}/x", tmp_path / "x", policy=QUICK)


def test_nobody_listening_is_given_up(tmp_path):
    with pytest.raises(DataError, match="gave up after 2 attempts"):
        download("http://127.0.0.1:9/x", tmp_path / "x", policy=RetryPolicy(attempts=2, first_wait_seconds=0.001))


def test_a_redirect_to_another_host_is_refused(tmp_path, server):
    server.troubles["/x"] = ["redirect http://localhost:1/y"]
    with pytest.raises(DataError, match="refused a redirect to another host, localhost:1"):
        download(f"{server.url}/x", tmp_path / "x", policy=QUICK)


def test_a_file_that_changed_on_the_server_is_begun_again(tmp_path, server):
    (tmp_path / "x.part").write_bytes(b"longer than what is there now")
    server.files["/x"], server.troubles["/x"] = b"new", ["416"]
    download(f"{server.url}/x", tmp_path / "x", policy=QUICK)
    assert (tmp_path / "x").read_bytes() == b"new"


def test_a_file_that_cannot_be_written_is_named(tmp_path, server):
    server.files["/x"] = b"x"
    with pytest.raises(DataError, match=r"missing.x: cannot write it"):
        download(f"{server.url}/x", tmp_path / "missing" / "x", policy=QUICK)


@pytest.mark.parametrize("path", ["../evil.mid", "/evil.mid", "repo/../../evil.mid"])
def test_a_path_that_leads_out_of_the_folder_is_refused(fetch, tmp_path, server, path):
    server.files[PATH] = archive_of({path: SONG}, root="")
    status, _, err = fetch("--out", tmp_path / "corpora")
    assert status == 1
    assert "a path that leads out of the folder" in err
    assert not list(tmp_path.rglob("evil.mid"))


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        pytest.param(b"<html>sorry</html>", "damaged archive", id="a page instead"),
        pytest.param(ARCHIVE[: len(ARCHIVE) // 2], "damaged archive", id="half an archive"),
        pytest.param(
            archive_of({"README": b""}), "holds nothing that matches music/*.mid, LICENSE", id="another archive"
        ),
    ],
)
def test_a_useless_archive_is_named_and_fetched_again_next_time(fetch, tmp_path, server, archive, message):
    server.files[PATH] = archive
    status, _, err = fetch("--out", tmp_path)
    assert status == 1
    assert message in err
    server.files[PATH] = ARCHIVE
    assert fetch("--out", tmp_path)[0] == 0


def test_files_of_many_commits_are_known_by_their_git_hash(fetch, tmp_path, server):
    blob = hashlib.sha1(b"blob %d\0" % len(SONG) + SONG).hexdigest()
    rows = "file,path,commit,blob\n" + "".join(f"{name}.mid,old/{name} 1.mid,{COMMIT},{blob}\n" for name in "ab")
    (tmp_path / "history.csv").write_text(rows)
    server.files[f"/someone/songs/{COMMIT}/old/a%201.mid"] = SONG
    server.files[f"/someone/songs/{COMMIT}/old/b%201.mid"] = b"another version"
    server.files[f"/repos/someone/songs/git/blobs/{blob}"] = SONG
    assert fetch("--out", tmp_path / "corpora", take=[], history="history.csv")[0] == 0
    assert (tmp_path / "corpora/songs/b.mid").read_bytes() == SONG

    server.files[f"/repos/someone/songs/git/blobs/{blob}"] = b"a third"
    status, _, err = fetch("--out", tmp_path / "again", take=[], history="history.csv")
    assert status == 1
    assert f"b.mid: what someone/songs sent is not {blob}" in err


def test_a_corpus_without_a_way_to_fetch_it_says_why(fetch, tmp_path):
    status, _, err = fetch("--out", tmp_path, take=[], note="LilyPond compiled it")
    assert status == 1
    assert "songs: cannot be fetched; LilyPond compiled it" in err


class Verovio(SimpleNamespace):
    """Stand in for verovio: it reads what is a zip and 'renders' the song."""

    LOG_OFF = 0

    def enableLog(self, level):
        pass

    def toolkit(self):
        return SimpleNamespace(loadFile=lambda path: Path(path).read_bytes()[:2] == b"PK", renderToMIDI=self.render)

    @staticmethod
    def render():
        import base64

        return base64.b64encode(SONG).decode()


def test_engraved_scores_become_midi_and_unreadable_ones_are_left_out(fetch, tmp_path, server, monkeypatch):
    score = io.BytesIO()
    with zipfile.ZipFile(score, "w") as zipped:
        zipped.writestr("score.xml", "<score-partwise/>")
    paths = {"music/Bach/1/good.mxl": score.getvalue(), "music/Bach/1/bad.mxl": b"", "music/Bach/1/bad_melody.mxl": b""}
    server.files[PATH] = archive_of(paths)
    monkeypatch.setitem(sys.modules, "verovio", Verovio())
    changes = {"take": ["music/*/*/*.mxl"], "leave": ["*_melody.mxl"], "flatten": True, "engraved": True, "sha256": ""}
    status, out, err = fetch("--out", tmp_path / "corpora", **changes)
    assert (status, out) == (0, "songs: 1 files, no digest to compare with\n")
    assert "left out Bach__bad.mxl (verovio cannot read it)" in err
    assert [path.name for path in (tmp_path / "corpora/songs").iterdir()] == ["Bach__good.mid"]


def test_converting_without_verovio_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "verovio", None)
    with pytest.raises(DependencyError, match="pip install verovio"):
        next(convert_engraved(tmp_path))


def test_checksums_are_printed_as_lines_for_the_table(fetch, tmp_path):
    fetch("--out", tmp_path)
    status, out, _ = fetch("--checksum", tmp_path)
    assert status == 0
    assert (
        out == f'[songs]\nfiles = 2\nsize_bytes = {2 * len(SONG)}\nsha256 = "{digest(tmp_path / "songs").sha256}"\n\n'
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--only", "lakh"], "unknown corpus 'lakh'; choose from songs"), ([], "--out must name a folder")],
)
def test_bad_arguments_are_one_line(fetch, arguments, message):
    status, _, err = fetch(*arguments)
    assert status == 1
    assert message in err


def test_the_committed_table_names_every_corpus_that_trains():
    from imagemusic.data.corpora.catalogue import TRAINABLE

    table = read_origins()
    assert set(table) == set(TRAINABLE)
    for name, origin in table.items():
        assert origin.files and len(origin.sha256) == 64, name
        assert not origin.history or (registry.ORIGINS.parent / origin.history).exists(), name


def test_a_table_with_an_unknown_key_is_refused(tmp_path):
    (tmp_path / "corpora.toml").write_text(f'[a]\nrepository = "x/y"\ncommit = "{COMMIT}"\nlicense = "MIT"\n')
    with pytest.raises(ConfigError, match=r"corpora\.toml: a: unknown setting 'license'"):
        read_origins(tmp_path / "corpora.toml")
