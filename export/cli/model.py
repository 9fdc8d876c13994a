"""`dawnchorus-export model`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from export.bars import bars_of, check
from export.card import CHOICES, card
from export.choices import read_choices
from export.cli.options import (
    DEFAULT_CHECKPOINT,
    DEFAULT_NAME,
    DEFAULT_WINDOWS,
    CheckpointOption,
    EvaluationOption,
    NameOption,
    WindowsOption,
    read_figures,
    show,
    wrote,
)
from export.describe import with_figures, write_contract
from export.files import put
from export.make import held_out_windows, make_float, make_int8
from export.page import page
from export.verify import measure
from monitor.classifier import STARTER
from training.checkpoint import read_checkpoint
from training.cli.options import DEFAULT_DATA, DataOption
from training.corpus.manifest import read_manifest
from training.train import predict


def model(
    checkpoint: CheckpointOption = DEFAULT_CHECKPOINT,
    evaluation: EvaluationOption = None,
    data: DataOption = DEFAULT_DATA,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write; its cards lie beside it.")] = STARTER,
    name: NameOption = DEFAULT_NAME,
    windows: WindowsOption = DEFAULT_WINDOWS,
    choices: Annotated[
        Path | None, typer.Option("--choices", help="CSV table of what each choice brought, for the cards.")
    ] = None,
) -> None:
    """Export, quantize, describe and verify; write the file and its cards only if it passes.

    Example: dawnchorus-export model --evaluation build/training/evaluation.json --out monitor/models/starter.onnx
    """
    trained, manifest = read_checkpoint(checkpoint), read_manifest(data)
    network, bars = trained.network(), bars_of(trained.size)
    told = {CHOICES: read_choices(choices)} if choices is not None else {}
    with tempfile.TemporaryDirectory() as folder:
        float_path, path = Path(folder) / "float.onnx", Path(folder) / out.name
        contract = make_float(name, trained, manifest, read_figures(evaluation, trained), float_path)
        held_out = held_out_windows(contract, manifest, lambda some: predict(network, some))
        contract = make_int8(float_path, path, contract, manifest, held_out, windows)
        figures = measure(float_path, path, held_out)
        show(figures, bars)
        check(out, figures, bars)
        contract = with_figures(contract, int8_against_float=figures, **told)
        write_contract(path, contract)
        files = {
            out: path.read_bytes(),
            out.with_suffix(".md"): card(contract).encode(),
            out.with_suffix(".html"): page(contract).encode(),
        }
    put(files)
    wrote(*files)
