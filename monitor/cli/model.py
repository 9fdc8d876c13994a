"""`dawnchorus model`."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import out, plain


def show_model(file: Annotated[Path | None, typer.Argument(help="Without it the bundled model.")] = None) -> None:
    """Print what a model file says about itself, after checking that it is true.

    Examples: `dawnchorus model`, `dawnchorus model valley.onnx`
    """
    from monitor.classifier import STARTER, Classifier  # noqa: PLC0415

    classifier = Classifier(file or STARTER)
    contract, spec = classifier.contract, classifier.contract.mel_spec
    provenance = contract.provenance
    size = classifier.path.stat().st_size
    out.print(f"[bold]{plain(contract.name)}[/]  {plain(classifier.path)}, {size / 1e6:.2f} MB, parity check passed")
    out.print(
        f"window    {contract.window_s:g} s at {contract.sample_rate} Hz; {spec.n_mels} mel bands from "
        f"{spec.fmin_hz:g} to {spec.fmax_hz:g} Hz, frames of {spec.n_fft} every {spec.hop} samples"
    )
    out.print(
        f"licence   {plain(provenance.licence)}; "
        f"made {plain(provenance.created)} from {plain(provenance.training_data_sha256)}"
    )
    out.print("[bold]labels[/]")
    for label in contract.labels:
        names = plain(f"{label.scientific_name:28} {label.common_name:24}")
        precision = "" if label.precision is None else f", precision {label.precision:.2f}"
        out.print(f"  {names} threshold {label.threshold:.2f}{precision}")
    out.print("[bold]figures[/]")
    for name, value in provenance.metrics.items():
        if isinstance(value, dict):
            continue  # whole tables: the card shows them
        out.print(plain(f"  {name}: {value}"))
    out.print(f"[bold]attribution[/]  {len(provenance.attribution)} recordings")
    out.print(plain("  " + ", ".join(provenance.attribution)))
