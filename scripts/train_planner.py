"""Train the planner on a prepared set and write its weights.

python scripts/train_planner.py --prepared runs/prepared --out runs/plan
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import torch

from imagemusic.data.prepared import PreparedSet
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES
from imagemusic.plan.network import Network, PlannerConfig
from imagemusic.training.planning import PlanningOptions, nats_per_field, network_of, read_examples, train
from imagemusic.training.planning_baselines import baseline_nats


def main() -> None:
    """Train, measure on the held-out pieces, save."""
    options = PlanningOptions()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path, required=True, help="folder of scripts/prepare_corpora.py")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--epochs", type=int, default=options.epochs)
    parser.add_argument("--seed", type=int, default=options.seed)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    options = PlanningOptions(epochs=arguments.epochs, seed=arguments.seed)
    prepared = PreparedSet.open(arguments.prepared)
    examples = {
        split: read_examples(prepared, prepared.select(split), print) for split in ("train", "validation", "test")
    }
    config = PlannerConfig(dials=DIALS, ensembles=ENSEMBLES)
    net = train(examples["train"], examples["validation"], config, options)
    network: Network = network_of(net)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in network.weights.items()})
    tables = {split: [example.written.numpy() for example in pieces] for split, pieces in examples.items()}
    nats = {"planner": nats_per_field(net, examples["test"])} | baseline_nats(tables["train"], tables["test"])
    counts = {split: {"pieces": len(rows), "bars": sum(map(len, rows))} for split, rows in tables.items()}
    network.save(arguments.out, {"options": asdict(options), "counts": counts, "test_nats_per_bar": nats})
    for name, fields in nats.items():
        print(name, {field: round(value, 3) for field, value in fields.items()}, round(sum(fields.values()), 3))


if __name__ == "__main__":
    main()
