import pytest
import torch
from torch import nn

from imagemusic.errors import ConfigError
from imagemusic.training.loop import LoopOptions, TrainingLoop, check_settings, warmup_cosine

OPTIONS = LoopOptions(end=8, warmup=2, learning_rate=0.1)


def net_and_loss(dropout=0.5):
    torch.manual_seed(5)
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(dropout), nn.Linear(4, 1))
    return net, lambda step: net(torch.full((6, 3), 1.0 + step)).square().mean()


def train(loop, loss, steps=100):
    losses = []
    while not loop.finished and len(losses) < steps:
        losses.append(loop.update(loss))
    return losses


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine():
    shares = [warmup_cosine(step, 4, 12) for step in range(13)]
    assert shares[:4] == [0.25, 0.5, 0.75, 1.0]
    assert shares[4] == 1.0 and shares[8] == pytest.approx(0.51) and shares[12] == pytest.approx(0.02)
    assert warmup_cosine(99, 4, 12) == pytest.approx(0.02)
    assert warmup_cosine(0, 0, 1) == 1.0


def test_one_step_of_adamw_by_hand():
    weight = nn.Parameter(torch.tensor([2.0]))
    options = LoopOptions(end=4, warmup=4, learning_rate=0.4, weight_decay=0.5)
    loop = TrainingLoop({}, [weight], options, seed=0)
    assert loop.update(lambda step: 3 * weight.sum()) == 6.0
    # a quarter of the rate: decay 2 * (1 - 0.1 * 0.5) = 1.9, and Adam's first step has length 0.1
    assert weight.item() == pytest.approx(1.8)


def test_a_run_that_is_stopped_goes_on_to_the_same_numbers(tmp_path):
    net, loss = net_and_loss()
    whole = train(TrainingLoop({"net": net}, net.parameters(), OPTIONS, seed=3), loss)
    last = {name: value.clone() for name, value in net.state_dict().items()}

    net, loss = net_and_loss()
    stopped = TrainingLoop({"net": net}, net.parameters(), OPTIONS, seed=3, path=tmp_path / "run" / "last.pt")
    first = train(stopped, loss, steps=5)
    stopped.save({"curve": [1, 2]})
    net, loss = net_and_loss()
    again = TrainingLoop({"net": net}, net.parameters(), OPTIONS, seed=3, path=tmp_path / "run" / "last.pt")
    assert again.resume() == {"curve": [1, 2]}
    assert first + train(again, loss) == whole and len(whole) == 8
    assert all(value.equal(last[name]) for name, value in net.state_dict().items())
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["last.pt"]


def test_a_run_that_is_new_has_nothing_to_resume(tmp_path):
    net, _ = net_and_loss()
    assert TrainingLoop({"net": net}, net.parameters(), OPTIONS, seed=0, path=tmp_path / "last.pt").resume() == {}
    assert TrainingLoop({"net": net}, net.parameters(), OPTIONS, seed=0).resume() == {}


def test_progress_may_be_counted_in_other_units():
    net, loss = net_and_loss()
    loop = TrainingLoop({"net": net}, net.parameters(), OPTIONS, seed=0)
    assert len(train(loop, lambda step: (loss(step), 3))) == 3
    assert loop.progress == 9


def test_groups_keep_their_own_rates():
    slow, fast = (nn.Parameter(torch.ones(1)) for _ in range(2))
    loop = TrainingLoop({}, [{"params": [slow], "lr": 0.01}, {"params": [fast]}], OPTIONS, seed=0)
    loop.update(lambda step: slow.sum() + fast.sum())
    assert [group["lr"] for group in loop.optimizer.param_groups] == [0.005, 0.05]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_refused_before_it_changes_a_weight(value):
    net, loss = net_and_loss()
    loop = TrainingLoop({"net": net}, net.parameters(), OPTIONS, seed=0)
    before = [weight.clone() for weight in net.parameters()]
    with pytest.raises(ConfigError, match=rf"the loss is {value} at step 0; lower the learning rate"):
        loop.update(lambda step: loss(step) * value)
    assert all(weight.equal(old) for weight, old in zip(net.parameters(), before, strict=True))


def test_a_run_with_other_settings_is_refused(tmp_path):
    net, _ = net_and_loss()
    loop = TrainingLoop({}, net.parameters(), OPTIONS, seed=0, path=tmp_path / "last.pt", settings={"a": {"b": 1}})
    loop.save()
    loop.settings = {"a": {"b": 2}}
    with pytest.raises(ConfigError, match=r"a run with a\.b 1, asked for 2; choose another folder"):
        loop.resume()
    check_settings(tmp_path, {"a": 1, "more": 2}, {"a": 1})


def test_a_state_of_another_version_is_refused(tmp_path):
    torch.save({"model": {}}, tmp_path / "last.pt")
    net, _ = net_and_loss()
    loop = TrainingLoop({"net": net}, net.parameters(), OPTIONS, seed=0, path=tmp_path / "last.pt")
    with pytest.raises(ConfigError, match="last.pt: saved by another version"):
        loop.resume()
