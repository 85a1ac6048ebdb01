"""Several takes of a piece: generated side by side, judged, the best one kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagemusic.compose.judge import assess
from imagemusic.compose.session import Session
from imagemusic.errors import CodecError
from imagemusic.music.score import Score


@dataclass(frozen=True, slots=True)
class Take:
    """Which take was kept, and why."""

    kept: int = 0  # number of the take
    scores: tuple[float, ...] = ()  # what the judge says of each (compose/judge.py); higher is more like real music
    reasons: Mapping[str, float] = field(default_factory=dict)  # what counted most for the one that was kept

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"kept": self.kept, "scores": list(self.scores), "reasons": dict(self.reasons)}


def best_take(sessions: Sequence[Session]) -> tuple[Session, Score, Take]:
    """Return the finished take that the judge prefers, its score, and the choice.

    Raises:
        CodecError: no take is finished.
    """
    finished: list[tuple[Session, Score]] = []
    for session in sessions:
        try:
            finished.append((session, session.score()))
        except CodecError:
            if session is sessions[-1] and not finished:
                raise
    if len(finished) == 1:
        session, score = finished[0]
        return session, score, Take(session.take)
    assessed = [assess(score, ensemble=session.targets.ensemble) for session, score in finished]
    best = max(range(len(finished)), key=lambda number: (assessed[number].total, -number))
    session, score = finished[best]
    scores = tuple(round(one.total, 3) for one in assessed)
    return session, score, Take(session.take, scores, assessed[best].reasons())
