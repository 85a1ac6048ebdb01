"""Cached feature maps and labels to fine-tuned weights.

The stages below `cached_stage` are frozen, so what they give is computed once for a few views of each picture; only
the rest is trained, which takes minutes on a processor.  Four terms, each over the pictures that have its label:

    dials       Gaussian likelihood of valence, arousal and tempo
    category    cross entropy of the jacket's category: what a jacket is for says how it looks
    content     the embedding must still tell the frozen features of the unedited picture, whitened
    steady      views of one picture must give one embedding
"""

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from imagemusic.errors import ConfigError
from imagemusic.vision.encoder import DIALS, Dials, ImageEncoder


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneOptions:
    """How long and how hard to train."""

    steps: int = 200
    batch: tuple[tuple[str, int], ...] = (("oasis", 20), ("bass", 12), ("otoge", 24))  # pictures a step by source
    learning_rate: float = 5e-5  # of the backbone
    head_learning_rate: float = 2e-4
    weight_decay: float = 0.05
    ridge_strength: float = 3000.0  # of the regressions that the dials begin with
    dropout: float = 0.3  # of pooled features
    category_weight: float = 0.1
    content_weight: float = 0.3
    steady_weight: float = 0.3
    averaging: float = 0.98  # of the running average of the weights, which is what is kept
    check_every: int = 25  # steps
    patience: int = 5  # checks without a smaller validation error before stopping
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.check_every < 1:
            raise ConfigError(f"steps and check_every must be 1 or more, got {self.steps} and {self.check_every}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Labelled pictures as arrays; picture p has the rows first_row[p] .. first_row[p] + views[p] - 1 of `maps`."""

    maps: NDArray[np.float16]  # (rows, C, H, W), what the first trainable stage reads; the unedited view first
    first_row: NDArray[np.int64]  # (P,)
    views: NDArray[np.int64]  # (P,)
    dials: NDArray[np.float32]  # (P, 3), ranked to -1..1, nan where unknown
    category: NDArray[np.int64]  # (P,), -1 where unknown
    source: NDArray[np.str_]  # (P,)
    split: NDArray[np.str_]  # (P,)

    def rows(self, pictures: NDArray[np.int64], view: int | NDArray[np.int64] = 0) -> Tensor:
        """Read the maps of one view of each of some pictures: (len(pictures), C, H, W)."""
        return torch.from_numpy(self.maps[self.first_row[pictures] + view].astype(np.float32))


@dataclass(slots=True)
class History:
    """What training went through, for the record."""

    start_error: float  # on validation, before the first step
    steps: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    validation_error: list[float] = field(default_factory=list)
    best_step: int = 0


class _Auxiliary(nn.Module):
    """Heads that training needs and composing does not."""

    def __init__(self, embedding_size: int, categories: int) -> None:
        super().__init__()
        self.to_content = nn.Linear(embedding_size, embedding_size)
        self.to_category = nn.Linear(embedding_size, categories)
        nn.init.eye_(self.to_content.weight)
        nn.init.zeros_(self.to_content.bias)


def finetune(encoder: ImageEncoder, examples: Examples, options: FinetuneOptions) -> History:
    """Train the open stages and the heads in place; leave the averaged weights that did best on validation."""
    if encoder.config.trainable_from is None:
        raise ConfigError("trainable_from is None: the encoder is frozen, there is nothing to fine-tune")
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    target = _start_from_ridge(encoder, examples, options)
    auxiliary = _Auxiliary(encoder.config.embedding_size, int(examples.category.max()) + 1)
    optimizer, schedule = _optimizer(encoder, auxiliary, options)
    average = copy.deepcopy(encoder)
    kept = copy.deepcopy(average.state_dict())
    best = validation_error(encoder, examples)
    history, losses = History(start_error=round(best, 4)), list[float]()
    for step in range(1, options.steps + 1):
        encoder.train()
        drawn = _draw(examples, options, rng)
        loss = _loss(encoder, auxiliary, examples, drawn, rng, target[drawn], options)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        _follow(average, encoder, min(options.averaging, step / (step + 10)))
        if step % options.check_every == 0:
            value = validation_error(average.eval(), examples)
            history.steps.append(step)
            history.train_loss.append(round(float(np.mean(losses)), 4))
            history.validation_error.append(round(value, 4))
            losses = []
            if value < best:
                best, history.best_step, kept = value, step, copy.deepcopy(average.state_dict())
            elif step - history.best_step >= options.patience * options.check_every:
                break
    encoder.load_state_dict(kept)
    encoder.eval()
    _standardise(encoder, examples)
    _calibrate(encoder, examples)
    return history


@torch.no_grad()
def features_of(encoder: ImageEncoder, examples: Examples, pictures: NDArray[np.int64], view: int = 0) -> Tensor:
    """Compute the pooled features (len(pictures), F) of one view from its maps."""
    stage = encoder.cached_stage
    parts = [
        encoder.after_stage(examples.rows(part, view).contiguous(memory_format=torch.channels_last), stage)
        for part in np.array_split(pictures, max(1, len(pictures) // 64))
    ]
    return torch.cat(parts)


def dial_loss(dials: Dials, truth: Tensor) -> Tensor:
    """Average the negative log likelihood of ranks (B, 3) over the known ones.

    Each is weighted by its variance, held fixed, so that the mean learns by its squared error alone: an uncertain
    picture teaches as much as another (Seitzer et al. 2022, arXiv:2203.09168, with their beta = 1).
    """
    known = ~truth.isnan()
    mean, sd, truth = dials.mean[known], dials.sd[known], truth[known]
    likelihood = 0.5 * ((truth - mean) / sd).square() + sd.log()
    return (likelihood * sd.detach().square()).mean()


@torch.no_grad()
def validation_error(encoder: ImageEncoder, examples: Examples) -> float:
    """Average the squared errors over the dials and sources of the validation pictures, each counting the same."""
    values = []
    for source in np.unique(examples.source):
        pictures = np.flatnonzero((examples.split == "validation") & (examples.source == source))
        mean = encoder.affect(encoder.embed(features_of(encoder, examples, pictures))).mean
        errors = (torch.from_numpy(examples.dials[pictures]) - mean).square()
        values += [error for error in errors.nanmean(dim=0).tolist() if error == error]
    return float(np.mean(values))


@torch.no_grad()
def _start_from_ridge(encoder: ImageEncoder, examples: Examples, options: FinetuneOptions) -> Tensor:
    """Begin with what frozen features can do; return the embeddings (P, E) that gives.

    The first dimensions are a ridge regression of each dial, the others whitened principal components: training
    that starts from random heads would first spoil the backbone (Kumar et al. 2022, arXiv:2202.10054).
    """
    features = features_of(encoder, examples, np.arange(len(examples.split))).double()
    train = torch.from_numpy(examples.split == "train")
    truth = torch.from_numpy(examples.dials).double()
    centre, spread = features[train].mean(dim=0), features[train].std(dim=0) + 1e-6
    scaled = (features - centre) / spread
    rows, deviations = [], []
    for column in range(len(DIALS)):
        known = train & ~truth[:, column].isnan()
        inputs, outputs = scaled[known] - scaled[known].mean(dim=0), truth[known, column]
        gram = inputs @ inputs.T + options.ridge_strength * torch.eye(len(inputs), dtype=inputs.dtype)
        weight = inputs.T @ torch.linalg.solve(gram, outputs - outputs.mean())
        deviation = (inputs @ weight).std()
        rows.append(weight / deviation)
        deviations.append(deviation)
        encoder.to_dial_mean.bias[column] = outputs.mean() - scaled[known].mean(dim=0) @ weight
    _, sizes, axes = torch.linalg.svd(scaled[train], full_matrices=False)
    count = encoder.config.embedding_size - len(DIALS)
    components = axes[:count] / (sizes[:count, None] / len(scaled[train]) ** 0.5)
    weights = torch.cat([torch.stack(rows), components]) / spread
    encoder.to_embedding.weight.copy_(weights)
    encoder.to_embedding.bias.copy_(-weights @ centre)
    encoder.to_dial_mean.weight.zero_()
    encoder.to_dial_mean.weight[:, : len(DIALS)].copy_(torch.stack(deviations).diag())
    encoder.to_dial_sd.weight.zero_()
    encoder.to_dial_sd.bias.zero_()
    return encoder.embed(features.float())


def _optimizer(
    encoder: ImageEncoder, auxiliary: nn.Module, options: FinetuneOptions
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    body = [p for p in encoder.backbone.parameters() if p.requires_grad]
    heads = [encoder.to_embedding, encoder.to_dial_mean, encoder.to_dial_sd, auxiliary]
    rates = [options.learning_rate, options.head_learning_rate]
    optimizer = torch.optim.AdamW(
        [
            {"params": body, "lr": rates[0]},
            {"params": [p for head in heads for p in head.parameters()], "lr": rates[1]},
        ],
        weight_decay=options.weight_decay,
    )
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=options.steps, pct_start=0.1)


def _draw(examples: Examples, options: FinetuneOptions, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw training pictures, a fixed number from each source."""
    train = examples.split == "train"
    pools = [(np.flatnonzero(train & (examples.source == source)), count) for source, count in options.batch]
    return np.concatenate([rng.choice(pool, min(count, len(pool)), replace=False) for pool, count in pools])


def _loss(
    encoder: ImageEncoder,
    auxiliary: _Auxiliary,
    examples: Examples,
    drawn: NDArray[np.int64],
    rng: np.random.Generator,
    target: Tensor,
    options: FinetuneOptions,
) -> Tensor:
    """Add up the four terms over two views of each picture drawn."""
    maps = torch.cat([examples.rows(drawn, rng.integers(examples.views[drawn])) for _ in range(2)])
    features = encoder.after_stage(maps.contiguous(memory_format=torch.channels_last), encoder.cached_stage)
    embedding = encoder.embed(functional.dropout(features, options.dropout))
    one, other = encoder.embed(features).chunk(2)
    category = torch.from_numpy(examples.category[drawn]).repeat(2)
    return (
        dial_loss(encoder.affect(embedding), torch.from_numpy(examples.dials[drawn]).repeat(2, 1))
        + options.category_weight
        * functional.cross_entropy(auxiliary.to_category(embedding), category, ignore_index=-1)
        + options.content_weight * functional.mse_loss(auxiliary.to_content(embedding), target.repeat(2, 1))
        + options.steady_weight * functional.mse_loss(one, other)
    )


@torch.no_grad()
def _follow(average: ImageEncoder, encoder: ImageEncoder, keep: float) -> None:
    for slow, fast in zip(average.parameters(), encoder.parameters(), strict=True):
        slow.lerp_(fast, 1 - keep)


@torch.no_grad()
def _standardise(encoder: ImageEncoder, examples: Examples) -> None:
    """Give the embedding zero mean and unit variance a dimension over the training pictures; the dials stay."""
    train = np.flatnonzero(examples.split == "train")
    embedding = encoder.embed(features_of(encoder, examples, train))
    centre, spread = embedding.mean(dim=0), embedding.std(dim=0) + 1e-6
    for head in (encoder.to_dial_mean, encoder.to_dial_sd):
        head.bias.add_(head.weight @ centre)
        head.weight.mul_(spread)
    encoder.to_embedding.weight.div_(spread[:, None])
    encoder.to_embedding.bias.sub_(centre).div_(spread)


@torch.no_grad()
def _calibrate(encoder: ImageEncoder, examples: Examples) -> None:
    """Scale the deviations of each dial so that the errors on validation pictures have unit variance."""
    pictures = np.flatnonzero(examples.split == "validation")
    dials = encoder.affect(encoder.embed(features_of(encoder, examples, pictures)))
    errors = ((torch.from_numpy(examples.dials[pictures]) - dials.mean) / dials.sd).square()
    encoder.dial_sd_scale.mul_(errors.nanmean(dim=0).sqrt())
