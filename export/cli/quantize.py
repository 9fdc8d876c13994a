"""`dawnchorus-export quantize`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from export.cli.options import DEFAULT_WINDOWS, WindowsOption, wrote
from export.files import put
from export.make import held_out_windows, make_int8
from export.runtime import logits_of
from monitor.classifier import Classifier
from training.cli.options import DEFAULT_DATA, DEFAULT_OUT, DataOption
from training.corpus.manifest import read_manifest


def quantize(
    file: Annotated[Path, typer.Argument(help="What `dawnchorus-export onnx` wrote.")],
    data: DataOption = DEFAULT_DATA,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = DEFAULT_OUT / "int8.onnx",
    windows: WindowsOption = DEFAULT_WINDOWS,
) -> None:
    """Quantize a float file to static INT8: try each way to choose ranges, keep the one nearest to float.

    The result is not verified: `verify` does that, and `model` does all in a row.

    Example: dawnchorus-export quantize build/training/float.onnx --out build/training/int8.onnx
    """
    contract, manifest = Classifier(file).contract, read_manifest(data)
    held_out = held_out_windows(contract, manifest, lambda some: logits_of(file, some))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        make_int8(file, path, contract, manifest, held_out, windows)
        put({out: path.read_bytes()})
    wrote(out)
