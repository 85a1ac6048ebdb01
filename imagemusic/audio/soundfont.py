"""Find a SoundFont and validate its tables.

    RIFF sfbk ── LIST INFO
              ├─ LIST sdta ── smpl: the samples, 16 bits each
              └─ LIST pdta ── phdr -> pbag -> pgen    a preset's bags, a bag's generators; one of them names an
                              inst -> ibag -> igen    instrument, whose generators name a
                              shdr                    sample: where it starts and ends

tinysoundfont does not check these indices, and reading outside the file ends the process.  Tables: SoundFont 2.04,
chapter 7.
"""

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemusic.errors import DependencyError, SynthesisError

SYSTEM_SOUNDFONTS = (
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/sounds/sf2/default-GM.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
    "/usr/share/soundfonts/default.sf2",
)

BAG, GENERATOR = [("generator", "<u2"), ("modulator", "<u2")], [("kind", "<u2"), ("amount", "<u2")]
TABLES = {
    "phdr": np.dtype([("name", "V20"), ("numbers", "V4"), ("bag", "<u2"), ("reserved", "V12")]),
    "pbag": np.dtype(BAG),
    "pgen": np.dtype(GENERATOR),
    "inst": np.dtype([("name", "V20"), ("bag", "<u2")]),
    "ibag": np.dtype(BAG),
    "igen": np.dtype(GENERATOR),
    "shdr": np.dtype([("name", "V20"), ("start", "<u4"), ("end", "<u4"), ("other", "V16"), ("kind", "<u2")]),
}
INSTRUMENT, SAMPLE = 41, 53  # generators that point to another table
ELSEWHERE = 0x8010  # flags of samples that are not in frames of smpl: in ROM, or compressed


def default_soundfont(*, prefer_system: bool = False) -> Path:
    """Return a General MIDI SoundFont: TimGM6mb of pretty_midi, or one of the system's.

    Raises:
        DependencyError: none is installed.
    """
    system = [path for name in SYSTEM_SOUNDFONTS if (path := Path(name)).is_file()]
    package = importlib.util.find_spec("pretty_midi")  # importing it would take a second
    folders = (package and package.submodule_search_locations) or ()
    bundled = [path for folder in folders if (path := Path(folder, "TimGM6mb.sf2")).is_file()]
    found = system + bundled if prefer_system else bundled + system
    if not found:
        raise DependencyError("no SoundFont is installed; run: pip install pretty_midi, or name an .sf2 file")
    return found[0]


def check_soundfont(path: Path) -> None:
    """Check that a synthesizer can play a SoundFont without reading outside it.

    Raises:
        SynthesisError: it is missing, unreadable, not a SoundFont, cut short, or its tables point outside it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
        size = path.stat().st_size
    except OSError as error:
        raise SynthesisError(f"{path}: cannot read the SoundFont: {error.strerror}; name an .sf2 file") from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise SynthesisError(f"{path}: not a SoundFont; name an .sf2 file")
    if (promised := int.from_bytes(head[4:8], "little") + 8) > size:
        raise SynthesisError(f"{path}: damaged SoundFont: {size} of {promised} bytes; name a whole .sf2 file")
    if fault := _find_fault(np.memmap(path, np.uint8, "r")):
        raise SynthesisError(f"{path}: damaged SoundFont: {fault}; name a whole .sf2 file")


def _find_fault(data: NDArray[np.uint8]) -> str:
    """Return what is wrong with the tables of a SoundFont's bytes (N,); "" for valid ones."""
    chunks = _chunks(data)
    for name, record in TABLES.items():
        if not len(chunks.get(name, ())) or len(chunks[name]) % record.itemsize:
            return f"table {name} is missing or cut"
    tables = {name: chunks[name].view(record) for name, record in TABLES.items()}
    links = (
        ("phdr", "bag", "pbag"),
        ("pbag", "generator", "pgen"),
        ("inst", "bag", "ibag"),
        ("ibag", "generator", "igen"),
    )
    for name, field, target in links:
        rows = tables[name][field].astype(np.int64)
        if (np.diff(rows) < 0).any() or rows[-1] > len(tables[target]):
            return f"table {name} points outside {target}"
    for name, kind, target in (("pgen", INSTRUMENT, "inst"), ("igen", SAMPLE, "shdr")):
        amounts = tables[name]["amount"][tables[name]["kind"] == kind]
        if (amounts >= len(tables[target]) - 1).any():  # the last row ends a table
            return f"table {name} points outside {target}"
    samples = tables["shdr"][:-1]
    count = len(chunks.get("smpl", ())) // 2
    if ((samples["start"] > count) | (samples["end"] > count))[samples["kind"] & ELSEWHERE == 0].any():
        return "table shdr points outside smpl"
    return ""  # loops outside their samples are common, and every synthesizer corrects them


def _chunks(data: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Return the chunks of a RIFF file's bytes (N,) by name, those within lists included."""
    found, at = {}, 12
    while at + 8 <= len(data):
        name, size = bytes(data[at : at + 4]), int.from_bytes(bytes(data[at + 4 : at + 8]), "little")
        if name == b"LIST":
            at += 12
            continue
        found[name.decode("latin-1")] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return found
