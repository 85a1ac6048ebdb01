"""`imagemusic app`: the page, in a browser."""

import argparse
from pathlib import Path

from imagemusic.commands import Commands
from imagemusic.commands.options import add_checkpoint

EXAMPLES = """
  imagemusic app
  imagemusic app --host 0.0.0.0 --port 8080
  imagemusic app --public-url https://example.org/music"""


def register(commands: Commands) -> None:
    """Add `app`."""
    app = commands("app", "open the page in a browser on this machine", EXAMPLES)
    app.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine alone)")
    app.add_argument("--port", type=int, default=7860, help="port to listen on (default 7860)")
    app.add_argument(
        "--public-url", dest="public_urls", action="append", metavar="URL", default=[],
        help="where visitors open the page behind a proxy, such as https://example.org/music; may be repeated",
    )  # fmt: skip
    app.add_argument(
        "--temp-folder", type=Path, metavar="DIR", help="where uploads and results are kept (default: the system's)"
    )
    app.add_argument("--disk", type=float, default=2000, metavar="MB", help="room for them (default 2000)")
    app.add_argument("--keep", type=float, default=60, metavar="MINUTES", help="how long they are kept (default 60)")
    add_checkpoint(app)
    app.set_defaults(run=run_app)


def run_app(arguments: argparse.Namespace) -> int:
    """Serve the page until it is interrupted."""
    from imagemusic.web.serving import HostingOptions, launch

    options = HostingOptions(
        host=arguments.host,
        port=arguments.port,
        public_urls=tuple(arguments.public_urls),
        temp_folder=arguments.temp_folder,
        disk_megabytes=arguments.disk,
        keep_minutes=arguments.keep,
    )
    launch(options, checkpoint=arguments.checkpoint)
    return 0
