"""Files that the package brings along: example pictures, the list of held-out music, the origins of the corpora."""

from pathlib import Path

_FOLDER = Path(__file__).parent
EXAMPLES = _FOLDER / "examples"  # six pictures
HELD_OUT = _FOLDER / "heldout.json"  # see data/corpora/held_out.py
CORPORA = _FOLDER / "corpora.toml"  # see data/corpora/registry.py
FORM_STATISTICS = _FOLDER / "form_statistics.json"  # made by research/studies/form_statistics.py
JUDGE = _FOLDER / "judge.json"  # made by research/studies/takes_judge.py; see compose/judge.py
FONT = _FOLDER / "DejaVuSans.ttf"  # its Latin, Greek, Cyrillic and Hebrew letters alone; licence beside it
