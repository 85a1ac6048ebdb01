"""One training loop: AdamW, warm-up and cosine decay, gradient clipping, save, and resume to the same numbers.

    loop = TrainingLoop(nets, groups, options, seed=0, path=RUN/"last.pt", settings=settings)
    extra = loop.resume()
    while not loop.finished:
        loop.update(lambda step: loss of the batch of that step)
        ...                                                     validate
        loop.save(extra)

An update is a function of weights, optimizer state, seed and step number, so a resumed run equals an uninterrupted one.
The loss function must be one too; torch's generator is seeded for it.  The decoder is trained by lightning
(trainer.py), for several processes; it shares the optimizer, the schedule and the check of the loss.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imagemusic.errors import ConfigError
from imagemusic.files import replace_atomically

FINAL_RATE = 0.02  # share of the learning rate at the end
Groups = list[dict[str, Any]]  # parameter groups of torch.optim, each with `params` and perhaps `lr`


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopOptions:
    """Length, learning rate and regularisation of a run."""

    end: float  # progress at which the run is finished: updates, or another amount that `update` reports
    warmup: float  # progress at which the learning rate is highest
    learning_rate: float
    weight_decay: float = 0.01
    clip_norm: float = 1.0


def warmup_cosine(progress: float, warmup: float, end: float) -> float:
    """Return the share of the learning rate: linear up to `warmup`, then a cosine down to FINAL_RATE at `end`."""
    if progress < warmup:
        return (progress + 1) / warmup
    done = min(1.0, (progress - warmup) / max(1, end - warmup))
    return FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * done))


def make_optimizer(
    parameters: Iterable[Tensor] | Groups, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Make the AdamW optimizer that every net of this package is trained with."""
    return torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, betas=(0.9, 0.98))


def check_finite(loss: Tensor, step: int) -> None:
    """Refuse a loss that is not a number.

    Raises:
        ConfigError: the loss (a scalar) is infinite or NaN.
    """
    if not torch.isfinite(loss):
        raise ConfigError(f"the loss is {loss.item()} at step {step}; lower the learning rate")


def check_settings(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any], *, within: str = "") -> None:
    """Refuse to go on with a run that was begun with other settings.

    Raises:
        ConfigError: a setting differs; it names the first one.
    """
    for name, value in wanted.items():
        if isinstance(value, Mapping) and isinstance(found.get(name), Mapping):
            check_settings(folder, found[name], value, within=f"{within}{name}.")
        elif found.get(name) != value:
            raise ConfigError(
                f"{folder}: a run with {within}{name} {found.get(name)}, asked for {value}; choose another folder"
            )


class TrainingLoop:
    """A run: the nets, their optimizer, and how far it is."""

    def __init__(
        self,
        nets: Mapping[str, nn.Module],
        parameters: Iterable[nn.Parameter] | Groups,
        options: LoopOptions,
        *,
        seed: int,
        path: Path | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin a run: `nets` are saved, `parameters` are trained; a run is resumed from `path` with these `settings`.

        A group of parameters with an `lr` of its own keeps that in place of the learning rate of all.
        """
        self.nets, self.options, self.seed, self.path, self.settings = nets, options, seed, path, dict(settings or {})
        self.optimizer = make_optimizer(parameters, options.learning_rate, options.weight_decay)
        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        self.parameters = [one for group in self.optimizer.param_groups for one in group["params"]]
        self.step, self.progress = 0, 0.0

    @property
    def finished(self) -> bool:
        """Whether the run has reached its end."""
        return self.progress >= self.options.end

    def resume(self) -> dict[str, Any]:
        """Load the state that `save` wrote, where there is one; return what was saved beside it, else {}.

        Raises:
            ConfigError: the run was begun with other settings or by another version.
        """
        if self.path is None or not self.path.exists():
            return {}
        state = torch.load(self.path, weights_only=True)
        if not {"nets", "optimizer", "step", "progress", "settings", "extra"} <= state.keys():
            raise ConfigError(f"{self.path}: saved by another version; move it away to begin again")
        check_settings(self.path.parent, state["settings"], self.settings)
        for name, net in self.nets.items():
            net.load_state_dict(state["nets"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.progress = state["step"], state["progress"]
        extra: dict[str, Any] = state["extra"]
        return extra

    def update(self, loss_of: Callable[[int], Tensor | tuple[Tensor, float]]) -> float:
        """Take one optimizer step; return the loss.

        `loss_of` gets the step's number, from 0, and returns a scalar loss, alone or with the progress that this
        step makes (1 by default).

        Raises:
            ConfigError: the loss is not finite; the weights stay as they were.
        """
        share = warmup_cosine(self.progress, self.options.warmup, self.options.end)
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        for net in self.nets.values():
            net.train()
        torch.manual_seed(self.seed * 1_000_003 + self.step)
        found = loss_of(self.step)
        loss, progress = found if isinstance(found, tuple) else (found, 1.0)
        check_finite(loss.detach(), self.step)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.options.clip_norm)
        self.optimizer.step()
        self.step, self.progress = self.step + 1, self.progress + progress
        return loss.item()

    def save(self, extra: Mapping[str, Any] | None = None) -> None:
        """Write the state to `path`, whole or not at all, with what else the caller needs to resume."""
        assert self.path is not None
        state = {
            "nets": {name: net.state_dict() for name, net in self.nets.items()},
            "optimizer": self.optimizer.state_dict(), "step": self.step, "progress": self.progress,
            "settings": self.settings, "extra": dict(extra or {}),
        }  # fmt: skip
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replace_atomically(self.path) as temporary:
            torch.save(state, temporary)
