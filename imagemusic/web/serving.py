"""Serve the page: on this machine alone, or to the world behind a proxy (docs/hosting.md).

gradio reads the folder for its files when it is imported, so the private folder comes first.
"""

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagemusic.config import check
from imagemusic.errors import ConfigError
from imagemusic.web.guard import Access, Guard, parse_url
from imagemusic.web.storage import Storage, private_folder

MEGABYTE = 1_000_000
MAX_UPLOAD = 40 * MEGABYTE
MAX_WAITING = 16  # pieces
MAX_SESSIONS = 200  # visitors whose recent pieces are kept
LOGIN = "IMAGEMUSIC_LOGIN"  # NAME:PASSWORD, one a line
LOGIN_FILE = "IMAGEMUSIC_LOGIN_FILE"  # a file of such lines


@dataclass(frozen=True, slots=True, kw_only=True)
class HostingOptions:
    """How the page is served.

    Raises:
        ConfigError: a value is out of range.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    public_urls: tuple[str, ...] = ()  # where visitors open the page; the path of the first is the root path
    temp_folder: Path | None = None  # None for the system's
    disk_megabytes: float = 2000.0  # uploads and results together
    keep_minutes: float = 60.0  # for which they are kept

    def __post_init__(self) -> None:
        check("disk budget", self.disk_megabytes, 500, 1e6)  # MB
        check("keep", self.keep_minutes, 5, 1e5)
        for url in self.public_urls:
            parse_url(url)

    @property
    def root_path(self) -> str:
        """Path below which a proxy offers the page, such as /music; empty for the root."""
        return str(parse_url(self.public_urls[0]).path).rstrip("/") if self.public_urls else ""


def launch(options: HostingOptions | None = None, *, checkpoint: str | None = None) -> None:
    """Serve the page until it is interrupted or terminated, then remove its files.

    Raises:
        ConfigError: the address or port cannot be listened on, or the login is malformed.
        CheckpointError: there is no such model.
        OutputError: the folder for temporary files cannot be written.
    """
    options = options or HostingOptions()
    access = Access.of(options.host, options.public_urls)
    logins = logins_of(os.environ)
    check_address(options.host, options.port)
    # An interrupt is the normal end, also one before gradio waits for it.
    with suppress(KeyboardInterrupt), terminated_as_interrupted(), private_folder(options.temp_folder) as folder:
        # Apart: what gradio finds in its own folder it serves from there, without a copy.
        served, working = folder / "served", folder / "working"
        for inside in (served, working):
            inside.mkdir()
        os.environ["GRADIO_TEMP_DIR"], tempfile.tempdir = str(served), str(working)
        _serve(options, access, logins, folder, checkpoint)


def _serve(
    options: HostingOptions, access: Access, logins: list[tuple[str, str]], folder: Path, checkpoint: str | None
) -> None:
    from starlette.middleware import Middleware

    from imagemusic.compose.pipeline import ImageMusic
    from imagemusic.web.hardening import harden_gradio
    from imagemusic.web.page import build_page
    from imagemusic.web.style import CSS, theme

    harden_gradio()
    budget = round(options.disk_megabytes * MEGABYTE)
    storage = Storage(folder, budget=budget, keep_seconds=60 * options.keep_minutes)
    page = build_page(ImageMusic.from_pretrained(checkpoint), storage=storage)
    storage.keep_all()
    storage.watch()
    guard: Any = Middleware(Guard, access=access, max_upload=MAX_UPLOAD, storage=storage, root_path=options.root_path)
    page.queue(max_size=MAX_WAITING, api_open=False).launch(
        server_name=options.host,
        server_port=options.port,
        root_path=options.public_urls[0].rstrip("/") if len(options.public_urls) == 1 else options.root_path or None,
        auth=logins or None,
        app_kwargs={"middleware": [guard]},
        state_session_capacity=MAX_SESSIONS,
        theme=theme(),
        css=CSS,
        max_file_size=MAX_UPLOAD,
        share=False,
        enable_monitoring=False,
        run_history=False,
        ssr_mode=False,
        footer_links=[],
    )


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let the signals that end a service (SIGTERM, SIGHUP) interrupt this block, so that it cleans up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def logins_of(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the names and passwords in the environment, or in the file that it names; none where it has none.

    Raises:
        ConfigError: a line is not NAME:PASSWORD, or the file cannot be read.
    """
    text, where = environment.get(LOGIN, ""), LOGIN
    if path := environment.get(LOGIN_FILE):
        try:
            text, where = Path(path).read_text(encoding="utf-8"), path
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{LOGIN_FILE}: {path} cannot be read") from error
        if not text.strip():  # an empty file must not open the page to all
            raise ConfigError(f"{LOGIN_FILE}: {path} holds no login; write lines of NAME:PASSWORD")
    logins = []
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        name, colon, password = line.partition(":")
        if not (name.strip() and colon and password):
            raise ConfigError(f"{where}: line {number} is not NAME:PASSWORD")  # without the line: it may be a secret
        logins.append((name.strip(), password))
    return logins


def check_address(host: str, port: int) -> None:
    """Check that the page can listen on an address; the error of the server itself has more than one line.

    Raises:
        ConfigError: it cannot.
    """
    if not 1 <= port <= 65_535:
        raise ConfigError(f"port must be in 1..65535, got {port}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise ConfigError(f"{host}:{port}: cannot listen there ({reason}); choose another --host or --port") from error
