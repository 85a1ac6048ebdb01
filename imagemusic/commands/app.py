"""`imagemusic app`: the page, in a browser."""

import argparse

from imagemusic.commands import Commands
from imagemusic.commands.options import add_checkpoint

EXAMPLES = """
  imagemusic app
  imagemusic app --host 0.0.0.0 --port 8080"""


def register(commands: Commands) -> None:
    """Add `app`."""
    app = commands("app", "open the page in a browser on this machine", EXAMPLES)
    app.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine alone)")
    app.add_argument("--port", type=int, default=7860, help="port to listen on (default 7860)")
    add_checkpoint(app)
    app.set_defaults(run=run_app)


def run_app(arguments: argparse.Namespace) -> int:
    """Serve the page until it is interrupted."""
    from imagemusic.web.page import launch

    launch(arguments.host, arguments.port, checkpoint=arguments.checkpoint)
    return 0
