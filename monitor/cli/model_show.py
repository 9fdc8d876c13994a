"""`dawnchorus model show`: what one model says about itself, or what two say side by side."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import out, plain

if TYPE_CHECKING:
    from monitor.classifier import Classifier
    from monitor.contract import Contract, Label

SHOWN_LABELS = 50
"""of a model that knows more, the names stand in its label file"""


def show(
    files: Annotated[list[Path] | None, typer.Argument(help="One model, or two; without any the bundled one.")] = None,
) -> None:
    """Print what a model file says about itself, after checking that it is true; or compare two.

    Examples: `dawnchorus model`, `dawnchorus model valley.onnx`, `dawnchorus model show old.onnx new.onnx`
    """
    from monitor.classifier import STARTER, Classifier  # noqa: PLC0415

    files = files or [STARTER]
    if len(files) > 2:  # noqa: PLR2004
        msg = f"{len(files)} files: one to show or two to compare expected"
        raise typer.BadParameter(msg)
    classifiers = [Classifier(file) for file in files]
    if len(classifiers) == 1:
        _show(classifiers[0])
    else:
        _compare(*classifiers)


def _show(classifier: "Classifier") -> None:
    contract = classifier.contract
    out.print(f"[bold]{plain(contract.name)}[/]  {plain(classifier.path)}, {_size(classifier)}, {_checked(contract)}")
    for name, value in _lines(contract):
        out.print(f"{name:9} {plain(value)}")
    out.print("[bold]labels[/]")
    for label in contract.labels[:SHOWN_LABELS]:
        names = plain(f"{label.scientific_name:28} {label.common_name:24}")
        out.print(f"  {names} threshold {_threshold(label)}")
    if len(contract.labels) > SHOWN_LABELS:
        out.print(f"  and {len(contract.labels) - SHOWN_LABELS} more")
    if contract.provenance.metrics:
        out.print("[bold]figures[/]")
    for name, value in _figures(contract).items():
        out.print(plain(f"  {name}: {value}"))
    out.print(f"[bold]attribution[/]  {len(contract.provenance.attribution)} sources")
    out.print(plain("  " + ", ".join(contract.provenance.attribution)))


def _compare(first: "Classifier", second: "Classifier") -> None:
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, show_header=False)
    for name, *values in _rows(first, second):
        table.add_row("" if values[0] == values[1] else "[bold]*[/]", name, *map(plain, values))
    out.print(table)
    out.print("* differs")
    one, other = (_by_label(classifier.contract) for classifier in (first, second))
    for ours, theirs, which in ((one, other, first), (other, one, second)):
        only = [name for name in ours if name not in theirs]
        out.print(f"[bold]only in {plain(which.path)}[/]  {len(only)} labels")
        out.print(plain("  " + ", ".join(_listed(only))))
    _compare_thresholds(one, other)


def _compare_thresholds(one: dict[str, "Label"], other: dict[str, "Label"]) -> None:
    both = [name for name in one if name in other]
    changed = [name for name in both if _threshold(one[name]) != _threshold(other[name])]
    out.print(f"[bold]in both[/]  {len(both)} labels, {len(changed)} with another threshold or precision")
    for name in changed[:SHOWN_LABELS]:
        out.print(plain(f"  {name:28} {_threshold(one[name])} -> {_threshold(other[name])}"))
    if len(changed) > SHOWN_LABELS:
        out.print(f"  and {len(changed) - SHOWN_LABELS} more")


def _rows(*classifiers: "Classifier") -> Iterator[tuple[str, ...]]:
    yield "file", *(str(classifier.path) for classifier in classifiers)
    yield "name", *(classifier.contract.name for classifier in classifiers)
    yield "size", *(_size(classifier) for classifier in classifiers)
    yield "checked", *(_checked(classifier.contract) for classifier in classifiers)
    described = [dict(_lines(classifier.contract)) for classifier in classifiers]
    for name in dict.fromkeys(name for lines in described for name in lines):
        yield name, *(lines.get(name, "unknown") for lines in described)
    yield "labels", *(str(len(classifier.contract.labels)) for classifier in classifiers)
    figures = [_figures(classifier.contract) for classifier in classifiers]
    for name in dict.fromkeys(name for one in figures for name in one):
        yield name, *(one.get(name, "unknown") for one in figures)


def _lines(contract: "Contract") -> Iterator[tuple[str, str]]:
    from monitor.contract import LogMel  # noqa: PLC0415

    takes, provenance = contract.input, contract.provenance
    window = f"{contract.window_s:g} s at {contract.sample_rate} Hz"
    if isinstance(takes, LogMel):
        yield "window", f"{window}; {takes.n_mels} mel bands from {takes.fmin_hz:g} to {takes.fmax_hz:g} Hz"
        yield "front end", f"{', '.join(takes.channels)}; frames of {takes.n_fft} every {takes.hop} samples"
    else:
        centred = "mean taken off" if takes.centred else "as it is"
        yield "window", f"{window}; the waveform, {centred}" + (f", peak {takes.peak:g}" if takes.peak else "")
    yield "output", f"{contract.output.kind}, activation {contract.output.activation}"
    yield "licence", provenance.licence
    if provenance.created:
        yield "made", f"{provenance.created} from {provenance.training_data_sha256}"


def _figures(contract: "Contract") -> dict[str, str]:
    """Figures of one number; whole tables are for the card."""
    figures = contract.provenance.metrics.items()
    return {name: str(value) for name, value in figures if not isinstance(value, dict) and not _is_table(value)}


def _is_table(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(row, list) for row in value)


def _by_label(contract: "Contract") -> dict[str, "Label"]:
    """Labels by what two models can have in common."""
    return {label.scientific_name or label.common_name: label for label in contract.labels}


def _threshold(label: "Label") -> str:
    return f"{label.threshold:.2f}" + ("" if label.precision is None else f", precision {label.precision:.2f}")


def _listed(names: list[str]) -> list[str]:
    return names if len(names) <= SHOWN_LABELS else [*names[:SHOWN_LABELS], f"and {len(names) - SHOWN_LABELS} more"]


def _size(classifier: "Classifier") -> str:
    return f"{classifier.path.stat().st_size / 1e6:.2f} MB"


def _checked(contract: "Contract") -> str:
    return "parity check passed" if contract.parity else "runs; its maker gave nothing to check its scores by"
