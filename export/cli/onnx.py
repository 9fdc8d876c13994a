"""`dawnchorus-export onnx`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from export.cli.options import (
    DEFAULT_CHECKPOINT,
    DEFAULT_NAME,
    CheckpointOption,
    EvaluationOption,
    NameOption,
    read_figures,
    wrote,
)
from export.files import put
from export.make import make_float
from training.checkpoint import read_checkpoint
from training.cli.options import DEFAULT_DATA, DEFAULT_OUT, DataOption
from training.corpus.manifest import read_manifest


def onnx(
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    evaluation: EvaluationOption = None,
    data: DataOption = DEFAULT_DATA,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = DEFAULT_OUT / "float.onnx",
    name: NameOption = DEFAULT_NAME,
) -> None:
    """Write a checkpoint's network as a float ONNX file with its contract, which the device runs too, only slower.

    Example: dawnchorus-export onnx --checkpoint build/training/all.pt --out build/training/float.onnx
    """
    trained, manifest = read_checkpoint(checkpoint), read_manifest(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.onnx"
        make_float(name, trained, manifest, read_figures(evaluation, trained), path)
        put({out: path.read_bytes()})
    wrote(out)
