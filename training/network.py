"""EfficientNet-Lite on log-mel windows: a network that survives quantization.

Lite means ReLU6 instead of SiLU and no squeeze-and-excite, the two parts of EfficientNet that INT8
handles badly (Tan and Le 2019, arXiv:1905.11946; Liu 2020, "EfficientNet-Lite").
"""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of blocks with the same output: numbers of EfficientNet-Lite0 before the width is applied."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int


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

    `width` scales the channels of every stage, the head included; 1.0 is EfficientNet-Lite0.
    """

    def __init__(self, n_labels: int, width: float = 0.5, dropout: float = 0.2) -> None:
        super().__init__()
        inputs = scaled(STEM_CHANNELS, width)
        blocks: list[nn.Module] = [ConvNorm(1, inputs, 3, 2)]
        for stage in STAGES:
            outputs = scaled(stage.channels, width)
            for index in range(stage.blocks):
                blocks.append(InvertedResidual(inputs, outputs, stage, stage.stride if index == 0 else 1))
                inputs = outputs
        head = scaled(HEAD_CHANNELS, width)
        self.features = nn.Sequential(*blocks, ConvNorm(inputs, head, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(head, n_labels)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 1, n_mels, n_frames) standardised log-mel -> (batch, n_labels) logits."""
        pooled = self.pool(self.features(x)).flatten(1)
        return self.classifier(self.dropout(pooled))
