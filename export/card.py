"""The model card, from the contract alone."""

from collections.abc import Mapping, Sequence
from typing import Any

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
    ("calibration error (ECE) before calibration", ("calibration_error", "highest_claims", "before")),
    ("calibration error (ECE) after calibration", ("calibration_error", "highest_claims", "after")),
)
"""What the card shows, and where an evaluation holds it."""
BARE = ("recordings", "negative_windows", "negative_windows_over_half", "method", "int8_against_float")
NAMED_RIGHT = "correct_and_all_by_label"


def card(contract: Contract) -> str:
    """A Markdown page."""
    provenance = contract.provenance
    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions.items())
    return f"""# {contract.name}

Made {provenance.created} with {versions}. Weights: {provenance.licence}. Training data SHA-256:
`{provenance.training_data_sha256}`.

Takes {contract.window_s:g} s windows at {contract.sample_rate} Hz as {contract.input.n_mels} mel bands from
{contract.input.fmin_hz:g} to {contract.input.fmax_hz:g} Hz ({", ".join(contract.input.channels)}), and gives a
confidence from 0 to 1 for each species.

## Species

The threshold is the confidence from which a species is reported. Precision is the share of recordings in which that
was right, with half a recording added to either side, on the recordings that the threshold was chosen by.

| scientific name | common name | threshold | precision | recordings named right, out of fold |
|---|---|---|---|---|
{_species(contract.labels, provenance.metrics)}

## How good, and how it was measured

| figure | value (95 % interval) |
|---|---|
{_figures(provenance.metrics)}

Confidence is calibrated for each species (Platt 1999, drawn to a common curve). Calibration and thresholds behind
these figures were fitted on other folds than each one is measured on. INT8 against float was measured on 1,000
windows of the training recordings that had not calibrated it, through the ONNX runtime of the device.

## Limits

Trained on focal recordings aimed at one bird, mostly one collection a species: expect less on soundscapes,
and do not take a species that is not in the list for absent. One of the species may be reported where another
bird calls.

## Attribution

Trained on these recordings, of xeno-canto where a number is given, each under its recordist's licence, and
on negatives of ESC-10 (CC BY 3.0, freesound.org) and other public sets:

{", ".join(map(_source, provenance.attribution))}
"""


def _species(labels: Sequence[Label], metrics: Mapping[str, Any]) -> str:
    right = metrics.get(NAMED_RIGHT, {})
    return "\n".join(
        f"| {label.scientific_name} | {label.common_name} | {label.threshold:.2f} | "
        f"{'' if label.precision is None else f'{label.precision:.2f}'} | {_share(right.get(label.label))} |"
        for label in labels
    )


def _figures(metrics: Mapping[str, Any]) -> str:
    rows = [(name, _estimate(metrics, path)) for name, path in ROWS]
    rows += [(name, str(metrics[name])) for name in BARE if name in metrics]
    return "\n".join(f"| {name} | {value} |" for name, value in rows if value)


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
    is_number = source.startswith("XC") and source[2:].isdigit()
    return f"[{source}](https://xeno-canto.org/{source[2:]})" if is_number else source


def _share(counts: Sequence[int] | None) -> str:
    return f"{counts[0]} of {counts[1]}" if counts else ""
