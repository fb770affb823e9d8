"""Our networks as somebody would write them in plain PyTorch: channels_last, autocast, fused Adam, compiled or not."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

KINDS = {"UNet": {}, "AttentionUNet": {"gated": True}, "AttentionResUNet": {"gated": True, "residual": True}}
"""Builder to what its network has beside that of `UNet`."""


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, padding=(size - 1) // 2, bias=False)


class Plain(nn.Sequential):
    """Convolution, batch norm, ReLU, twice."""

    def __init__(self, inputs: int, outputs: int) -> None:
        parts = []
        for channels in (inputs, outputs):
            parts += [conv(channels, outputs), nn.BatchNorm2d(outputs, 1e-3), nn.ReLU(inplace=True)]
        super().__init__(*parts)


class Residual(nn.Module):
    """As `Plain`, with a 1×1 shortcut added before the last ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.way = nn.Sequential(*list(Plain(inputs, outputs))[:-1])
        self.shortcut = nn.Sequential(conv(inputs, outputs, 1), nn.BatchNorm2d(outputs, 1e-3))

    def forward(self, x: Any) -> Any:
        return functional.relu(self.way(x) + self.shortcut(x))


class Gate(nn.Module):
    """Additive grid attention on the coarse grid (Oktay et al., 2018)."""

    def __init__(self, skip: int, coarse: int) -> None:
        super().__init__()
        self.theta = nn.Conv2d(skip, skip, 2, 2, bias=False)
        self.phi = nn.Conv2d(coarse, skip, 1)
        self.psi = nn.Conv2d(skip, 1, 1)

    def forward(self, skip: Any, coarse: Any) -> Any:
        alpha = torch.sigmoid(self.psi(functional.relu(self.theta(skip) + self.phi(coarse))))
        return skip * functional.interpolate(alpha, scale_factor=2, mode="bilinear")


class UNet(nn.Module):
    """Channels, blocks and upsampling of our builders at their defaults."""

    def __init__(
        self, filters: int, depth: int, gated: bool = False, residual: bool = False, transpose: bool = False
    ) -> None:
        super().__init__()
        block = Residual if residual else Plain
        widths = [filters * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList([block(a, b) for a, b in zip([1, *widths], widths, strict=False)])
        levels = range(depth - 1, -1, -1)
        coming = [widths[level] if transpose else widths[level + 1] for level in levels]
        self.raise_ = nn.ModuleList(
            [
                nn.ConvTranspose2d(widths[k + 1], widths[k], 2, 2) if transpose else nn.Upsample(scale_factor=2)
                for k in levels
            ]
        )
        self.gates = nn.ModuleList([Gate(widths[k], widths[k + 1]) if gated else nn.Identity() for k in levels])
        self.gated = gated
        self.up = nn.ModuleList([block(c + widths[k], widths[k]) for c, k in zip(coming, levels, strict=True)])
        self.head = nn.Conv2d(filters, 1, 1)

    def forward(self, x: Any) -> Any:
        skips = []
        for place, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if place else x)
            skips.append(x)
        skips.pop()
        for raise_, gate, block in zip(self.raise_, self.gates, self.up, strict=True):
            skip = skips.pop()
            skip = gate(skip, x) if self.gated else gate(skip)
            x = block(torch.cat([raise_(x), skip], 1))
        return self.head(x)


def focal_loss(y: Any, logits: Any, gamma: float = 2.0) -> Any:
    logits = logits.float()
    log_p, log_q = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    return -(y * (gamma * log_q).exp() * log_p + (1 - y) * (gamma * log_p).exp() * log_q).mean()


def trainer(network: nn.Module, half: bool, compiled: bool) -> Callable[[Any, Any], Any]:
    """A function that trains on one batch and returns the loss; the counts of the Jaccard index stay on the device.

    Args:
        network: On the device that trains.
        half: Whether it computes in bfloat16.
        compiled: By `torch.compile`, its gradient too.
    """
    network = network.to(memory_format=torch.channels_last)
    device = next(network.parameters()).device
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, eps=1e-7, fused=True)
    counts = torch.zeros(3, device=device)

    def loss_of(x: Any, y: Any) -> Any:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits = network(x)
        above = logits > 0
        found = torch.stack([(above & (y > 0.5)).sum(), above.sum(), (y > 0.5).sum()])
        return focal_loss(y, logits), found

    forward = torch.compile(loss_of) if compiled else loss_of

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss, found = forward(x, y)
        loss.backward()
        optimizer.step()
        counts.add_(found)
        return loss.detach()

    return step
