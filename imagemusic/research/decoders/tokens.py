"""Pieces as REMI tokens, with or without byte-pair encoding, by MidiTok; decoding checks that nothing is lost.

    START  [meter or tempo not known]  program role ...   Bar TimeSig Position Tempo Program Pitch Duration ...  END
           ours: MidiTok has no token for it              MidiTok's: REMI (Huang & Yang 2020)

MidiTok joins parts of one program, so its Program token is the number of the part, and the header gives its program.
As everywhere in this benchmark there are no velocities.  A tick is 1/24 of a beat; notes longer than 16 beats end on a
quarter of one, or are not reproduced.
"""

import tempfile
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from miditok import REMI, TokenizerConfig
from numpy.typing import NDArray

from imagemusic.errors import CodecError
from imagemusic.events import codec
from imagemusic.events.quantize import DRUM_TICKS, PITCHED_SLOTS, ROLES, TEMPO_BPM, TICKS_PER_BEAT, UNKNOWN_VELOCITY
from imagemusic.events.vocabulary import DRUMS
from imagemusic.music.score import DURATION, ONSET, PITCH, Meter, Score, Tempo, Track

Tokens = NDArray[np.int64]  # (N,)

DRUM_PART = -1  # MidiTok's program of drums
NO_METER, NO_TEMPO, PROGRAMS, ROLE_TOKENS = 0, 1, 2, 2 + DRUMS + 1  # our tokens, after MidiTok's
OWN_TOKENS = ROLE_TOKENS + len(ROLES)


class RemiTokens:
    """A tokenizer: events to tokens and back."""

    def __init__(self, trained: Path | None = None) -> None:
        """Make the tokenizer; `trained` is a file that `train_bpe` wrote.

        Raises:
            CodecError: the file is not one.
        """
        try:
            self.midi = REMI(params=trained) if trained else REMI(_config())
        except (OSError, ValueError, KeyError) as error:
            raise CodecError(f"{trained}: not tokens that MidiTok wrote ({error})") from error
        self.start, self.end = self.midi["BOS_None"], self.midi["EOS_None"]

    @cached_property
    def first_own(self) -> int:
        """The first of our tokens."""
        return len(self.midi)

    @property
    def size(self) -> int:
        """Number of tokens V."""
        return self.first_own + OWN_TOKENS

    def encode(self, events: codec.Events, shift: int = 0) -> Tokens:
        """Return the tokens (M,) of events (N, 5), transposed up by `shift` semitones, without START."""
        score = codec.decode(events)
        own = [NO_METER] * (not score.meters) + [NO_TEMPO] * (not score.tempos)
        for track in score.tracks:
            program = DRUMS if track.is_drum else track.program
            own += [PROGRAMS + program, ROLE_TOKENS + ROLES.index(track.name)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a meter that has no token; the caller checks `is_exact`
            ids = self.midi.encode(_as_midi(score, shift)).ids
        return np.array([self.first_own + token for token in own] + ids + [self.end])

    def decode(self, tokens: Tokens) -> Score:
        """Return the score of tokens (M,), without START.

        Raises:
            CodecError: the tokens have a part that the header does not declare.
        """
        header = [token - self.first_own for token in tokens.tolist() if token >= self.first_own]
        rest = [token for token in tokens.tolist() if token < self.first_own and token != self.end]
        read = self.midi.decode(rest)
        ticks = read.ticks_per_quarter // TICKS_PER_BEAT
        declared = [token for token in header if token >= PROGRAMS]
        parts = {DRUM_PART if part.is_drum else part.program: part.notes.numpy() for part in read.tracks}
        tracks = []
        for number, (program, role) in enumerate(zip(declared[::2], declared[1::2], strict=True)):
            is_drum = program - PROGRAMS == DRUMS
            part = parts.pop(DRUM_PART if is_drum else number, None)
            if part is None:
                raise CodecError(f"part {number} is declared and plays nothing")
            length = np.full_like(part["time"], DRUM_TICKS) if is_drum else part["duration"] // ticks
            notes = [part["time"] // ticks, part["pitch"], length, np.full_like(part["time"], UNKNOWN_VELOCITY)]
            name = ROLES[role - ROLE_TOKENS]
            tracks.append(Track(np.column_stack(notes), 0 if is_drum else program - PROGRAMS, is_drum, name))
        if parts:
            raise CodecError(f"parts {sorted(parts)} play and are not declared")
        meters = [Meter(m.time // ticks, m.numerator, m.denominator) for m in read.time_signatures]
        tempos = [Tempo(t.time // ticks, float(TEMPO_BPM[codec.nearest_tempo(t.tempo)])) for t in read.tempos]
        unknown = (NO_METER in header, NO_TEMPO in header)
        return Score(tracks, () if unknown[1] else tempos, () if unknown[0] else meters, ticks_per_beat=TICKS_PER_BEAT)

    def is_exact(self, events: codec.Events) -> bool:
        """Return whether the tokens of events (N, 5) without velocities decode to the same events."""
        try:
            again = codec.encode(self.decode(self.encode(events)))
        except CodecError:
            return False
        return np.array_equal(again, events)

    def train_bpe(self, pieces: Sequence[codec.Events], size: int, out: Path) -> "RemiTokens":
        """Learn byte-pair encoding to `size` tokens (Fradet et al. 2023, arXiv:2301.11975) from the events of pieces.

        Writes the tokenizer to a file, and returns it.
        """
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{number}.mid") for number in range(len(pieces))]
            for path, events in zip(paths, pieces, strict=True):
                _as_midi(codec.decode(events), 0).dump_midi(path)
            trained = REMI(_config())
            trained.train(vocab_size=size, model="BPE", files_paths=paths)
        out.parent.mkdir(parents=True, exist_ok=True)
        trained.save(out)
        return RemiTokens(out)


def _config() -> TokenizerConfig:
    return TokenizerConfig(
        pitch_range=(0, 127), drums_pitch_range=(0, 127), special_tokens=["PAD", "BOS", "EOS"],
        beat_res={(0, 16): TICKS_PER_BEAT, (16, 64): 4}, use_velocities=False,
        use_programs=True, programs=list(range(DRUM_PART, PITCHED_SLOTS)),
        use_note_duration_programs=list(range(PITCHED_SLOTS)),  # a drum note has no duration
        use_tempos=True, num_tempos=len(TEMPO_BPM) - 1, log_tempos=True, tempo_range=(TEMPO_BPM[1], TEMPO_BPM[-1]),
        use_time_signatures=True, time_signature_range={unit: list(range(1, 13)) for unit in (2, 4, 8, 16)},
    )  # fmt: skip


def _as_midi(score: Score, shift: int) -> Any:  # symusic's types name no member
    """Convert a score for MidiTok, with the number of each part as its program."""
    made: Any = symusic.Score(score.ticks_per_beat)
    for number, track in enumerate(score.tracks):
        pitch = track.notes[:, PITCH] if track.is_drum else np.clip(track.notes[:, PITCH] + shift, 0, 127)
        part: Any = symusic.Track(program=0 if track.is_drum else number, is_drum=track.is_drum)
        part.notes = symusic.Note.from_numpy(
            track.notes[:, ONSET].copy(), track.notes[:, DURATION].copy(), pitch.astype(np.int8),
            np.full(len(track), UNKNOWN_VELOCITY, np.int8),
        )  # fmt: skip
        made.tracks.append(part)
    made.time_signatures.extend(symusic.TimeSignature(m.tick, m.numerator, m.denominator) for m in score.meters)
    made.tempos.extend(symusic.Tempo(t.tick, t.bpm) for t in score.tempos)
    return made
