from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("miditok")

from tests import tiny


@pytest.fixture(scope="session")
def benchmark(tmp_path_factory):
    """A benchmark of five tunes, of which one is held out, with tokens of their own."""
    from imagemusic.research.decoders import benchmark as module
    from imagemusic.training.settings import BatchOptions, TrainConfig, TrainOptions

    folder = tmp_path_factory.mktemp("benchmark")
    prepared = tiny.write_prepared(folder)
    pictures = tiny.write_pictures(folder / "pictures.npz")
    options = TrainOptions(
        prepared=str(Path(prepared.rows.filename).parent), pictures=str(pictures), run=str(folder / "run")
    )
    config = TrainConfig(training=options, batches=BatchOptions(batch_size=3, window=32))
    made = module.Benchmark.open(
        config, folder, batch_size=3, window=32, notes=(1000, 1000), progress=lambda pieces, _: pieces
    )
    return replace(made, test=made.validation)
