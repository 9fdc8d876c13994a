"""The mean of networks: what it is, and which networks have none."""

import dataclasses
from pathlib import Path

import pytest
import torch
from command import BIN, run, sentence

from monitor.errors import ModelError
from monitor.features import LEVEL
from training.blend import blend
from training.checkpoint import Checkpoint, Schedule, read_checkpoint
from training.drawing.spectra import SPEC, WINDOW_SAMPLES
from training.network import EfficientNetLite

SIZE = "0.25"


def network(seed: int, fold: int | None = None) -> Checkpoint:
    """A network of two labels that has learned nothing, with norms that have seen something."""
    torch.manual_seed(seed)
    made = EfficientNetLite(2, SIZE, len(SPEC.channels))
    made(torch.randn(4, len(SPEC.channels), SPEC.n_mels, 40))
    return Checkpoint(made.state_dict(), ("a", "b"), SIZE, SPEC, WINDOW_SAMPLES, "hash", Schedule(), fold)


def test_the_blend_of_equal_networks_is_that_network() -> None:
    one = network(1)
    same = blend([one, one, one])
    assert all(torch.allclose(same.weights[name], weight, atol=1e-6) for name, weight in one.weights.items())


def test_each_weight_is_the_mean_and_the_norms_go_with_it() -> None:
    several = [network(seed) for seed in range(3)]
    mean = blend(several)
    for name in ("classifier.weight", "features.0.1.running_mean", "features.0.1.running_var"):
        expected = sum(one.weights[name] for one in several) / 3
        assert torch.allclose(mean.weights[name], torch.as_tensor(expected), atol=1e-6)
    assert mean.network()(torch.zeros(1, len(SPEC.channels), SPEC.n_mels, 40)).isfinite().all()


def test_the_window_is_that_of_the_last() -> None:
    longer = dataclasses.replace(network(1), window_samples=2 * WINDOW_SAMPLES)
    assert blend([longer, network(2)]).window_samples == WINDOW_SAMPLES
    assert blend([network(2), longer]).window_samples == 2 * WINDOW_SAMPLES


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fold": 3}, "fold is 3 there and None here"),
        ({"data_hash": "other"}, "data hash is 'other' there and 'hash' here"),
        ({"labels": ("b", "a")}, r"labels is \('b', 'a'\) there and \('a', 'b'\) here"),
        ({"spec": dataclasses.replace(SPEC, channels=(LEVEL,))}, "channels is .*level.* there"),
    ],
)
def test_networks_that_differ_have_no_mean(change: dict[str, object], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        blend([dataclasses.replace(network(1), **change), network(2)])  # type: ignore[arg-type]


def test_the_command_blends_what_is_in_every_folder(tmp_path: Path) -> None:
    for seed, folder in enumerate(("one", "two")):
        for fold in (0, 1):
            network(seed, fold).save(tmp_path / folder / f"fold{fold}.pt")
    network(5).save(tmp_path / "two" / "all.pt")
    result = run(BIN / "dawnchorus-training", "blend", tmp_path / "one", tmp_path / "two", "--out", tmp_path / "mean")
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "mean").iterdir()) == ["fold0.pt", "fold1.pt"]
    assert read_checkpoint(tmp_path / "mean" / "fold1.pt").fold == 1


@pytest.mark.parametrize(
    ("folders", "told"), [(["one"], "at least 2 folders"), (["one", "empty"], "no checkpoint is in every one of")]
)
def test_the_command_says_in_one_sentence_what_is_missing(folders: list[str], told: str, tmp_path: Path) -> None:
    network(1).save(tmp_path / "one" / "all.pt")
    words = [str(tmp_path / folder) for folder in folders]
    assert told in sentence(run(BIN / "dawnchorus-training", "blend", *words, "--out", tmp_path / "mean"), 1)
    assert not (tmp_path / "mean").exists()
