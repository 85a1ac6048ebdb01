"""The guard alone, around an app that answers with the length of what it read."""

import asyncio

import pytest

from imagemusic.errors import ConfigError
from imagemusic.web.guard import MAX_BODY, MULTIPART_OVERHEAD, SECURITY_HEADERS, Access, Guard
from imagemusic.web.storage import Storage

MAX_UPLOAD = 1_000_000


async def echo(scope, receive, send):
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


def ask(path="/", method="GET", chunks=(b"",), app=echo, listening="127.0.0.1", urls=(), storage=None, **headers):
    """Return status, headers and body of the answer to a request that comes in chunks."""
    guard = Guard(app, access=Access.of(listening, urls), max_upload=MAX_UPLOAD, storage=storage, root_path="/music")
    headers = {"host": "localhost:7860"} | headers
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": pairs}
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting[-1]["more_body"] = False
    sent = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"].decode()


def test_an_ordinary_request_passes_and_gets_security_headers():
    status, headers, body = ask()
    assert (status, body) == (200, "0")
    assert {name.encode() for name in SECURITY_HEADERS} <= headers.keys()


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "[::1]:7860", "LOCALHOST"])
def test_names_of_this_machine_are_answered(host):
    assert ask(host=host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "", "localhost.evil.example", "[::1"])
def test_other_names_are_refused(host):
    assert ask(host=host)[0] == 403


def test_the_public_url_is_answered_and_its_origin_trusted():
    post = {"path": "/music/gradio_api/queue/join", "method": "POST", "urls": ("https://example.org/music",)}
    assert ask(**post, host="example.org", origin="https://example.org")[0] == 200
    assert ask(**post, origin="https://example.org")[0] == 200  # a proxy that does not pass on the host
    assert ask(**post, host="example.org", origin="http://evil.example")[0] == 403


def test_everybody_is_answered_where_the_page_listens_everywhere_without_a_public_url():
    assert ask(listening="0.0.0.0", host="music.lan")[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
def test_requests_from_other_sites_are_refused(origin):
    assert ask("/gradio_api/upload", "POST", origin=origin)[0] == 403


@pytest.mark.parametrize("path", ["run/compose", "api/compose", "process_recording", "component_server", "vibe-edit"])
def test_routes_that_the_page_does_not_use_are_closed(path):
    assert ask(f"/gradio_api/{path}", "POST")[0] == 404


@pytest.mark.parametrize("path", ["/gradio_api/deep_link", "/gradio_api/proxy=http://a", "/monitoring/summary"])
def test_routes_that_write_or_fetch_are_closed(path):
    assert ask(path)[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_closed(method):
    assert ask(method=method)[0] == 404


def test_a_body_may_be_as_long_as_the_limit():
    assert ask("/gradio_api/queue/join", "POST", [b"x" * MAX_BODY])[2] == str(MAX_BODY)


@pytest.mark.parametrize("length", ["999999999", "-1", "many", "²"])
def test_a_length_that_is_too_large_or_none_is_refused_before_anything_is_read(length):
    assert ask("/gradio_api/queue/join", "POST", content_length=length.encode("latin-1").decode("latin-1"))[0] == 413


def test_a_body_without_a_length_is_counted():
    assert ask("/gradio_api/queue/join", "POST", [b"x" * MAX_BODY, b"x"])[0] == 413
    assert ask("/gradio_api/upload", "POST", [b"x" * MAX_UPLOAD, b"x" * MULTIPART_OVERHEAD, b"x"])[0] == 413


def test_an_upload_needs_room(tmp_path):
    storage = Storage(tmp_path, budget=500_000, keep_seconds=60)
    assert ask("/gradio_api/upload", "POST", [b"x"], storage=storage, content_length="1")[0] == 200
    assert ask("/gradio_api/upload", "POST", [b"x"], storage=storage, content_length="600000")[0] == 507
    assert ask("/gradio_api/upload", "POST", [b"x"], storage=storage)[0] == 507  # of unknown length: as long as can be


def test_an_error_is_logged_without_what_was_sent(caplog):
    words = "-".join(["sent", "words"])

    async def broken(scope, receive, send):
        raise ValueError(words)

    status, _, body = ask(app=broken)
    assert (status, body) == (500, "internal error\n")
    assert "ValueError" in caplog.text and words not in caplog.text


@pytest.mark.parametrize("url", ["music.example", "ftp://a", "https://", "https://a/?x", "https://u:p@a", "http://a:x"])
def test_a_public_url_that_is_none_is_refused(url):
    with pytest.raises(ConfigError, match="public URL must be like"):
        Access.of("127.0.0.1", (url,))
