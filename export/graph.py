"""Checkpoint -> float ONNX: batch-dynamic, batch norms folded into the convolutions, scores and embedding out."""

from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.checkpoint import Checkpoint
from training.network import ConvNorm, EfficientNetLite

INPUT, LOGITS, EMBEDDING = "log_mel", "logits", "embedding"
OUTPUTS = (LOGITS, EMBEDDING)


def fold(network: EfficientNetLite) -> EfficientNetLite:
    """Fold each batch norm into the convolution before it, which then has a bias. The network itself is changed.

    The exporter folds too, but only after it has traced every norm and every operation in place: 10 s for 4.
    """
    for layer in list(network.modules()):
        match layer:
            case ConvNorm():
                convolution, norm, *_ = layer
                if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    layer[0], layer[1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
            case nn.ReLU6():
                layer.inplace = False
    return network


class Deployed(nn.Module):
    """A trained network as the device runs it: the logits, and the features that its last layer decides by.

    The same sums as `EfficientNetLite.forward`, with the mean over the mel bands as a pooling: ONNX Runtime is
    slow at a ReduceMean over an inner axis, which took a sixth of the whole INT8 network's time.
    """

    def __init__(self, network: EfficientNetLite) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, n_channels, n_mels, n_frames) log-mel -> logits (batch, n_labels), embedding (batch, n_features)."""
        features = self.network.features(x)
        over_time = avg_pool2d(features, (features.shape[2], 1)).flatten(2)
        embedding = torch.cat([over_time.mean(2), over_time.amax(2)], 1)
        return self.network.classifier(embedding), embedding


def write_float(checkpoint: Checkpoint, path: Path) -> None:
    """Write the network as ONNX: `log_mel` [batch, n_channels, n_mels, n_frames] -> `logits` and `embedding`."""
    spec = checkpoint.spec
    example = torch.randn(2, len(spec.channels), spec.n_mels, spec.n_frames(checkpoint.window_samples))
    program = torch.onnx.export(
        Deployed(fold(checkpoint.network())).eval(),
        (example,),
        input_names=[INPUT],
        output_names=list(OUTPUTS),
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        dynamo=True,
        verbose=False,
    )
    if program is None:
        msg = "torch.onnx.export returned no program"
        raise RuntimeError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    program.save(path)
    _forget_where_it_was_made(path)
    onnx.checker.check_model(path, full_check=True)


def _forget_where_it_was_made(path: Path) -> None:
    """Take out what the exporter notes of the source code: paths of the machine, and a tenth of the file."""
    model = onnx.load(path)
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
    onnx.save(model, path)
