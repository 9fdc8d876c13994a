"""`dawnchorus-export`: a checkpoint becomes a verified, self-describing INT8 file with its card."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from export.card import card
from export.describe import contract_of, write_contract
from export.graph import write_float
from export.quantize import draw_windows, write_int8
from export.verify import verify
from monitor.classifier import STARTER
from monitor.errors import MonitorError
from training.checkpoint import read_checkpoint
from training.cli.options import DEFAULT_DATA, DEFAULT_OUT, DataOption
from training.corpus.manifest import read_manifest
from training.drawing.spectra import read_spectra

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


@app.callback()
def _common() -> None:
    """Options of every command."""


@app.command()
def model(
    checkpoint: Annotated[Path, typer.Option(help="What `dawnchorus-training train` wrote.")] = DEFAULT_OUT / "all.pt",
    evaluation: Annotated[
        Path | None, typer.Option(help="What `dawnchorus-training evaluate` wrote; none: thresholds of a half.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write; its card lies beside it.")] = STARTER,
    name: Annotated[str, typer.Option(help="What the model is called.")] = "dawnchorus-starter-2",
) -> None:
    """Export, quantize, describe and verify; write the file only if it passes.

    Example: dawnchorus-export model --evaluation build/training/evaluation.json --out monitor/models/starter.onnx
    """
    trained = read_checkpoint(checkpoint)
    manifest = read_manifest(data)
    metrics = _figures(evaluation) if evaluation else {}
    heard = manifest.without(trained.fold)
    spectra = read_spectra(heard, trained.spec, trained.window_samples)
    n_frames = trained.spec.n_frames(trained.window_samples)
    rng = np.random.default_rng(0)
    calibration = draw_windows(heard, spectra, trained.spec, n_frames, rng)
    others = draw_windows(heard, spectra, trained.spec, n_frames, rng)
    with tempfile.TemporaryDirectory() as folder:
        float_path, int8_path = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        write_float(trained, float_path)
        write_int8(float_path, int8_path, calibration)
        write_contract(int8_path, contract_of(name, trained, manifest, metrics, int8_path))
        figures = verify(trained, float_path, int8_path, others)
        metrics["int8_against_float"] = {key: round(value, 5) for key, value in asdict(figures).items()}
        contract = contract_of(name, trained, manifest, metrics, int8_path)
        write_contract(int8_path, contract)
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = out.with_suffix(".partial")
        partial.write_bytes(int8_path.read_bytes())
        partial.replace(out)
    out.with_suffix(".md").write_text(card(contract), encoding="utf-8")
    console.print_json(data=metrics["int8_against_float"])
    console.print(f"wrote {out}, {out.stat().st_size / 1e6:.2f} MB, and its card {out.with_suffix('.md')}")


def _figures(evaluation: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(evaluation.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        msg = f"evaluation {evaluation} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise MonitorError(msg) from error


def main() -> None:
    """Run the command line; a known failure is one sentence and exit code 1."""
    try:
        app()
    except (MonitorError, OSError) as error:
        err.print(f"dawnchorus-export: {error}", style="red", markup=False)
        raise SystemExit(1) from error
