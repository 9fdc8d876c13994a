"""The model card, from the contract alone: as Markdown here, as a page with plots in `page`."""

from collections.abc import Mapping, Sequence
from typing import Any

from export.bars import BARS
from monitor.contract import Contract, Label

ROWS = (
    ("balanced top-1 over the species", ("ranking", "balanced_top1")),
    ("top-1 over the recordings (T1)", ("ranking", "top1")),
    ("class-mean average precision over recordings (cmAP)", ("ranking", "cmap")),
    ("AUROC over recordings", ("ranking", "auroc")),
    ("cmAP over one-second bins of the boxed recordings", ("ranking", "second_bin_cmap")),
    ("recall at the thresholds, mean over the species", ("out_of_fold", "recordings", "balanced_recall")),
    ("recall at the thresholds, over the recordings", ("out_of_fold", "recordings", "recall")),
    ("precision at the thresholds, over the recordings", ("out_of_fold", "recordings", "precision")),
    ("other birds' recordings reported as one of the species", ("out_of_fold", "open_set", "reported")),
    ("false detections an hour on negatives", ("out_of_fold", "hourly", "negatives", "per_hour")),
    ("false detections an hour where none of the species lives", ("out_of_fold", "hourly", "elsewhere", "per_hour")),
    ("recall as it ships, mean over the species", ("as_shipped", "recordings", "balanced_recall")),
    ("recall as it ships, over the recordings", ("as_shipped", "recordings", "recall")),
    ("precision as it ships, over the recordings", ("as_shipped", "recordings", "precision")),
    ("other birds' recordings reported as it ships", ("as_shipped", "open_set", "reported")),
    ("false detections an hour as it ships, on negatives", ("as_shipped", "hourly", "negatives", "per_hour")),
    (
        "false detections an hour as it ships, where none of the species lives",
        ("as_shipped", "hourly", "elsewhere", "per_hour"),
    ),
    ("calibration error (ECE) before calibration", ("calibration_error", "highest_claims", "before")),
    ("calibration error (ECE) after calibration", ("calibration_error", "highest_claims", "after")),
)
"""What the card shows, and where an evaluation holds it."""
BARE = ("recordings", "negative_windows", "negative_windows_over_half", "method")
NAMED_RIGHT = "correct_and_all_by_label"
GATE, QUANTIZATION, CHOICES = "int8_against_float", "quantization", "choices"

LIMITS = (
    "Trained on focal recordings aimed at one bird, mostly one collection a species: expect less on soundscapes, and "
    "do not take a species that is not in the list for absent. One of the species may be reported where another bird "
    "calls."
)
MEASURED = (
    "Confidence is calibrated for each species (Platt 1999, drawn to a common curve). Calibration and thresholds "
    "behind these figures were fitted on other folds than each one is measured on; as it ships, they are the file's "
    "own, chosen by all these recordings."
)
COMPARED = (
    "Measured on windows of a fold that did not calibrate the INT8 numbers, through the ONNX runtime of the device. "
    "What a window holds is known where recordings have boxes, in negatives, and in the window of any other recording "
    "in which the float network hears its label best. A network that learned from every fold has heard them: its "
    "average precision says nothing about new recordings. Times are those of the machine that exported."
)
THRESHOLD = (
    "The threshold is the confidence from which a species is reported. Precision is the share of recordings in which "
    "that was right, with half a recording added to either side, on the recordings that the threshold was chosen by."
)


def card(contract: Contract) -> str:
    """A Markdown page."""
    provenance = contract.provenance
    return f"""# {contract.name}

Made {provenance.created} with {versions(contract)}. Weights: {provenance.licence}. Training data SHA-256:
`{provenance.training_data_sha256}`.

{takes(contract)}

## Species

{THRESHOLD}

| scientific name | common name | threshold | precision | recordings named right, out of fold |
|---|---|---|---|---|
{_species(contract.labels, provenance.metrics)}

## How good, and how it was measured

| figure | value (95 % interval) |
|---|---|
{_rows(figures(provenance.metrics))}

{MEASURED}

## INT8 against float

| figure | value |
|---|---|
{_rows(compared(provenance.metrics))}

{COMPARED}
{_chosen(provenance.metrics)}
## Limits

{LIMITS}

## Attribution

Trained on these recordings, of xeno-canto where a number is given, each under its recordist's licence, and
on negatives of ESC-10 (CC BY 3.0, freesound.org) and other public sets:

{", ".join(map(_source, provenance.attribution))}
"""


def versions(contract: Contract) -> str:
    """What the model was made with."""
    return ", ".join(f"{name} {version}" for name, version in contract.provenance.versions.items())


def takes(contract: Contract) -> str:
    """What goes in and what comes out."""
    spec = contract.mel_spec
    return (
        f"Takes {contract.window_s:g} s windows at {contract.sample_rate} Hz as {spec.n_mels} mel bands from "
        f"{spec.fmin_hz:g} to {spec.fmax_hz:g} Hz ({', '.join(spec.channels)}), and gives a confidence from 0 to 1 for "
        "each species."
    )


def figures(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures of an evaluation, for people; none where nobody evaluated the network."""
    rows = [(name, _estimate(metrics, path)) for name, path in ROWS]
    rows += [(name.replace("_", " "), str(metrics[name])) for name in BARE if name in metrics]
    return [(name, value) for name, value in rows if value]


def compared(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the numbers became bytes and what that cost; none where nobody compared."""
    gate, made = metrics.get(GATE, {}), metrics.get(QUANTIZATION, {})
    rows = []
    if made:
        rows.append(("ranges", f"{made['ranges']}, of {made['calibration_windows']} windows"))
        rows.append(("kept in float", ", ".join(made["kept_in_float"])))
    rows += [(bar.says, _number(gate[bar.figure])) for bar in BARS if bar.figure in gate]
    return rows


def link(source: str) -> str | None:
    """Where a source of the attribution can be looked up."""
    return f"https://xeno-canto.org/{source[2:]}" if source.startswith("XC") and source[2:].isdigit() else None


def _chosen(metrics: Mapping[str, Any]) -> str:
    """The section on what each choice of the recipe brought; empty where nobody told."""
    if CHOICES not in metrics:
        return ""
    head, *rows = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in metrics[CHOICES])
    return "\n".join(["\n## What each choice brought\n", head, "|---" * len(metrics[CHOICES][0]) + "|", *rows, ""])


def _species(labels: Sequence[Label], metrics: Mapping[str, Any]) -> str:
    right = metrics.get(NAMED_RIGHT, {})
    return "\n".join(
        f"| {label.scientific_name} | {label.common_name} | {label.threshold:.2f} | "
        f"{'' if label.precision is None else f'{label.precision:.2f}'} | {share(right.get(label.label))} |"
        for label in labels
    )


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in rows)


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.5g}"


def _estimate(metrics: Mapping[str, Any], path: Sequence[str]) -> str:
    """A figure with its interval; empty where nobody evaluated the network."""
    found: Any = metrics
    for name in path:
        found = found.get(name, {})
    if not found:
        return ""
    if found["value"] is None:
        return "not measured"
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _source(source: str) -> str:
    where = link(source)
    return f"[{source}]({where})" if where else source


def share(counts: Sequence[int] | None) -> str:
    """So many of so many; empty where nobody counted."""
    return f"{counts[0]} of {counts[1]}" if counts else ""
