"""The terms of a contract, as types.

JSON under one key of the ONNX metadata. `export` writes it, the device reads it, and nothing about the
model stands anywhere else. `schema()` is the JSON Schema of the text.
"""

import base64
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from monitor.errors import UNDECODABLE, ModelError
from monitor.features import LEVEL, Channel, MelSpec
from monitor.records import Samples, Taxon

KEY = "dawnchorus.contract"
VERSION = 1

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class LogMel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="log_mel"):
    """The network takes log-mel windows, [batch, channels, n_mels, n_frames], from `monitor.features`."""

    n_fft: Count
    hop: Count
    n_mels: Count
    fmin_hz: float
    fmax_hz: float
    floor: float
    channels: tuple[Channel, ...] = (LEVEL,)


class Waveform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="waveform"):
    """The network takes the samples of a window, [batch, N] or [batch, 1, N], and has a front end of its own."""

    centred: bool = False
    """whether the window's mean is taken off"""
    peak: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    """to which the loudest sample of each window is scaled, after its mean is taken off; None: as loud as it was"""


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the network returns, [batch, n_labels], and how a score comes out of it."""

    kind: Literal["logits", "scores"] = "logits"
    activation: Literal["sigmoid", "softmax", "none"] = "sigmoid"
    name: str | None = None
    """of the graph's output; None: the one called as its kind, or else the only one of as many values as labels"""
    embedding: str | Count | None = None
    """name of the output that describes the sound, or how many values it has; None: one called embedding, if any"""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Confidence = sigmoid(slope * logit + intercept), after Platt (1999)."""

    slope: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    intercept: float = 0.0


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One output of the network."""

    label: str
    scientific_name: str
    common_name: str
    rank: Literal["species", "subspecies", "genus", "sound"]
    threshold: Share
    """of the confidence, from which the label is reported"""
    calibration: Calibration
    precision: Share | None = None
    """share of the reports at this threshold that were right, out of fold; None: nobody measured it"""

    @property
    def taxon(self) -> Taxon:
        """Who it is."""
        return Taxon(self.scientific_name, self.common_name)


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the weights come from, how good they are, and who may use them."""

    created: str
    training_data_sha256: str
    metrics: dict[str, Any]
    versions: dict[str, str]
    licence: str
    attribution: list[str]
    fold: int | None = None
    """of the training data, that the network has not heard; None: it has heard all of it"""


class Parity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sound and the scores that the exporter got for it."""

    samples: str
    """base64 of little-endian 16-bit samples, repeated until they fill a window"""
    scores: list[Share]
    tolerance: Share
    """largest difference in any score that rounding on another processor may bring"""

    def window(self, size: int) -> Samples:
        """The window to score: (size,) float32 in [-1, 1]."""
        try:
            samples = np.frombuffer(base64.b64decode(self.samples), "<i2")
        except ValueError as error:
            msg = f"the contract's parity sound cannot be read: {error}"
            raise ModelError(msg) from error
        if not len(samples):
            msg = "the contract's parity sound is empty"
            raise ModelError(msg)
        return np.resize(samples, size).astype(np.float32) / np.float32(32768)


def parity_samples(window: Samples) -> str:
    """Float samples in [-1, 1] as the text that `Parity.samples` holds."""
    return base64.b64encode(np.round(window * 32767).astype("<i2").tobytes()).decode()


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. ModelError where its parts contradict each other."""

    version: int
    name: str
    input: LogMel | Waveform
    sample_rate: Count
    window_samples: Count
    output: Output
    labels: list[Label]
    provenance: Provenance
    parity: Parity | None
    """None: the maker of a foreign model gave none, so only the shapes can be checked"""

    @property
    def mel_spec(self) -> MelSpec:
        """The front end that this model was trained with. ModelError for one that takes the waveform."""
        if isinstance(self.input, Waveform):
            msg = f"{self.name} takes the waveform: it has a front end of its own"
            raise ModelError(msg)
        return MelSpec(sample_rate=self.sample_rate, **msgspec.structs.asdict(self.input))

    @property
    def window_s(self) -> float:
        """Length of a window in seconds."""
        return self.window_samples / self.sample_rate

    @property
    def band_hz(self) -> tuple[float, float]:
        """The frequencies that the model can hear, as far as the contract says."""
        if isinstance(self.input, Waveform):
            return 0.0, self.sample_rate / 2
        return self.input.fmin_hz, self.input.fmax_hz

    def check(self) -> None:
        """Raise ModelError where the parts contradict each other."""
        _check_labels(self)
        _check_input(self)
        _check_output(self)


def parse(text: str | bytes) -> Contract:
    """Read a contract. ModelError where it is damaged, from a newer version, or contradicts itself."""
    try:
        check_version(msgspec.json.decode(text, type=_Versioned).version)
        contract = msgspec.json.decode(text, type=Contract)
    except UNDECODABLE as error:
        msg = f"its contract cannot be read: {error}"
        raise ModelError(msg) from error
    contract.check()
    return contract


def check_version(version: object) -> None:
    """Raise ModelError unless this program reads contracts of that version."""
    if version != VERSION:
        msg = f"contract version {version}: this program reads version {VERSION}; update it or use another model"
        raise ModelError(msg)


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a contract."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Contract)}


class _Versioned(msgspec.Struct):
    version: int


def _check_labels(contract: Contract) -> None:
    names = [label.label for label in contract.labels]
    if not names or len(set(names)) < len(names):
        msg = f"its contract must name each label once and at least one, got {names}"
        raise ModelError(msg)
    if contract.parity is not None and len(contract.parity.scores) != len(names):
        msg = f"its contract has {len(names)} labels but a parity check for {len(contract.parity.scores)}"
        raise ModelError(msg)


def _check_input(contract: Contract) -> None:
    if isinstance(contract.input, LogMel) and contract.mel_spec.n_frames(contract.window_samples) < 1:
        msg = f"its contract's window of {contract.window_samples} samples is shorter than one frame"
        raise ModelError(msg)


def _check_output(contract: Contract) -> None:
    output = contract.output
    if (output.kind == "scores") != (output.activation == "none"):
        msg = (
            f"its contract says kind {output.kind} with activation {output.activation}: logits go with sigmoid or "
            "softmax, scores with none"
        )
        raise ModelError(msg)
    if output.activation != "sigmoid" and any(label.calibration != Calibration() for label in contract.labels):
        msg = f"its contract calibrates labels, which goes with activation sigmoid only, not {output.activation}"
        raise ModelError(msg)
