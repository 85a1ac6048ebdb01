"""Draw a score as a piano roll.

    legend      a colour and a name for each track
    roll        keyboard | notes over bar lines; louder is brighter
    drums       names    | hits, in a lane of their own
    clock       seconds

Everything is drawn at twice the size and reduced, for antialiasing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imagemusic.audio.lettering import drawable, font_of
from imagemusic.errors import ConfigError
from imagemusic.music.instruments import drum_name, instrument_name
from imagemusic.music.score import DURATION, ONSET, PITCH, VELOCITY, Score, Track

Color = tuple[int, int, int]

# Okabe & Ito 2008, "Color Universal Design", the two darkest made lighter.
TRACK_COLORS: tuple[Color, ...] = (
    (86, 180, 233),
    (240, 170, 40),
    (20, 190, 140),
    (225, 140, 190),
    (240, 228, 66),
    (235, 110, 50),
    (110, 130, 240),
    (250, 205, 195),
)
DRUM_COLOR: Color = (205, 205, 215)
PAPER, BLACK_KEY_ROW, BEAT_LINE, BAR_LINE = (22, 24, 30), (17, 19, 24), (30, 33, 41), (62, 67, 80)
FRAME, INK, FAINT_INK = (44, 48, 58), (228, 230, 236), (150, 155, 168)
WHITE_KEY, BLACK_KEY = (226, 226, 222), (38, 40, 46)

SMOOTHING = 2
MARGIN = 12
LEGEND_HEIGHT, BAR_NUMBER_HEIGHT, CLOCK_HEIGHT = 34, 18, 26
KEYBOARD_WIDTH = 74
DRUM_ROW_HEIGHT, DRUM_LANE_SHARE = 14, 0.3  # the lane takes at most this share of the height
LEAST_WIDTH, LEAST_HEIGHT = 320, 200
LARGEST_SIDE = 8_000
LEAST_PITCHES = 25  # rows: two octaves
SOFTEST_SHADE = 0.35  # brightness of velocity 1
LEAST_LINE_SPACING = 7
BAR_NUMBER_WIDTH = 34
BAR_STRIDES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
BLACK_PITCH_CLASSES = {1, 3, 6, 8, 10}
MOST_BEATS = 500_000  # of one meter
CLOCK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Plot:
    """Coordinates of times and pitches, in pixels of the enlarged picture."""

    left: float
    right: float
    top: float
    bottom: float
    seconds: float  # from left to right
    lowest: int  # pitch of the bottom row
    highest: int

    def x(self, seconds: float) -> float:
        """Return the column of a time in seconds."""
        return self.left + (self.right - self.left) * seconds / self.seconds

    def y(self, pitch: int) -> float:
        """Return the upper edge of a pitch's row."""
        return self.top + (self.highest - pitch) * self.row

    @property
    def row(self) -> float:
        """Height of one semitone."""
        return (self.bottom - self.top) / (self.highest - self.lowest + 1)


def draw_piano_roll(score: Score, *, width: int = 1600, height: int = 700) -> Image.Image:
    """Return a piano roll of `width` x `height` pixels; a score without notes gives an empty one.

    Raises:
        ConfigError: the size is not in 320..8000 x 200..8000 pixels.
    """
    if not (LEAST_WIDTH <= width <= LARGEST_SIDE and LEAST_HEIGHT <= height <= LARGEST_SIDE):
        raise ConfigError(
            f"piano roll must be {LEAST_WIDTH}..{LARGEST_SIDE} pixels wide and {LEAST_HEIGHT}..{LARGEST_SIDE} high, "
            f"got {width} x {height}"
        )
    image = Image.new("RGB", (width * SMOOTHING, height * SMOOTHING), PAPER)
    draw = ImageDraw.Draw(image)
    roll, lane, drums = _lay_out(score, width, height)
    plots = [plot for plot in (roll, lane) if plot.bottom > plot.top]
    _draw_rows(draw, roll, lane)
    _draw_bars(draw, plots, score)
    _draw_notes(draw, roll, score)
    _draw_keyboard(draw, roll)
    _draw_drums(draw, lane, score, drums)
    _draw_clock(draw, lane)
    _draw_legend(draw, score, width)
    return image.reduce(SMOOTHING)


def pitch_range(score: Score) -> tuple[int, int]:
    """Return the lowest and highest pitch to draw: all pitches and a margin of two semitones, at least two octaves."""
    pitches = np.concatenate([[], *(track.notes[:, PITCH] for track in score.tracks if not track.is_drum)])
    low, high = (int(pitches.min()) - 2, int(pitches.max()) + 2) if len(pitches) else (48, 72)
    missing = max(0, LEAST_PITCHES - (high - low + 1))
    low, high = low - missing // 2, high + (missing + 1) // 2
    shift = max(0, -low) - max(0, high - 127)
    return max(0, low + shift), min(127, high + shift)


def _lay_out(score: Score, width: int, height: int) -> tuple[Plot, Plot, list[int]]:
    """Return the plots of the roll and of the drums below it, and the drum pitches in order, a row each."""
    drums = sorted({pitch for track in score.tracks if track.is_drum for pitch in track.notes[:, PITCH].tolist()})
    top, bottom = LEGEND_HEIGHT + BAR_NUMBER_HEIGHT + MARGIN / 2, height - MARGIN - CLOCK_HEIGHT
    lane_top = bottom - min(len(drums) * DRUM_ROW_HEIGHT, DRUM_LANE_SHARE * height)
    if drums and all(track.is_drum for track in score.tracks if len(track)):
        lane_top = top
    roll_bottom = max(top, lane_top - MARGIN) if drums else bottom
    left, right = (MARGIN + KEYBOARD_WIDTH) * SMOOTHING, (width - MARGIN) * SMOOTHING
    seconds = max(score.seconds, 1.0)
    roll = Plot(left, right, top * SMOOTHING, roll_bottom * SMOOTHING, seconds, *pitch_range(score))
    lane = Plot(left, right, lane_top * SMOOTHING, bottom * SMOOTHING, seconds, 0, max(len(drums) - 1, 0))
    return roll, lane, drums


def track_colors(score: Score) -> list[Color]:
    """Return the colour of each track; colours repeat after eight, drums are grey."""
    pitched = [index for index, track in enumerate(score.tracks) if not track.is_drum]
    order = {index: TRACK_COLORS[rank % len(TRACK_COLORS)] for rank, index in enumerate(pitched)}
    return [order.get(index, DRUM_COLOR) for index in range(len(score.tracks))]


def bar_lines(score: Score) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ticks of bar lines (N,) and of beats (M,) up to the end; none where the meter is not known.

    A meter whose beats are too many to be seen has none either.
    """
    changes = [meter.tick for meter in score.meters] + [max(score.end, 1)]
    bars, beats = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for meter, until in zip(score.meters, changes[1:], strict=True):
        beat = score.ticks_per_beat * 4 / meter.denominator
        count = max(0, int(np.ceil((until - meter.tick) / beat)))
        if count > MOST_BEATS:
            continue
        ticks = (meter.tick + np.arange(count) * beat).astype(np.int64)
        beats.append(ticks)
        bars.append(ticks[:: meter.numerator])
    return np.concatenate(bars), np.concatenate(beats)


def _font(size: float, text: str = "") -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font that has the letters of a text; `size` is in pixels of the finished picture."""
    return font_of(text, size * SMOOTHING)


def _shade(color: Color, velocity: int) -> Color:
    """Return a colour with a brightness that increases with velocity."""
    share = SOFTEST_SHADE + (1 - SOFTEST_SHADE) * min(1.0, velocity / 112)
    red, green, blue = (round(paper + (value - paper) * share) for value, paper in zip(color, PAPER, strict=True))
    return red, green, blue


def _draw_rows(draw: ImageDraw.ImageDraw, roll: Plot, lane: Plot) -> None:
    """Darken the rows of black keys and every second drum, and draw a line below every C."""
    for pitch in range(roll.lowest, roll.highest + 1):
        y = roll.y(pitch)
        if pitch % 12 in BLACK_PITCH_CLASSES and roll.row > 1:
            draw.rectangle((roll.left, y, roll.right, y + roll.row - 1), BLACK_KEY_ROW)
        if pitch % 12 == 0:
            draw.line((roll.left, y + roll.row, roll.right, y + roll.row), FRAME, 2)
    for row in range(lane.lowest, lane.highest + 1, 2):
        if lane.row > 1:
            draw.rectangle((lane.left, lane.y(row), lane.right, lane.y(row) + lane.row - 1), BLACK_KEY_ROW)


def _draw_bars(draw: ImageDraw.ImageDraw, plots: list[Plot], score: Score) -> None:
    """Draw beats and bars through all plots, as densely as there is room, and number the bars above the first plot."""
    bars, beats = (score.seconds_at(ticks).tolist() for ticks in bar_lines(score))
    if not bars:
        return
    first, font = plots[0], _font(11)
    bar_width, beat_width = ((first.right - first.left) / len(lines) / SMOOTHING for lines in (bars, beats))
    stride = next((step for step in BAR_STRIDES if bar_width * step >= BAR_NUMBER_WIDTH), BAR_STRIDES[-1])
    lines = [(at, BEAT_LINE) for at in beats if beat_width >= LEAST_LINE_SPACING]
    lines += [(at, FRAME) for at in bars if bar_width >= LEAST_LINE_SPACING]
    lines += [(at, BAR_LINE) for at in bars[::stride]]
    for at, color in lines:
        for plot in plots:
            draw.line((plot.x(at), plot.top, plot.x(at), plot.bottom), color, 2)
    for number, at in enumerate(bars[::stride]):
        draw.text((first.x(at) + 4, first.top - 4), str(number * stride + 1), FAINT_INK, font, anchor="lb")


def _draw_notes(draw: ImageDraw.ImageDraw, roll: Plot, score: Score) -> None:
    """Draw the notes, the longest first, so that shorter ones stay visible."""
    boxes = []
    for track, color in zip(score.tracks, track_colors(score), strict=True):
        if not track.is_drum:
            boxes += [(*row, color) for row in _times(score, track)]
    boxes.sort(key=lambda box: box[0] - box[1])
    inset = 1 if roll.row >= 5 * SMOOTHING else 0
    for start, end, pitch, velocity, color in boxes:
        x, y = roll.x(start), roll.y(pitch)
        until = max(roll.x(end) - SMOOTHING, x + 2 * SMOOTHING)
        box = (x, y + inset, until, y + max(roll.row - 1 - inset, 1))
        draw.rounded_rectangle(box, min(3 * SMOOTHING, roll.row / 3), _shade(color, velocity))


def _times(score: Score, track: Track) -> list[tuple[float, float, int, int]]:
    """Return start and end in seconds, pitch and velocity of every note."""
    notes = track.notes
    start, end = score.seconds_at(notes[:, ONSET]), score.seconds_at(notes[:, ONSET] + notes[:, DURATION])
    return list(zip(start.tolist(), end.tolist(), notes[:, PITCH].tolist(), notes[:, VELOCITY].tolist(), strict=True))


def _draw_keyboard(draw: ImageDraw.ImageDraw, roll: Plot) -> None:
    """Draw a keyboard at the left, and name its Cs."""
    if roll.row < 1:
        return
    left, right = roll.left - 34 * SMOOTHING, roll.left - 4
    draw.rectangle((left, roll.top, right, roll.bottom), WHITE_KEY)
    for pitch in range(roll.lowest, roll.highest + 1):
        y = roll.y(pitch)
        if pitch % 12 in BLACK_PITCH_CLASSES:
            front = left + 0.62 * (right - left)
            draw.rectangle((left, y, front, y + roll.row - 1), BLACK_KEY)
            draw.line((front, y + roll.row / 2, right, y + roll.row / 2), FAINT_INK, 2)
        if pitch % 12 in (0, 5):  # no black key between B and C, E and F
            draw.line((left, y + roll.row, right, y + roll.row), FAINT_INK, 2)
        if pitch % 12 == 0:
            middle = y + roll.row / 2
            draw.text((left - 8, middle), f"C{pitch // 12 - 1}", INK, _font(12), anchor="rm")


def _draw_drums(draw: ImageDraw.ImageDraw, lane: Plot, score: Score, drums: list[int]) -> None:
    """Draw drum hits, a row a drum, the lowest pitch at the bottom; all hits have the same width."""
    rows = {pitch: row for row, pitch in enumerate(drums)}
    readable = int(np.ceil(11 * SMOOTHING / lane.row)) if drums else 1  # rows that a name takes
    for pitch in drums[::readable]:
        middle = lane.y(rows[pitch]) + lane.row / 2
        draw.text((lane.left - 8, middle), drum_name(pitch), FAINT_INK, _font(10), anchor="rm")
    for track in score.tracks:
        for start, _, pitch, velocity in _times(score, track) if track.is_drum else ():
            x, y = lane.x(start), lane.y(rows[pitch])
            inset = min(2, lane.row / 4)
            box = (x, y + inset, x + 3 * SMOOTHING, max(y + lane.row - 1 - inset, y + inset))
            draw.rectangle(box, _shade(DRUM_COLOR, velocity))


def _draw_clock(draw: ImageDraw.ImageDraw, plot: Plot) -> None:
    """Write the time in minutes and seconds below a plot."""
    step = next((s for s in CLOCK_STEPS if plot.x(s) - plot.left >= 60 * SMOOTHING), CLOCK_STEPS[-1])
    for at in range(0, int(plot.seconds) + 1, step):
        x = plot.x(at)
        draw.line((x, plot.bottom, x, plot.bottom + 5 * SMOOTHING), FAINT_INK, 2)
        anchor = "la" if at == 0 else "ra" if x > plot.right - 20 * SMOOTHING else "ma"
        draw.text((x, plot.bottom + 8 * SMOOTHING), f"{at // 60}:{at % 60:02d}", FAINT_INK, _font(11), anchor=anchor)


def _draw_legend(draw: ImageDraw.ImageDraw, score: Score, width: int) -> None:
    """Write the names of the instruments at the top, each once a colour, as many as there is room for."""
    plain, x, y = _font(13), float(MARGIN * SMOOTHING), (MARGIN / 2 + 11) * SMOOTHING
    entries = list(dict.fromkeys(zip(map(_label, score.tracks), track_colors(score), strict=True)))
    for index, (label, color) in enumerate(entries):
        font = _font(13, label)
        advance = draw.textlength(label, font) + 40 * SMOOTHING
        rest = f"+ {len(entries) - index} more"
        room = float((width - MARGIN) * SMOOTHING)
        room -= 0 if index == len(entries) - 1 else draw.textlength(rest, plain)
        if x + advance > room:
            draw.text((x, y), rest, FAINT_INK, plain, anchor="lm")
            return
        draw.rounded_rectangle((x, y - 5 * SMOOTHING, x + 14 * SMOOTHING, y + 5 * SMOOTHING), 2 * SMOOTHING, color)
        draw.text((x + 20 * SMOOTHING, y), label, INK, font, anchor="lm")
        x += advance


def _label(track: Track) -> str:
    """Return the label of a track: its instrument, after its own name where that differs."""
    instrument, name = instrument_name(track.program, track.is_drum), drawable(track.name)[:24].strip()
    return instrument if not name or name.lower() in instrument.lower() else f"{name} · {instrument}"
