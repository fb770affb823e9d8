"""The arithmetic of `benchmarks/gpu_throughput.py`."""

import math

import keras
import numpy as np
import pytest

from scripts_by_path import benchmarks_importable
from unetdyn.losses import binary_focal_loss
from unetdyn.models import AttentionResUNet, AttentionUNet, UNet


@pytest.fixture(scope="module")
def arithmetic():
    with benchmarks_importable():
        from throughput_cases import arithmetic
    return arithmetic


@pytest.fixture(scope="module")
def script():
    with benchmarks_importable():
        import gpu_throughput
    return gpu_throughput


@pytest.mark.parametrize("upsample", ["nearest", "transpose"])
def test_operations_of_a_small_net_are_its_closed_form(arithmetic, upsample):
    side, filters, batch = 8, 2, 3
    with keras.StatelessScope(initialize_variables=False):
        model = UNet((side, side, 1), filters=filters, depth=1, upsample=upsample)

    fine, coarse, c = side**2, (side // 2) ** 2, filters
    encoder = fine * 9 * (1 * c + c * c)
    bottleneck = coarse * 9 * (c * 2 * c + 2 * c * 2 * c)
    joined = 3 * c if upsample == "nearest" else 2 * c
    up = 0 if upsample == "nearest" else coarse * 4 * 2 * c * c
    decoder = fine * 9 * (joined * c + c * c)
    head = fine * c
    assert arithmetic.forward_flops(model, batch) == 2 * batch * (encoder + bottleneck + up + decoder + head)


def test_share_is_one_for_a_step_at_the_ceiling(arithmetic):
    assert arithmetic.share_of_ceiling(4 * 10**12, milliseconds=5.0, ceiling=800.0) == pytest.approx(1.0)


def test_ratios_are_taken_within_a_repeat(arithmetic):
    assert arithmetic.ratios([1.0, 2.0, 4.0], [2.0, 4.0, 4.0]) == pytest.approx((2.0, 1.5, 2.0))
    assert arithmetic.spread([1.0, 2.0, 3.0, 4.0, 5.0]) == (3.0, 2.0, 4.0)


class _Process:
    """Answers as a child does, and notes when it was its turn."""

    def __init__(self, name, log, answers):
        self.model, self.framework, self.log, self.answers = "UNet", name, log, answers
        self.times, self.known = [], {}

    def ask(self, word):
        self.log.append((self.framework, word))
        if word is None:
            return self.answers
        return {"go": {"ms": self.answers["ms"]}, "memory": {"mib": 1.0}}.get(word, {"tflops": 2.0})

    def close(self):
        self.log.append((self.framework, "closed"))


def test_children_take_turns_in_rotating_order_and_a_dead_one_is_left_out(script):
    log = []
    children = [
        _Process("jax", log, {"ready": True, "ms": 10.0, "flops": 10**9}),
        _Process("peer", log, {"ready": True, "ms": 20.0}),
        _Process("torch", log, {}),
    ]

    alive = script.measure(children, repeats=2, side=64)

    assert [child.framework for child in alive] == ["jax", "peer"]
    assert [name for name, word in log if word == "go"] == ["jax", "peer", "peer", "jax"]
    found = {row["framework"]: row for row in script.rows(alive)}
    assert found["jax"]["times_the_peer"] == (2.0, 2.0, 2.0)
    assert found["jax"]["share"] == pytest.approx(3 * 10**9 / 10e-3 / 2e12)
    assert found["peer"]["share"] == pytest.approx(3 * 10**9 / 20e-3 / 2e12)
    assert "| UNet | jax | 10.0 (10.0–10.0) | 2.00 (2.00–2.00) | 15 % | 1 |" in script.table(list(found.values()))


@pytest.mark.parametrize(
    ("builder", "upsample"),
    [(UNet, "nearest"), (UNet, "transpose"), (AttentionUNet, "nearest"), (AttentionResUNet, "nearest")],
)
def test_peer_has_the_weights_of_the_builder(builder, upsample):
    pytest.importorskip("torch")
    with benchmarks_importable():
        from throughput_cases import torch_peer
    with keras.StatelessScope(initialize_variables=False):
        model = builder((8, 8, 1), filters=2, depth=2, upsample=upsample)

    peer = torch_peer.UNet(2, 2, **torch_peer.KINDS[builder.__name__], transpose=upsample == "transpose")

    ours = sorted(math.prod(variable.shape) for variable in model.trainable_variables)
    assert sorted(parameter.numel() for parameter in peer.parameters()) == ours


def test_peers_focal_loss_is_ours():
    torch = pytest.importorskip("torch")
    with benchmarks_importable():
        from throughput_cases import torch_peer
    logits, labels = np.linspace(-5, 5, 12).astype("float32"), np.tile([0.0, 1.0], 6).astype("float32")

    expected = np.mean(keras.ops.convert_to_numpy(binary_focal_loss(labels, logits, 2.0, from_logits=True)))
    loss = torch_peer.focal_loss(torch.tensor(labels), torch.tensor(logits))
    assert loss.item() == pytest.approx(expected, rel=1e-5)
