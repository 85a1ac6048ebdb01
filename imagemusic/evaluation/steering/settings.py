"""Sizes of the steering evaluation: about ten minutes on two cores, or a quick check."""

from dataclasses import dataclass

from imagemusic.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringOptions:
    """Sizes of the experiments; a size of a list is an upper limit, a longer list is sampled.

    Raises:
        ConfigError: a size is too small.
    """

    seeds: int = 3  # sampling seeds; also draws of wrong pictures
    scored_pairs: int = 333  # pairs whose music is scored
    notes: int = 256  # scored of a piece, from its start
    pictures: int = 100  # pictures that pieces are composed for
    pieces: int = 8  # pieces for each of them
    rated_pictures: int = 300  # pictures whose ratings are compared with their music
    seconds: float = 20.0  # length of a composed piece
    levels: int = 9  # of a dial in the dose-response experiment
    dose_pictures: int = 16  # pictures at each level, which imply the opposite
    edited_pictures: int = 16  # pictures with null edits
    corner_pieces: int = 24  # pieces at each extreme of the dials
    copied_pieces: int = 60  # pieces searched for in the training set
    gallery: int = 6  # pieces shown on the page
    workers: int = 1  # processes

    def __post_init__(self) -> None:
        limits = {"seeds": 1, "notes": 1, "pictures": 2, "pieces": 3, "levels": 2, "dose_pictures": 1, "workers": 1}
        for name, least in limits.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be {least} or more, got {getattr(self, name)}")

    @classmethod
    def quick(cls, *, seeds: int = 3, workers: int = 1) -> "SteeringOptions":
        """Return sizes for a functional check; the intervals are wide."""
        return cls(
            seeds=seeds, scored_pairs=24, notes=128, pictures=12, pieces=3, rated_pictures=12, seconds=6.0, levels=3,
            dose_pictures=2, edited_pictures=2, corner_pieces=1, copied_pieces=4, gallery=2, workers=workers,
        )  # fmt: skip
