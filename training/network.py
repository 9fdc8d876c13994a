"""EfficientNet-Lite on log-mel windows: a network that survives quantization.

Lite means ReLU6 instead of SiLU and no squeeze-and-excite, the two parts of EfficientNet that INT8
handles badly (Tan and Le 2019, arXiv:1905.11946; Liu 2020, "EfficientNet-Lite").
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from monitor.errors import ModelError


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of blocks with the same output: numbers of EfficientNet-Lite0 before the width is applied."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int


WIDTHS = {"nano": 0.5, "small": 1.0}
"""of the family: `nano` for a Pi Zero 2 W; `small`, EfficientNet-Lite0's own, for a Pi 3 and better"""

MAX_WIDTH = 4.0

STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
STAGES = (
    Stage(expansion=1, channels=16, blocks=1, stride=1, kernel=3),
    Stage(expansion=6, channels=24, blocks=2, stride=2, kernel=3),
    Stage(expansion=6, channels=40, blocks=2, stride=2, kernel=5),
    Stage(expansion=6, channels=80, blocks=3, stride=2, kernel=3),
    Stage(expansion=6, channels=112, blocks=3, stride=1, kernel=5),
    Stage(expansion=6, channels=192, blocks=4, stride=2, kernel=5),
    Stage(expansion=6, channels=320, blocks=1, stride=1, kernel=3),
)


def width_of(name: str) -> float:
    """The width that a name of WIDTHS or a number stands for. ModelError where it is neither."""
    try:
        width = WIDTHS.get(name) or float(name)
    except ValueError:
        width = 0.0
    if not 0 < width <= MAX_WIDTH:
        msg = f"width {name!r}: expected {', '.join(WIDTHS)} or a number above 0 and at most {MAX_WIDTH:g}"
        raise ModelError(msg)
    return width


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
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers if linear else [*layers, nn.ReLU6(inplace=True)])


class InvertedResidual(nn.Module):
    """Expand, filter each channel by itself, project; with a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = inputs * stage.expansion
        expand = [ConvNorm(inputs, hidden, 1)] if stage.expansion > 1 else []
        self.layers = nn.Sequential(
            *expand,
            ConvNorm(hidden, hidden, stage.kernel, stride, groups=hidden),
            ConvNorm(hidden, outputs, 1, linear=True),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, mels, frames) -> (batch, outputs, mels / stride, frames / stride)."""
        return x + self.layers(x) if self.shortcut else self.layers(x)


class EfficientNetLite(nn.Module):
    """Log-mel windows in, one logit a label out.

    `width` scales the channels of every stage, the head included; 1.0 is EfficientNet-Lite0. Its end sees the mean
    over time, as in the original, and the maximum too: a call may be short.
    """

    def __init__(self, n_labels: int, width: float = 0.5, n_channels: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        inputs = scaled(STEM_CHANNELS, width)
        blocks: list[nn.Module] = [ConvNorm(n_channels, inputs, 3, 2)]
        for stage in STAGES:
            outputs = scaled(stage.channels, width)
            for index in range(stage.blocks):
                blocks.append(InvertedResidual(inputs, outputs, stage, stage.stride if index == 0 else 1))
                inputs = outputs
        head = scaled(HEAD_CHANNELS, width)
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
