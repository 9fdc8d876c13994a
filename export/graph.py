"""Checkpoint -> float ONNX: batch-dynamic, batch norms folded into the convolutions."""

from pathlib import Path

import onnx
import torch
from torch import nn

from training.checkpoint import Checkpoint

INPUT, OUTPUT = "log_mel", "logits"


def write_float(checkpoint: Checkpoint, path: Path) -> None:
    """Write the network as ONNX: [batch, n_channels, n_mels, n_frames] log-mel -> [batch, n_labels] logits."""
    network: nn.Module = checkpoint.network()
    spec = checkpoint.spec
    example = torch.randn(2, len(spec.channels), spec.n_mels, spec.n_frames(checkpoint.window_samples))
    program = torch.onnx.export(
        network,
        (example,),
        input_names=[INPUT],
        output_names=[OUTPUT],
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
