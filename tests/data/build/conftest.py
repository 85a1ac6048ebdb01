import pytest

from imagemusic.data.build.build import build
from tests.gathered import gather


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A built set of three albums of two tunes, and a damaged MIDI file with a hostile name."""
    made = gather(tmp_path_factory.mktemp("built") / "set", albums=3)
    made.midi("x/<b>bad</b>.mid", b"junk")
    made.line("x/<b>bad</b>.mid", artist="<script>", status="corrupt")
    build(made.folder, workers=1)
    return made
