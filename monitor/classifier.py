"""A model file on the device: window in, scores out. Ours and other people's look the same from here on."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from monitor import contract as contracts
from monitor.contract import Contract, LogMel, Waveform, foreign
from monitor.errors import ModelError
from monitor.features import Floats, log_mel, log_mels
from monitor.records import Samples, Window
from monitor.runtime import FAILURES, Network, activated, first_line

STARTER = Path(__file__).parent / "models" / "starter.onnx"
"""The bundled model."""

EMBEDDING = "embedding"
"""the output that describes the sound, where the contract does not name one"""
_ROUNDING = 1e-5
"""by which a score may lie outside of [0, 1]"""


class Classifier:
    """A network with its contract, checked against each other when it is made.

    The contract stands in the file, or in a YAML file beside it. Raises ModelError, naming the file, where it is
    missing, damaged, has no contract, does not match its contract, or scores the contract's parity sound
    differently from the exporter.
    """

    def __init__(self, path: Path = STARTER) -> None:
        self.path = path
        self._network = Network(path)
        try:
            self.contract = _contract(path, self._network)
            self._shape = _shape(self._network, self.contract)
            self._scores_at, self._embedding_at = self._find_outputs()
            self._slopes = np.array([x.calibration.slope for x in self.contract.labels], np.float32)
            self._intercepts = np.array([x.calibration.intercept for x in self.contract.labels], np.float32)
            self._check_scores()
        except (ModelError, *FAILURES) as error:
            msg = f"model {path}: {first_line(error)}"
            raise ModelError(msg) from error

    def score(self, windows: Iterable[Window]) -> Iterator[tuple[Window, Floats]]:
        """Each window with its scores, as `scores` gives them, in a fraction of the time."""
        for window, seen in self._seen(windows):
            yield window, self._scored(seen)

    def scores(self, samples: Samples) -> Floats:
        """Calibrated scores (n_labels,) in [0, 1] of one window, (window_samples,) float32 in [-1, 1]."""
        return self._scored(self._see(samples))

    def embeddings(self, windows: Iterable[Window]) -> Iterator[tuple[Window, Floats]]:
        """Each window with the vector (n,) that describes its sound. ModelError where the network gives none."""
        embedding_at = self.embedding
        for window, seen in self._seen(windows):
            yield window, self._network.run(seen, [embedding_at])[0][0]

    def describe(self, samples: Samples) -> Floats:
        """The vector (n,) of one window, (window_samples,) float32 in [-1, 1]. ModelError where it gives none."""
        return self._network.run(self._see(samples), [self.embedding])[0][0]

    def described(self, windows: Iterable[Window]) -> Iterator[tuple[Window, Floats, Floats]]:
        """Each window with its scores and its vector, in one run of the network. ModelError where it gives none."""
        outputs = [self._scores_at, self.embedding]
        for window, seen in self._seen(windows):
            raw, vector = self._network.run(seen, outputs)
            yield window, self._calibrated(raw[0]), vector[0]

    def fingerprint(self) -> str:
        """What tells its vectors from those of another network: a hash of the file, and of a contract beside it."""
        files = [path for path in (self.path, foreign.beside(self.path)) if path.is_file()]
        return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()[:16]

    @property
    def embedding(self) -> str:
        """The output that describes the sound. ModelError where the network gives none."""
        if self._embedding_at is None:
            msg = f"model {self.path}: gives no embedding; its outputs are {', '.join(self._network.outputs)}"
            raise ModelError(msg)
        return self._embedding_at

    def _seen(self, windows: Iterable[Window]) -> Iterator[tuple[Window, Floats]]:
        """Each window with what the network takes of it, without the batch."""
        if isinstance(self.contract.input, LogMel):
            yield from log_mels(windows, self.contract.mel_spec)
            return
        for window in windows:
            yield window, self._see(window.samples)

    def _see(self, samples: Samples) -> Floats:
        takes = self.contract.input
        if isinstance(takes, LogMel):
            return log_mel(samples, self.contract.mel_spec)
        return levelled(samples, takes).reshape(self._shape)

    def _scored(self, seen: Floats) -> Floats:
        return self._calibrated(self._network.run(seen, [self._scores_at])[0][0])

    def _calibrated(self, raw: Floats) -> Floats:
        return activated(self._slopes * raw + self._intercepts, self.contract.output.activation)

    def _find_outputs(self) -> tuple[str, str | None]:
        """Which outputs are the scores and the embedding, by what the network returns for a sound."""
        names = self._network.outputs
        found = self._network.run(self._see(_test_sound(self.contract)), names)
        sizes = {name: array.shape[1] for name, array in zip(names, found, strict=True) if array.ndim == 2}  # noqa: PLR2004
        return _scores_name(self.contract, sizes), _embedding_name(self.contract, sizes)

    def _check_scores(self) -> None:
        """Against the exporter's, or at least for being scores."""
        contract, parity = self.contract, self.contract.parity
        scores = self.scores(_test_sound(contract))
        if parity is None:
            low, high = float(scores.min()), float(scores.max())
            if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
                msg = f"its scores lie between {low:g} and {high:g}: 0 to 1 expected; are they logits?"
                raise ModelError(msg)
            return
        difference = float(np.abs(scores - np.array(parity.scores, np.float32)).max())
        if not difference <= parity.tolerance:
            msg = (
                f"parity check failed: scores differ by {difference:.4f} from the exporter's, at most "
                f"{parity.tolerance:g} expected; the file is damaged or this processor computes it wrongly"
            )
            raise ModelError(msg)


def levelled(samples: Samples, takes: Waveform) -> Samples:
    """A window as a network that takes the waveform wants it, (n,) -> (n,) float32.

    Samples that are no numbers count as silence and louder ones than full scale as full scale; silence stays silence.
    """
    sound = np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)
    if takes.centred:
        sound = sound - sound.mean(dtype=np.float64).astype(np.float32)
    loudest = float(np.abs(sound).max(initial=0.0))
    if takes.peak is not None and loudest > 0:
        sound = sound * np.float32(takes.peak / loudest)
    return sound


def _contract(path: Path, network: Network) -> Contract:
    text, beside = network.metadata.get(contracts.KEY), foreign.beside(path)
    if text is None and not beside.is_file():
        msg = f"carries no contract: its metadata has no key {contracts.KEY}, and there is no {beside.name} beside it"
        raise ModelError(msg)
    if text is None:
        return foreign.read_contract(beside)
    if beside.is_file():
        msg = f"carries a contract of its own, so that {beside.name} beside it would count for nothing: take it away"
        raise ModelError(msg)
    return contracts.parse(text)


def _shape(network: Network, contract: Contract) -> tuple[int, ...]:
    """What the network takes of a window, without the batch. ModelError where the contract says otherwise."""
    size, shape = contract.window_samples, network.input_shape()
    if isinstance(contract.input, LogMel):
        spec = contract.mel_spec
        wanted = [[len(spec.channels), spec.n_mels, spec.n_frames(size)]]
    else:
        wanted = [[size], [1, size]]
    for one in wanted:
        if len(one) == len(shape) and all(there in {None, here} for here, there in zip(one, shape, strict=True)):
            return tuple(one)
    told = " or ".join(f"float [batch, {str(one)[1:]}" for one in wanted)
    msg = f"takes float {['batch', *shape]}, but its contract says {told}"
    raise ModelError(msg)


def _test_sound(contract: Contract) -> Samples:
    """The parity sound, or else soft noise."""
    if contract.parity is not None:
        return contract.parity.window(contract.window_samples)
    return np.random.default_rng(0).uniform(-0.1, 0.1, contract.window_samples).astype(np.float32)


def _scores_name(contract: Contract, sizes: dict[str, int]) -> str:
    count, output = len(contract.labels), contract.output
    name = output.name or output.kind
    if sizes.get(name) == count:
        return name
    fitting = [name for name, size in sizes.items() if size == count]
    if output.name is None and len(fitting) == 1:
        return fitting[0]
    there = ", ".join(f"{name} of {size}" for name, size in sizes.items()) or "none of two dimensions"
    wanted = f"an output {output.name} of" if output.name else "one output of"
    msg = f"returns {there}, but its contract names {count} labels, so that {wanted} {count} is expected"
    raise ModelError(msg)


def _embedding_name(contract: Contract, sizes: dict[str, int]) -> str | None:
    wanted = contract.output.embedding
    if wanted is None:
        return EMBEDDING if EMBEDDING in sizes else None
    fitting = [name for name, size in sizes.items() if wanted in {name, size}]
    if len(fitting) != 1:
        there = ", ".join(f"{name} of {size}" for name, size in sizes.items())
        msg = f"returns {there}, but its contract says that the embedding is {wanted}"
        raise ModelError(msg)
    return fitting[0]
