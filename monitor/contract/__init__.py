"""The model contract: what a model file says about itself, or what a YAML file beside it says about it.

terms       the contract as types, and its JSON in the ONNX metadata, which `export` writes: read first
foreign     a YAML file beside somebody else's model -> the same contract
labels      lists of labels that other programs write
names       labels by any of their names, and the nearest one to a name that nobody knows
"""

from monitor.contract.terms import (
    KEY,
    VERSION,
    Calibration,
    Contract,
    Count,
    Label,
    LogMel,
    Output,
    Parity,
    Provenance,
    Share,
    Waveform,
    parity_samples,
    parse,
    schema,
)

__all__ = [
    "KEY",
    "VERSION",
    "Calibration",
    "Contract",
    "Count",
    "Label",
    "LogMel",
    "Output",
    "Parity",
    "Provenance",
    "Share",
    "Waveform",
    "parity_samples",
    "parse",
    "schema",
]
