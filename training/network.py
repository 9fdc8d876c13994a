"""EfficientNet-Lite on log-mel windows: a network that survives quantization.

Lite means ReLU6 instead of SiLU and no squeeze-and-excite, the two parts of EfficientNet that INT8
handles badly (Tan and Le 2019, arXiv:1905.11946; Liu 2020, "EfficientNet-Lite"). A third part that gains little is
the convolution of each channel by itself: where there are few channels and many pixels, one ordinary convolution
does the same work in less INT8 time (Gupta and Akin 2020, arXiv:2003.02838; Tan and Le 2021, arXiv:2104.00298).
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from monitor.errors import ModelError


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of blocks with the same output, before the width is applied."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int
    fused: bool = False
    """whether expanding and filtering are one convolution"""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a network is."""

    name: str
    width: float
    """of all channels"""
    stages: tuple[Stage, ...]
    head: int
    """channels of the last convolution, before the width is applied"""


MAX_WIDTH = 4.0
STEM_CHANNELS = 32
LITE0_HEAD = 1280
LITE0 = (
    Stage(expansion=1, channels=16, blocks=1, stride=1, kernel=3),
    Stage(expansion=6, channels=24, blocks=2, stride=2, kernel=3),
    Stage(expansion=6, channels=40, blocks=2, stride=2, kernel=5),
    Stage(expansion=6, channels=80, blocks=3, stride=2, kernel=3),
    Stage(expansion=6, channels=112, blocks=3, stride=1, kernel=5),
    Stage(expansion=6, channels=192, blocks=4, stride=2, kernel=5),
    Stage(expansion=6, channels=320, blocks=1, stride=1, kernel=3),
)
FEW_AND_WIDE = (
    Stage(expansion=1, channels=16, blocks=1, stride=1, kernel=3),
    Stage(expansion=6, channels=24, blocks=1, stride=2, kernel=3, fused=True),
    Stage(expansion=6, channels=40, blocks=2, stride=2, kernel=3, fused=True),
    Stage(expansion=6, channels=80, blocks=3, stride=2, kernel=3),
    Stage(expansion=6, channels=112, blocks=3, stride=1, kernel=3),
    Stage(expansion=6, channels=192, blocks=2, stride=2, kernel=3),
)
FAMILY = {
    "nano": Size("nano", 0.75, FEW_AND_WIDE, head=800),
    "small": Size("small", 1.0, LITE0, LITE0_HEAD),
}
"""`nano` for a Pi Zero 2 W; `small`, which is EfficientNet-Lite0, for a Pi 3 and better"""


def size_of(name: str) -> Size:
    """The size of that name in FAMILY, or EfficientNet-Lite0 of that width. ModelError where it is neither."""
    if name in FAMILY:
        return FAMILY[name]
    try:
        width = float(name)
    except ValueError:
        width = 0.0
    if not 0 < width <= MAX_WIDTH:
        msg = f"size {name!r}: expected {', '.join(FAMILY)} or a number above 0 and at most {MAX_WIDTH:g}"
        raise ModelError(msg)
    return Size(f"{width:g}", width, LITE0, LITE0_HEAD)


def scaled(channels: int, width: float) -> int:
    """Channels at a width, as a multiple of 8 that is at most a tenth below what was asked for."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, unless `linear`, ReLU6."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, linear: bool = False
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        norm = nn.BatchNorm2d(outputs)
        super().__init__(convolution, norm, *([] if linear else [nn.ReLU6(inplace=True)]))

    @property
    def convolution(self) -> nn.Conv2d:
        """As long as it has not been folded with the norm into another."""
        return cast("nn.Conv2d", self[0])

    @property
    def norm(self) -> nn.BatchNorm2d:
        """Behind the convolution."""
        return cast("nn.BatchNorm2d", self[1])


class InvertedResidual(nn.Module):
    """Expand, filter, project; with a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = inputs * stage.expansion
        if stage.fused:
            filtered = [ConvNorm(inputs, hidden, stage.kernel, stride)]
        else:
            expanded = [ConvNorm(inputs, hidden, 1)] if stage.expansion > 1 else []
            filtered = [*expanded, ConvNorm(hidden, hidden, stage.kernel, stride, groups=hidden)]
        self.layers = nn.Sequential(*filtered, ConvNorm(hidden, outputs, 1, linear=True))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, mels, frames) -> (batch, outputs, mels / stride, frames / stride)."""
        return x + self.layers(x) if self.shortcut else self.layers(x)


class EfficientNetLite(nn.Module):
    """Log-mel windows in, one logit a label out.

    `size` is what `size_of` knows. Its end sees the mean over time, as in the original, and the maximum too: a call
    may be short.
    """

    def __init__(self, n_labels: int, size: str = "nano", n_channels: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        built = size_of(size)
        inputs = scaled(STEM_CHANNELS, built.width)
        blocks: list[nn.Module] = [ConvNorm(n_channels, inputs, 3, 2)]
        for stage in built.stages:
            outputs = scaled(stage.channels, built.width)
            for index in range(stage.blocks):
                blocks.append(InvertedResidual(inputs, outputs, stage, stage.stride if index == 0 else 1))
                inputs = outputs
        head = scaled(built.head, built.width)
        self.features = nn.Sequential(*blocks, ConvNorm(inputs, head, 1))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * head, n_labels)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_channels, n_mels, n_frames) log-mel -> (batch, n_labels) logits."""
        over_time = self.features(x).mean(2)
        pooled = torch.cat([over_time.mean(2), over_time.amax(2)], 1)
        return self.classifier(self.dropout(pooled))

    def freeze(self, *, frozen: bool) -> None:
        """Let only the last layer learn, or everything again. A frozen norm does not follow its batches either."""
        self.features.requires_grad_(not frozen)
        self.features.train(self.training and not frozen)
