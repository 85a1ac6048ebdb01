"""The layers of the package only look down, and each library has one door."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "imagemusic"

# From the bottom up: a layer imports only layers above its own line here.
LAYERS = (
    ("version",),
    ("errors",),
    ("config", "executors", "files", "resources", "schemas", "graphs"),
    ("vision", "music", "reports"),
    ("events", "audio"),
    ("plan",),
    ("model", "generation", "export"),
    ("checkpoint",),
    ("compose",),
    ("data",),
    ("training",),
    ("evaluation", "batch"),
    ("research",),
    ("web",),
    ("commands",),
    ("__init__", "__main__"),
)

# Where a third-party library may be used.  Each name is a file or a folder of the package.
DOORS = {
    "torchvision": {"training/encoder"},
    "symusic": {"music/midi/corpus.py", "research/decoders/tokens.py"},  # MidiTok takes and gives symusic's scores
    "miditok": {"research/decoders/tokens.py"},
    "tinysoundfont": {"audio"},
    "fluidsynth": {"audio"},
    "soundfile": {"audio/waveform.py"},
    "gradio": {"web"},
    "pydantic": {"schemas", "compose/record_schema.py"},
    "lightning": {"training"},
    "matplotlib": {"training", "research/studies"},
    "spotipy": {"data/gather/spotify.py"},
    "mutagen": {"data/gather/artwork.py"},
    "requests": {"data/gather/http.py"},
    "tenacity": {"data/gather/http.py"},
    "ray": {"executors.py"},
    "pyarrow": {"data"},
    "pillow_heif": {"vision/heif.py"},
    "onnx": {"graphs/weights.py", "generation/step_graph.py", "training"},  # composing needs onnxruntime alone
    "onnxruntime": {"graphs/session.py", "generation/backends.py", "research/studies/graph_loading.py"},
    "PIL": {"vision", "audio", "web", "training/encoder", "research/studies"},
}
# What composes and shows works without torch.  The decoder as a net stands beside its condition, which is numpy.
WITH_TORCH = {"model", "training", "evaluation", "research"}

FILES = sorted(PACKAGE.rglob("*.py"))
HEIGHT = {layer: height for height, layers in enumerate(LAYERS) for layer in layers}


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def layer_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_modules(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    blocks = [node for node in tests if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"]
    for_hints_alone = {inner for block in blocks for inner in ast.walk(block)}
    for node in ast.walk(tree):
        if node in for_hints_alone:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write absolute imports"
            yield node.module


def packaged(path):
    """Files of the package that a file imports, inside its functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "imagemusic":
            inside = node.module.replace(".", "/").removeprefix("imagemusic").lstrip("/")
            yield f"{inside}.py"
            yield from (f"{inside}/{alias.name}.py".lstrip("/") for alias in node.names)


NAMES = {name_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_layer_imports_only_the_layers_below_it(path):
    layer = layer_of(path)
    for module in imported_modules(path):
        top, _, rest = module.partition(".")
        other = rest.partition(".")[0]
        if top == "imagemusic" and other not in ("", layer):
            assert HEIGHT[other] < HEIGHT[layer], f"{layer} must not import {other}"


def test_no_modules_import_each_other_in_a_circle():
    graph = {name_of(path): set(packaged(path)) & NAMES - {"__init__.py"} for path in FILES}
    tuple(TopologicalSorter(graph).static_order())  # a circle is an error that names it


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_library_is_used_only_behind_its_door(path):
    for module in imported_modules(path):
        library = module.partition(".")[0]
        if library in DOORS:
            doors = [PACKAGE / door for door in DOORS[library]]
            assert any(path.is_relative_to(door) for door in doors), f"{library} belongs in {DOORS[library]}"
        may_use_torch = layer_of(path) in WITH_TORCH or name_of(path) == "generation/backends.py"
        assert library != "torch" or may_use_torch, "this layer works without torch"


def test_every_layer_is_named_here():
    assert {layer_of(path) for path in FILES} == HEIGHT.keys()


def test_the_root_of_the_package_holds_few_modules():
    assert len(list(PACKAGE.glob("*.py"))) <= 9


@pytest.mark.parametrize("module", ["batch", "compose.pipeline", "web.page"])
def test_what_composes_imports_without_torch(module):
    code = f"import sys; sys.modules['torch'] = None; import imagemusic.{module}"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


# Words of this house that the field has other terms for; docs/glossary.md names the ten that stay.
HOUSE_WORDS = re.compile(
    r"\b(told|untold|settled?|wish(es)?|seats?|heard|leans?|reminders?|stretch(es)?|nobody|somebody|whoever|brief)\b"
)
ALLOWED = {"data/prepared.py", "data/build/manifest.py", "data/build/built_set.py"}  # names in files of version 0.1


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_package_speaks_the_words_of_the_field(path):
    text = re.sub(r"""["\'](told|heard)["\']""", "", path.read_text(encoding="utf-8"))  # keys of result files
    if name_of(path) not in ALLOWED:
        found = [f"{number}: {line}" for number, line in enumerate(text.splitlines(), 1) if HOUSE_WORDS.search(line)]
        assert not found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_can_be_read_at_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 320
