"""Serving: options, logins, and a server under attack."""

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import gradio_client
import numpy as np
import pytest
from PIL import Image

from imagemusic.errors import ConfigError
from imagemusic.web.serving import HostingOptions, check_address, logins_of

CLOSED = 0


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    """`imagemusic app` in a process of its own, with a folder for its temporary files."""

    def __init__(self, checkpoint, temp, *more, **environment):
        self.port, self.temp = free_port(), temp
        command = [sys.executable, "-m", "imagemusic", "app", "--port", str(self.port), "--checkpoint", str(checkpoint)]
        self.log = (temp.parent / f"{self.port}.log").open("w+")
        self.process = subprocess.Popen(
            [*command, "--temp-folder", str(temp), *more], stdout=self.log, stderr=self.log, text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | environment,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while "Running on" not in self.logged() and time.monotonic() < deadline and self.process.poll() is None:
            time.sleep(0.1)

    def logged(self):
        return Path(self.log.name).read_text()

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except ConnectionError:  # refused before all was sent
            return CLOSED, ""
        finally:
            connection.close()

    def files(self):
        return [path for path in self.temp.rglob("*") if path.is_file()]

    def memory_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1000

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if not self.log.closed:
            self.log.close()


@pytest.fixture(scope="module")
def server(tiny_checkpoint, tmp_path_factory):
    running = Server(tiny_checkpoint, tmp_path_factory.mktemp("hosting") / "temp")
    yield running
    running.stop()


@pytest.fixture
def start(tiny_checkpoint, tmp_path):
    """Start servers that stop at the end of the test."""
    started = []

    def one(*more, **environment):
        started.append(Server(tiny_checkpoint, tmp_path / "temp", *more, **environment))
        return started[-1]

    yield one
    for running in started:
        running.stop()


def picture_bytes(side=64, seed=0):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def upload(server, *files, **headers):
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="%d.png"\r\n\r\n%s\r\n' % (number, data)
        for number, data in enumerate(files)
    ]
    headers = {"Content-Type": "multipart/form-data; boundary=x"} | headers
    return server.ask("POST", "/gradio_api/upload", b"".join(parts) + b"--x--\r\n", **headers)


def test_no_call_skips_the_queue(server):
    for path in ("run", "api"):
        body = json.dumps({"data": [None, 10, 0, 1, 1, [], "from the picture", []]})
        assert server.ask("POST", f"/gradio_api/{path}/compose", body, **{"Content-Type": "application/json"})[0] == 404


def test_many_callers_at_once_are_taken_in_turn(server, tmp_path):
    """Six at once with pictures of 40 megapixels that take 4 bytes a pixel: one is read at a time."""
    path = tmp_path / "huge.tif"
    Image.fromarray(np.zeros((6300, 6300), np.float32)).save(path, compression="tiff_lzw")
    client = gradio_client.Client(f"http://127.0.0.1:{server.port}", verbose=False, download_files=tmp_path)
    before, failures = server.memory_mb(), []

    def call(seed):
        try:
            client.predict(gradio_client.handle_file(path), 10, seed, 1.0, 1.0, takes="1", api_name="/compose")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=call, args=[seed]) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    assert not failures
    assert server.memory_mb() - before < 1500  # without a queue and with all rows at once: 5000


def test_an_upload_from_another_site_is_refused(server):
    assert upload(server, picture_bytes(), Origin="http://evil.example")[0] == 403
    assert upload(server, picture_bytes(), Host="evil.example")[0] == 403


def test_an_upload_larger_than_the_limit_leaves_nothing(server):
    before = len(server.files())
    assert upload(server, b"x" * 30_000_000, b"y" * 30_000_000)[0] in (413, CLOSED)
    assert len(server.files()) == before


def test_what_is_sent_is_not_fetched_and_not_logged(server):
    data = {"path": "http://127.0.0.1:1/secret-words.png", "meta": {"_type": "gradio.FileData"}}
    for sent in ([data, 10, 3, 1, 1], ["secret-words"], [data, "secret-words", 3, 1, 1]):
        body = json.dumps({"data": sent})
        server.ask("POST", "/gradio_api/call/compose", body, **{"Content-Type": "application/json"})
    server.ask("POST", "/gradio_api/queue/join", b'{"data": ["secret-words"], "fn_index": 1, "session_hash": "s"}')
    time.sleep(1)
    assert "secret-words" not in server.logged()
    assert not [path for path in server.files() if "secret" in path.name]


def test_the_page_is_served_with_security_headers(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_file_of_a_visitor_outlives_the_server(start, tmp_path, number):
    temp = tmp_path / "temp"
    first = start()
    assert upload(first, picture_bytes())[0] == 200
    assert [path for path in first.files() if path.name == "0.png"]
    first.stop(number)
    if number == signal.SIGTERM:
        assert first.process.returncode == 0
    else:  # the next one removes what could not be removed
        second = start()
        assert not [path for path in second.files() if path.name == "0.png"]
        second.stop()
    assert not list(temp.iterdir())


def test_the_disk_stays_within_its_budget_and_a_login_is_needed(start):
    server = start("--disk", "500", IMAGEMUSIC_LOGIN="ann:s3cret")
    assert upload(server, picture_bytes())[0] == 401
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert server.ask("POST", "/login", "username=ann&password=wrong", **form)[0] == 400
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/login", "username=ann&password=s3cret", form)
    answer = connection.getresponse()
    cookie = "; ".join(one.partition(";")[0] for one in answer.headers.get_all("set-cookie"))
    connection.close()
    statuses = [upload(server, bytes([number]) * 38_000_000, Cookie=cookie)[0] for number in range(16)]
    assert set(statuses[:12]) == {200} and statuses[-1] in (507, CLOSED)
    assert sum(path.stat().st_size for path in server.files()) <= 500_000_000


@pytest.mark.parametrize(
    ("url", "root"),
    [("https://example.org/music/", "/music"), ("https://example.org", ""), ("http://a:81/b/c", "/b/c")],
)
def test_the_path_of_the_public_url_is_the_root_path(url, root):
    assert HostingOptions(public_urls=(url,)).root_path == root


def test_the_page_works_below_a_root_path(start):
    server = start("--public-url", "https://example.org/music")
    status, text = server.ask("GET", "/config", Host="example.org")
    assert status == 200 and json.loads(text)["root"] == "https://example.org/music"


def test_names_and_passwords_come_from_the_environment_or_a_file(tmp_path):
    assert logins_of({}) == []
    assert logins_of({"IMAGEMUSIC_LOGIN": "ann:a:b\n\n bob :c"}) == [("ann", "a:b"), ("bob", "c")]
    (tmp_path / "logins").write_text("cy:d\n")
    assert logins_of({"IMAGEMUSIC_LOGIN_FILE": str(tmp_path / "logins")}) == [("cy", "d")]


@pytest.mark.parametrize("text", ["ann", ":secret", "ann:"])
def test_a_login_that_is_none_is_refused_without_showing_it(text):
    with pytest.raises(ConfigError) as error:
        logins_of({"IMAGEMUSIC_LOGIN": text})
    assert str(error.value) == "IMAGEMUSIC_LOGIN: line 1 is not NAME:PASSWORD"


def test_a_file_of_logins_that_is_missing_or_empty_is_refused(tmp_path):
    (tmp_path / "empty").write_text("\n")
    for name in ("empty", "missing"):
        with pytest.raises(ConfigError, match=name):
            logins_of({"IMAGEMUSIC_LOGIN_FILE": str(tmp_path / name)})


@pytest.mark.parametrize("options", [{"disk_megabytes": 10}, {"keep_minutes": 0}, {"public_urls": ("music",)}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        HostingOptions(**options)


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("127.0.0.1", 70_000, r"port must be in 1\.\.65535, got 70000"),
        ("no such host", 7860, "no such host:7860: cannot listen there"),
    ],
)
def test_an_address_that_is_none_is_refused(host, port, message):
    with pytest.raises(ConfigError, match=message):
        check_address(host, port)
