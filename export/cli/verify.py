"""`dawnchorus-export verify`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from export.bars import bars_of, check
from export.cli.options import show
from export.describe import check_data
from export.graph import write_float
from export.make import held_out_windows
from export.verify import check_same_network, measure
from monitor.classifier import Classifier
from training.checkpoint import read_checkpoint
from training.cli.options import DEFAULT_DATA, DataOption
from training.corpus.manifest import read_manifest
from training.train import predict


def verify(
    checkpoint: Annotated[Path, typer.Argument(help="What `dawnchorus-training train` wrote.")],
    file: Annotated[Path, typer.Argument(help="The INT8 file that is said to be the same network.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Hold a model file against its checkpoint; exit code 1 and the failing lines if it misses any bar.

    Example: dawnchorus-export verify build/training/all.pt monitor/models/starter.onnx
    """
    trained, contract, manifest = read_checkpoint(checkpoint), Classifier(file).contract, read_manifest(data)
    check_same_network(trained, contract, file)
    check_data(trained, manifest)
    network, bars = trained.network(), bars_of(trained.size)
    held_out = held_out_windows(contract, manifest, lambda some: predict(network, some))
    with tempfile.TemporaryDirectory() as folder:
        float_path = Path(folder) / "float.onnx"
        write_float(trained, float_path)
        figures = measure(float_path, file, held_out)
    show(figures, bars)
    check(file, figures, bars)
