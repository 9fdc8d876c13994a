"""What the models that heard it say about themselves, in short."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.contract import Contract, Label

_FIGURES = (
    ("species named right, by recording", ("ranking", "balanced_top1")),
    ("recall at the thresholds", ("out_of_fold", "recordings", "recall")),
    ("precision at the thresholds", ("out_of_fold", "recordings", "precision")),
    ("calibration error (ECE)", ("calibration_error", "highest_claims", "after")),
)


@dataclass(frozen=True, slots=True)
class Cards:
    """The contracts that are at hand, by the names of their models."""

    contracts: Mapping[str, Contract]

    @staticmethod
    def of(contracts: Iterable[Contract]) -> "Cards":
        """All of them."""
        return Cards({contract.name: contract for contract in contracts})

    def label(self, models: Iterable[str], species: str) -> Label | None:
        """What the first of some models that is at hand and knows a species says about it."""
        for name in models:
            for label in self.contracts[name].labels if name in self.contracts else ():
                if species in {label.scientific_name, label.label}:
                    return label
        return None


def lines(contract: Contract) -> Iterator[tuple[str, str]]:
    """Name and value of what one wants to know of a model."""
    provenance = contract.provenance
    yield "window", f"{contract.window_s:g} s at {contract.sample_rate} Hz"
    yield "band", " to ".join(f"{hertz:g}" for hertz in contract.band_hz) + " Hz"
    yield "labels", str(len(contract.labels))
    for name, path in _FIGURES:
        value = _at(provenance.metrics, path)
        if value is not None:
            yield name, f"{100 * value:.1f} %"
    if provenance.created:
        yield "made", f"{provenance.created}, from training data {provenance.training_data_sha256[:16]}"
    yield "licence", provenance.licence
    yield "sources", f"{len(provenance.attribution)}, named by `dawnchorus model`"


def _at(metrics: Mapping[str, Any], path: Iterable[str]) -> float | None:
    found: Any = metrics
    for name in (*path, "value"):
        found = found.get(name) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) else None
