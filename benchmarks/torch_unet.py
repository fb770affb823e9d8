"""`UNet` and `AttentionResUNet` as somebody would write them in plain PyTorch: the peer of the same shape.

Same convolutions, norms, upsampling, gates and number of weights as `unetdyn.models` by default, logits instead of
probabilities, focal loss by `logsigmoid`, the counts of a thresholded Jaccard, Adam. No Keras in it.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def convolution(channels: int, filters: int, size: int, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(channels, filters, size, padding=size // 2, bias=bias)


class Block(nn.Module):
    """Convolution, batch norm and ReLU, twice; with a 1×1 shortcut that is added before the last ReLU if residual."""

    def __init__(self, channels: int, filters: int, residual: bool) -> None:
        super().__init__()
        self.conv1, self.norm1 = convolution(channels, filters, 3), nn.BatchNorm2d(filters)
        self.conv2, self.norm2 = convolution(filters, filters, 3), nn.BatchNorm2d(filters)
        self.residual = residual
        if residual:
            self.shortcut, self.shortcut_norm = convolution(channels, filters, 1), nn.BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.shortcut_norm(self.shortcut(x)) if self.residual else y)


class Gate(nn.Module):
    """The additive grid attention of Oktay et al. (2018)."""

    def __init__(self, skip: int, coarse: int) -> None:
        super().__init__()
        self.theta = nn.Conv2d(skip, skip, 2, stride=2, bias=False)
        self.phi, self.psi = convolution(coarse, skip, 1, bias=True), convolution(skip, 1, 1, bias=True)

    def forward(self, skip: Tensor, coarse: Tensor) -> Tensor:
        alpha = torch.sigmoid(self.psi(F.relu(self.theta(skip) + self.phi(coarse))))
        return skip * F.interpolate(alpha, scale_factor=2.0, mode="bilinear", align_corners=False)


class TorchUNet(nn.Module):
    """From `(batch, 1, height, width)` to logits of the same shape.

    Args:
        filters: Channels of the first level.
        gated: AttentionResUNet instead of UNet.
        depth: How often the resolution is halved.
    """

    def __init__(self, filters: int, gated: bool = False, depth: int = 4) -> None:
        super().__init__()
        sizes = [filters * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList([Block(a, b, gated) for a, b in zip([1, *sizes], sizes, strict=False)])
        self.gates = nn.ModuleList([Gate(skip, 2 * skip) for skip in sizes[:-1]] if gated else [])
        self.up = nn.ModuleList([Block(3 * skip, skip, gated) for skip in sizes[:-1]])
        self.head = convolution(filters, 1, 1, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block in self.down[:-1]:
            skips.append(block(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.down[-1](x)
        for level in reversed(range(len(skips))):
            skip = self.gates[level](skips[level], x) if self.gates else skips[level]
            x = self.up[level](torch.cat([F.interpolate(x, scale_factor=2.0), skip], dim=1))
        return self.head(x)


def focal_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """γ = 2, the mean over all pixels."""
    log_p, log_q = F.logsigmoid(logits), F.logsigmoid(-logits)
    return -(labels * torch.exp(2 * log_q) * log_p + (1 - labels) * torch.exp(2 * log_p) * log_q).mean()


def trainer(model: nn.Module, compiled: bool = False) -> Callable[[Tensor, Tensor], None]:
    """A function that does one step on a batch, and counts what a Jaccard index at 0.5 needs."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    counts = torch.zeros(3)

    def loss_of(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        logits = model(x)
        mask = logits.detach() > 0
        sums = torch.stack([(mask * y).sum(), mask.sum(), y.sum()])
        return focal_loss(logits, y), sums

    forward = torch.compile(loss_of) if compiled else loss_of

    def step(x: Tensor, y: Tensor) -> None:
        loss, sums = forward(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        counts.add_(sums)

    return step
