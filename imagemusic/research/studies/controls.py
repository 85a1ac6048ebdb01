"""Request random sets of exact controls that can be met, and measure on the written MIDI whether they were.

    imagemusic study run controls --out docs/results/controls.json

Keys, meters, names of instruments, chords and polyphony are read here anew, by pretty_midi from the bytes of the file
alone: nothing that the generation uses to keep a control is used to check it.
"""

import argparse
import io
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pretty_midi
from PIL import Image
from tqdm import tqdm

from imagemusic.compose.options import ComposeOptions
from imagemusic.compose.pipeline import ImageMusic
from imagemusic.research.studies.requested_chords import draw_form, draw_sheet, keeps_chords, keeps_form
from imagemusic.research.study import Context, Figures, Study

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TONICS = ("C", "C#", "Db", "D", "Eb", "E", "F", "F#", "Gb", "G", "G#", "Ab", "A", "Bb", "B")
# Steps in semitones from each note of a scale to the next.
STEPS = {
    "major": "2212221", "minor": "2122122", "harmonic minor": "2122131", "dorian": "2122212", "phrygian": "1222122",
    "lydian": "2221221", "mixolydian": "2212212", "locrian": "1221222", "major pentatonic": "22323",
    "minor pentatonic": "32232", "blues": "321132", "whole tone": "222222", "chromatic": "1" * 12,
}  # fmt: skip
METERS = ("2/4", "3/4", "4/4", "5/4", "7/4", "2/2", "3/2", "3/8", "5/8", "6/8", "7/8", "9/8", "12/8", "11/16")
PROGRAMS = {
    "piano": 0, "Harpsichord": 6, "vibraphone": 11, "Church Organ": 19, "accordion": 21, "guitar": 24,
    "Electric Guitar (clean)": 27, "Electric Bass (finger)": 33, "violin": 40, "viola": 41, "cello": 42,
    "contrabass": 43, "harp": 46, "timpani": 47, "String Ensemble 1": 48, "Choir Aahs": 52, "trumpet": 56,
    "trombone": 57, "tuba": 58, "French Horn": 60, "Alto Sax": 65, "oboe": 68, "bassoon": 70, "clarinet": 71,
    "piccolo": 72, "flute": 73, "Lead 2 (sawtooth)": 81, "Pad 2 (warm)": 89, "sitar": 104, "Steel Drums": 114,
}  # fmt: skip
BATCH = 20  # pieces composed at once
CONTROLS = (
    "key", "meter", "tempo_bpm", "seconds", "bars", "instruments", "pitch_range", "polyphony", "ending",
    "chords", "form",
)  # fmt: skip
SHARES = {"chords": 0.53, "form": 0.36}  # of the requests; some have no room for them


def pitch_classes(key: str) -> set[int]:
    """Return the pitch classes of a key like "Eb dorian"."""
    tonic, _, mode = key.partition(" ")
    root = LETTERS[tonic[0]] + tonic.count("#") - tonic.count("b")
    return {(root + sum(map(int, STEPS[mode][:degree]))) % 12 for degree in range(len(STEPS[mode]))}


def note_name(pitch: int) -> str:
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def draw_request(rng: np.random.Generator) -> dict[str, Any]:
    """Draw a random subset of the controls, with values that can be met together."""
    request: dict[str, Any] = {}
    drawn = {name for name in CONTROLS if rng.random() < SHARES.get(name, 0.5)} or {str(rng.choice(CONTROLS))}
    if "key" in drawn:
        request["key"] = f"{rng.choice(TONICS)} {rng.choice(list(STEPS))}"
    if "meter" in drawn:
        request["meter"] = str(rng.choice(METERS))
    if "tempo_bpm" in drawn:
        request["tempo_bpm"] = round(float(np.exp(rng.uniform(np.log(30), np.log(300)))), int(rng.integers(0, 3)))
    if "polyphony" in drawn:
        request["polyphony"] = int(rng.choice([1, 1, 2, 3, 4, 6, 8]))
    if "instruments" in drawn:
        count = int(rng.choice([1, 2, 3, 4, 5, 8, 12]))
        chosen = [str(name) for name in rng.choice(list(PROGRAMS), count)]  # one may be named twice
        request["instruments"] = tuple(chosen + ["drums"] * int(rng.random() < 0.4))
    if "pitch_range" in drawn:
        classes = pitch_classes(request.get("key", "C chromatic"))
        while True:
            low = int(rng.integers(24, 97))
            high = min(low + int(rng.choice([0, 2, 7, 12, 24, 36])), 108)
            if any(pitch % 12 in classes for pitch in range(low, high + 1)):
                break
        request["pitch_range"] = f"{note_name(low)}-{note_name(high)}"
    if "chords" in drawn:
        low, high = (pitch_number(end) for end in request.get("pitch_range", "C1-C8").split("-"))
        scale = pitch_classes(request["key"]) if "key" in request else None
        playable = {pitch % 12 for pitch in range(low, high + 1)} & (scale or set(range(12)))
        if sheet := draw_sheet(rng, scale, playable):
            request["chords"] = sheet
    beats = bar_beats(request.get("meter", "4/4"))
    # Within 5..60 s at the requested tempo, or at any that a picture may lead to.
    slow, fast = (request["tempo_bpm"],) * 2 if "tempo_bpm" in request else (60, 120)
    fewest, most = int(np.ceil(5 * fast / 60 / beats)), int(60 * slow / 60 / beats)
    if "form" in drawn and (form := draw_form(rng, beats, fewest, most_beats=max(100 * slow / 60, 1))):
        request["form"], request["bars"] = form
    elif "bars" in drawn and 1 <= fewest <= most:
        request["bars"] = int(rng.integers(fewest, most + 1))
    if "seconds" in drawn and "bars" not in request:
        request["seconds"] = round(float(rng.uniform(4, 60)), 1)
    if "ending" in drawn:
        request["ending"] = str(rng.choice(["cadence", "cadence", "fade", "open"]))
        if request["ending"] == "cadence" and not holds_cadence(request):
            request["ending"] = "fade"
    return request


def holds_cadence(request: Mapping[str, Any]) -> bool:
    """Return whether a request leaves room, players and a tonic for a cadence, by a margin."""
    beats = bar_beats(request.get("meter", "4/4"))
    seconds = request.get("seconds", 60.0)
    length = request["bars"] * beats if "bars" in request else seconds * request.get("tempo_bpm", 48) / 60
    low, high = (pitch_number(end) for end in request.get("pitch_range", "C1-C7").split("-"))
    plays = any(name != "drums" for name in request.get("instruments", ("piano",)))
    # The final chord is on a downbeat where no bar is longer than the longest note of the codec.
    return plays and high - low >= 12 and length >= 4 * beats + 6 and beats <= 6


def bar_beats(meter: str) -> float:
    """Return the length of a bar in quarter notes."""
    numerator, denominator = map(int, meter.split("/"))
    return 4 * numerator / denominator


def draw_picture(rng: np.random.Generator) -> Image.Image:
    """Draw a picture of a few coloured blocks."""
    blocks = rng.integers(0, 256, (int(rng.integers(1, 6)), int(rng.integers(1, 6)), 3), np.uint8)
    return Image.fromarray(blocks).resize((96, 96), int(rng.choice([0, 2])))


def measure(data: bytes, request: Mapping[str, Any]) -> dict[str, bool]:
    """Return for each requested control whether the MIDI file in `data` keeps it."""
    midi = pretty_midi.PrettyMIDI(io.BytesIO(data))
    played = [instrument for instrument in midi.instruments if instrument.notes]
    pitched = [note for instrument in played if not instrument.is_drum for note in instrument.notes]
    times, tempos = midi.get_tempo_changes()
    meters = [f"{meter.numerator}/{meter.denominator}" for meter in midi.time_signature_changes]
    kept: dict[str, bool] = {}
    for name, value in request.items():
        if name == "key":
            kept[name] = {note.pitch % 12 for note in pitched} <= pitch_classes(value)
        elif name == "meter":
            kept[name] = meters == [value] and midi.time_signature_changes[0].time == 0
        elif name == "tempo_bpm":
            # A MIDI file holds whole microseconds a beat.
            kept[name] = times[0] == 0.0 and abs(60e6 / tempos[0] - 60e6 / value) <= 0.51
            kept[name] &= slows_at_the_end(midi, request)
        elif name == "seconds":
            kept[name] = abs(midi.get_end_time() - value) <= 1
        elif name == "bars":
            ticks = max(midi.time_to_tick(note.end) for instrument in played for note in instrument.notes)
            bar = bar_beats(meters[0]) * midi.resolution
            kept[name] = len(meters) == 1 and (ticks - 1) // bar + 1 == value and ticks == value * bar
        elif name == "instruments":
            expected = sorted((PROGRAMS.get(one, 0), one == "drums") for one in value)
            kept[name] = expected == sorted((one.program, one.is_drum) for one in played)
        elif name == "pitch_range":
            low, high = (pitch_number(end) for end in value.split("-"))
            kept[name] = all(low <= note.pitch <= high for note in pitched)
        elif name == "polyphony":
            kept[name] = most_at_once(pitched, midi) <= value
        elif name == "ending":
            kept[name] = ends_as_asked(midi, request)
        elif name == "chords":
            kept[name] = keeps_chords(midi, request, pitch_classes(request["key"]) if "key" in request else None)
        elif name == "form":
            kept[name] = keeps_form(midi, request)
    return kept


def kinds_of(request: Mapping[str, Any]) -> Iterator[str]:
    """Name what is particular to a request, beside its controls: the counts are kept by these kinds, too."""
    ending = request.get("ending", "none asked")
    yield f"ending: {ending}"
    if sheet := request.get("chords"):
        yield f"chords, {'with' if 'key' in request else 'without'} a key"
        yield f"chords, ending: {ending}"
        kinds = {"slash bass": "/", "N.C.": "N.C."}
        yield from (f"chords with {name}" for name, sign in kinds.items() if sign in sheet)
    if form := request.get("form"):
        yield "form with a prime" if "'" in form else "form of plain letters"
        yield f"form, {'with' if sheet else 'without'} chords"


def slows_at_the_end(midi: pretty_midi.PrettyMIDI, request: Mapping[str, Any]) -> bool:
    """Return whether the tempo stays until the four beats before the last onset, and only falls from there."""
    times, tempos = midi.get_tempo_changes()
    if len(times) == 1:
        return True
    last = max(midi.time_to_tick(note.start) for one in midi.instruments for note in one.notes)
    first_change = midi.time_to_tick(times[1])
    falls = bool((np.diff(tempos) < 0).all())
    return request.get("ending", "cadence") == "cadence" and falls and first_change >= last - 4 * midi.resolution


def ends_as_asked(midi: pretty_midi.PrettyMIDI, request: Mapping[str, Any]) -> bool:
    """Return whether a piece ends on a held chord over the tonic on a downbeat, or fades; any open end is as asked."""
    notes = [note for one in midi.instruments if not one.is_drum for note in one.notes]
    if request["ending"] == "fade":
        every = [note for one in midi.instruments for note in one.notes]
        loudest = max(note.velocity for note in every if note.start <= 0.75 * midi.get_end_time())
        end = max(note.start for note in every)
        return max(note.velocity for note in every if note.start == end) <= loudest
    if request["ending"] == "open":
        return True
    starts = [midi.time_to_tick(note.start) for note in notes]
    ends = [midi.time_to_tick(note.end) for note in notes]
    final = [note for note, start in zip(notes, starts, strict=True) if start == max(starts)]
    meter = midi.time_signature_changes[0]
    bar = bar_beats(f"{meter.numerator}/{meter.denominator}") * midi.resolution
    is_held = all(midi.time_to_tick(note.end) == max(ends) for note in final)
    bass = min(note.pitch for note in final) % 12
    key = request.get("key")
    on_tonic = key is None or bass == pitch_number(f"{key.split()[0]}4") % 12
    return is_held and on_tonic and max(starts) % bar == 0


def pitch_number(name: str) -> int:
    """Return the number of a pitch like "F#3"; C4 is 60."""
    return LETTERS[name[0]] + name.count("#") - name[1:].count("b") + 12 * (int(name[-1]) + 1)


def most_at_once(notes: list[pretty_midi.Note], midi: pretty_midi.PrettyMIDI) -> int:
    """Return the largest number of notes that sound at once; one that ends as another begins is not counted with it."""
    changes = [(midi.time_to_tick(note.start), 1) for note in notes]
    changes += [(midi.time_to_tick(note.end), -1) for note in notes]
    sounding = np.cumsum([change for _, change in sorted(changes)])
    return int(sounding.max(initial=0))


def compose_requests(model: ImageMusic, seed: int, count: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Compose `count` random requests for random pictures; yield each with the bytes of its MIDI file."""
    with tempfile.TemporaryDirectory() as folder, tqdm(total=count, unit="request") as progress:
        path = Path(folder, "piece.mid")
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            generators = [np.random.default_rng([seed, number]) for number in numbers]
            drawn = [draw_request(rng) for rng in generators]
            requests = [
                (model.encode(draw_picture(rng)), ComposeOptions(**request, seed=number))
                for rng, request, number in zip(generators, drawn, numbers, strict=True)
            ]
            for request, piece in zip(drawn, model.compose_batch(requests), strict=True):
                piece.save(path)
                yield request, path.read_bytes()
            progress.update(len(numbers))


class Controls(Study):
    """Checks random requests one by one; any that was not kept is a failure."""

    sources = ("pictures of random blocks",)
    quick = {"count": 4}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=1000, metavar="N", help="requests (%(default)s)")

    def run(self, context: Context) -> Figures:
        count, seed = context.options.count, context.options.seed
        asked, met = dict.fromkeys(CONTROLS, 0), dict.fromkeys(CONTROLS, 0)
        failures = []
        kinds: dict[str, dict[str, int]] = {}
        for number, (request, data) in enumerate(compose_requests(context.model, seed, count)):
            kept = measure(data, request)
            for name, good in kept.items():
                asked[name] += 1
                met[name] += int(good)
            for kind in kinds_of(request):
                count_of = kinds.setdefault(kind, {"asked": 0, "met": 0})
                count_of["asked"] += 1
                count_of["met"] += int(all(kept.values()))
            if missed := [name for name, good in kept.items() if not good]:
                failures.append({"number": number, "request": request, "missed": missed})
                context.report(f"not kept: {failures[-1]}")
        return {
            "requests": count,
            "met": count - len(failures),
            "controls": {name: {"asked": asked[name], "met": met[name]} for name in CONTROLS}
            | dict(sorted(kinds.items())),
            "failures": failures,
            "checkpoint": context.model.checkpoint.id,
            "seeds": [seed],
        }

    def passed(self, figures: Figures) -> bool:
        return not figures["failures"]

    def finding(self, figures: Figures) -> str:
        return f"{figures['met']} of {figures['requests']} random requests were kept in every control."


STUDY = Controls()
