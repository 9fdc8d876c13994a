"""The model card, from the contract alone."""

from monitor.contract import Contract


def card(contract: Contract) -> str:
    """A Markdown page."""
    provenance = contract.provenance
    figures = "\n".join(f"| {name} | {value} |" for name, value in provenance.metrics.items() if name != RECALL)
    recall = provenance.metrics.get(RECALL, {})
    species = "\n".join(
        f"| {label.scientific_name} | {label.common_name} | {label.threshold:.2f} | {_share(recall.get(label.label))} |"
        for label in contract.labels
    )
    sources = ", ".join(
        f"[{s}](https://xeno-canto.org/{s[2:]})" if s.startswith("XC") and s[2:].isdigit() else s
        for s in provenance.attribution
    )
    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions.items())
    return f"""# {contract.name}

Made {provenance.created} with {versions}. Weights: {provenance.licence}. Training data SHA-256:
`{provenance.training_data_sha256}`.

Takes {contract.window_s:g} s windows at {contract.sample_rate} Hz as {contract.input.n_mels} mel bands from
{contract.input.fmin_hz:g} to {contract.input.fmax_hz:g} Hz, and gives a score from 0 to 1 for each species.

## Species

The threshold is the score that 99 % of the out-of-fold windows of other recordings stay below, at least 0.5
and at most 0.9. Confidence is the network's own score, not yet calibrated.

| scientific name | common name | threshold | recordings named right, out of fold |
|---|---|---|---|
{species}

## How good, and how it was measured

| figure | value |
|---|---|
{figures}

INT8 against float was measured on 1,000 windows of the training recordings that had not calibrated it, through
the ONNX runtime of the device.

## Limits

Trained on focal recordings aimed at one bird, mostly one collection a species: expect less on soundscapes,
and do not take a species that is not in the list for absent. One of the ten may be reported where another
bird calls.

## Attribution

Trained on these recordings, of xeno-canto where a number is given, each under its recordist's licence, and
on negatives of ESC-10 (CC BY 3.0, freesound.org) and other public sets:

{sources}
"""


RECALL = "correct_and_all_by_label"


def _share(counts: list[int] | None) -> str:
    return f"{counts[0]} of {counts[1]}" if counts else ""
