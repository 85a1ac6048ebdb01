import pytest
import torch

from imagemusic.errors import ImageMusicWarning
from imagemusic.training import precision
from imagemusic.training.precision import cpu_autocast, cpu_dtype, runnable_precision


@pytest.fixture
def unprobed():
    """The answer for this processor is asked for again, before and after."""
    cpu_dtype.cache_clear()
    yield
    cpu_dtype.cache_clear()


def no_kernel(*_):
    raise RuntimeError("could not create a primitive descriptor")


@pytest.mark.filterwarnings("default:this processor runs no bfloat16 LSTM:imagemusic.errors.ImageMusicWarning")
def test_without_a_kernel_one_notice_and_float32(unprobed, monkeypatch):
    monkeypatch.setattr(torch, "lstm", no_kernel)
    with pytest.warns(ImageMusicWarning, match="runs no bfloat16 LSTM; training in float32") as notices:
        assert cpu_dtype() == cpu_dtype() == torch.float32
        assert runnable_precision("bf16-mixed", "cpu") == "32-true"
        with cpu_autocast():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert len(notices) == 1


def test_with_a_kernel_products_are_bfloat16(monkeypatch):
    monkeypatch.setattr(precision, "cpu_dtype", lambda: torch.bfloat16)
    assert runnable_precision("bf16-mixed", "cpu") == "bf16-mixed"
    with cpu_autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_float32_and_other_accelerators_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(precision, "cpu_dtype", lambda: torch.float32)
    assert runnable_precision("32-true", "cpu") == "32-true"
    assert runnable_precision("bf16-mixed", "gpu") == "bf16-mixed"


def test_what_is_said_of_this_processor_is_so():
    net = torch.nn.LSTM(3, 5)
    with cpu_autocast():
        outputs, _ = net(torch.zeros(4, 2, 3))
    assert outputs.dtype == cpu_dtype()
