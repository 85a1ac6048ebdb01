"""How much is measured: enough for intervals in ten minutes on two cores, or a quick look."""

from dataclasses import dataclass

from imagemusic.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringOptions:
    """Sizes of the experiments."""

    seeds: int = 3  # of sampling, and of the draw of wrong pictures
    scored_pairs: int = 333  # whose music is scored; of a longer list, as many drawn at random
    notes: int = 256  # of a piece, from its start
    pictures: int = 100  # that pieces are composed for
    pieces: int = 8  # for each of them
    rated_pictures: int = 300  # at most; whose ratings are held against what they yield
    seconds: float = 20.0  # length of a composed piece
    levels: int = 9  # of a dial that is turned
    dose_pictures: int = 16  # that contradict it, at each level
    edited_pictures: int = 16  # whose null edits are composed for
    corner_pieces: int = 24  # at each corner of the dials
    copied_pieces: int = 60  # searched for in the training set
    gallery: int = 6
    workers: int = 1

    def __post_init__(self) -> None:
        limits = {"seeds": 1, "notes": 1, "pictures": 2, "pieces": 3, "levels": 2, "dose_pictures": 1, "workers": 1}
        for name, least in limits.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be {least} or more, got {getattr(self, name)}")

    @classmethod
    def quick(cls, *, seeds: int = 3, workers: int = 1) -> "SteeringOptions":
        """Sizes to see whether all works; its intervals are wide."""
        return cls(
            seeds=seeds, scored_pairs=24, notes=128, pictures=12, pieces=3, rated_pictures=12, seconds=6.0, levels=3,
            dose_pictures=2, edited_pictures=2, corner_pieces=1, copied_pieces=4, gallery=2, workers=workers,
        )  # fmt: skip
