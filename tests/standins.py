"""Small ONNX files with the signatures and quirks of other people's models, and their label files.

A stand-in hears how loud a window is and how high: from the mean power of the samples and of their differences it makes
two numbers, and its outputs are weighted sums of these. That is enough to tell one tone from another, whatever the
number of labels.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from monitor.records import Samples

FLOOR = 1e-9
"""of the power, below which everything is silence"""
Weights = npt.NDArray[np.float32]
"""of an output, (3, n): for loudness, for pitch, and what is added"""

BIRDNET_2, BIRDNET_3, PERCH = 6_522, 11_560, 14_795


def heard(window: Samples) -> tuple[float, float]:
    """What a stand-in hears, as an oracle in float64: log power, and log power of the differences less that."""
    sound = window.astype(np.float64)
    power = np.log(np.mean(sound**2) + FLOOR)
    return power, np.log(np.mean(np.diff(sound) ** 2) + FLOOR) - power


def weights(rows: Mapping[int, tuple[float, float, float]], count: int, rest: float = -20.0) -> Weights:
    """An output of `count` values: some with weights of their own, the others always `rest`."""
    found = np.zeros((3, count), np.float32)
    found[2] = rest
    for index, row in rows.items():
        found[:, index] = row
    return found


def expected(window: Samples, output: Weights) -> npt.NDArray[np.float64]:
    """What a stand-in returns for a window, (n,)."""
    return np.array([*heard(window), 1.0]) @ output.astype(np.float64)


def write_network(  # noqa: PLR0913
    path: Path,
    shape: Sequence[int | str],
    outputs: Mapping[str, Weights],
    *,
    sigmoid: Sequence[str] = (),
    extra: Mapping[str, Sequence[int]] | None = None,
    opset: int = 17,
    operator: str = "Relu",
    numbers: int = TensorProto.FLOAT,
) -> Path:
    """Write a network that takes a waveform of `shape`, [batch, N] or [batch, 1, N].

    `sigmoid` names outputs that are scores already, `extra` further outputs of zeros that nobody asks for.
    """
    nodes, stored = _ears(len(shape))
    given = []
    for name, output in outputs.items():
        stored[f"{name}_weights"] = output[:2]
        stored[f"{name}_bias"] = output[2]
        raw = f"{name}_raw" if name in sigmoid else name
        nodes.append(helper.make_node("MatMul", ["heard", f"{name}_weights"], [f"{name}_sum"]))
        nodes.append(helper.make_node("Add", [f"{name}_sum", f"{name}_bias"], [raw]))
        nodes += [helper.make_node("Sigmoid", [raw], [name])] if name in sigmoid else []
        given.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [shape[0], output.shape[1]]))
    for name, size in (extra or {}).items():
        stored[f"{name}_zeros"] = np.zeros((1, *size), np.float32)
        nodes.append(helper.make_node(operator, [f"{name}_zeros"], [name]))
        given.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *size]))
    taken = [helper.make_tensor_value_info("inputs", numbers, list(shape))]
    constants = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "stand-in", taken, given, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


def _ears(rank: int) -> tuple[list[onnx.NodeProto], dict[str, npt.NDArray[Any]]]:
    """Samples -> `heard`, [batch, 2]."""
    stored: dict[str, npt.NDArray[Any]] = {
        "flat": np.array([0, -1], np.int64),
        "one": np.array([1], np.int64),
        "end": np.array([np.iinfo(np.int64).max], np.int64),
        "zero": np.array([0], np.int64),
        "minus": np.array([-1], np.int64),
        "floor": np.array(FLOOR, np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["inputs", "flat"], ["samples"]),
        helper.make_node("Slice", ["samples", "one", "end", "one"], ["later"]),
        helper.make_node("Slice", ["samples", "zero", "minus", "one"], ["earlier"]),
        helper.make_node("Sub", ["later", "earlier"], ["differences"]),
    ]
    for name in ("samples", "differences"):
        nodes += [
            helper.make_node("Mul", [name, name], [f"{name}_squared"]),
            helper.make_node("ReduceMean", [f"{name}_squared"], [f"{name}_power"], axes=[1], keepdims=1),
            helper.make_node("Add", [f"{name}_power", "floor"], [f"{name}_sum"]),
            helper.make_node("Log", [f"{name}_sum"], [f"{name}_level"]),
        ]
    nodes.append(helper.make_node("Sub", ["differences_level", "samples_level"], ["pitch"]))
    nodes.append(helper.make_node("Concat", ["samples_level", "pitch"], ["heard"], axis=1))
    assert rank in {2, 3}
    return nodes, stored


def write_contract(path: Path, **changes: Any) -> Path:  # noqa: ANN401
    """Write the YAML file beside a network: a waveform of 1 s at 16 kHz with two labels, unless told otherwise."""
    terms: dict[str, Any] = {
        "version": 1,
        "name": path.stem,
        "sample_rate": 16_000,
        "window_samples": 16_000,
        "input": {"kind": "waveform"},
        "labels": {"file": f"{path.stem}.labels.txt"},
        "licence": "CC0-1.0",
    }
    terms = {key: value for key, value in {**terms, **changes}.items() if value is not None}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(terms), encoding="utf-8")
    return path


TIT, ROOK = "Parus major_Great Tit", "Corvus frugilegus_Rook"


def write_small(path: Path, names: Sequence[str] = (TIT, ROOK), **changes: Any) -> Path:  # noqa: ANN401
    """A model of 1 s at 16 kHz: the first label is a loud high tone, the second a loud low one."""
    # a tone at f Hz has a pitch of 2 ln(2 pi f / rate): 0.45 at 3.2 kHz, -2.0 at 900 Hz
    output = weights({0: (1.0, 4.0, 10.0), 1: (1.0, -4.0, 4.0)}, len(names))
    write_network(path, ["batch", 16_000], {"logits": output})
    path.with_name(f"{path.stem}.labels.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    return write_contract(path, **changes)


def tone(sample_rate: int, seconds: float, pitch_hz: float, level: float = 0.3) -> Samples:
    """A tone, (n,) float32."""
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    return (level * np.sin(2 * np.pi * pitch_hz * time_s)).astype(np.float32)


def species(count: int) -> list[str]:
    """So many scientific names, the great tit the first."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    made = [f"Aves {letters[i // 676 % 26]}{letters[i // 26 % 26]}{letters[i % 26]}us" for i in range(1, count)]
    return ["Parus major", *made]


def write_birdnet_2(folder: Path) -> Path:
    """48 kHz, 3 s, 6,522 logits; labels as text, some of which are no animals."""
    path = folder / "birdnet-v2.4.onnx"
    write_network(path, ["batch", 144_000], {"output": weights({0: (1.0, 0.0, 6.0)}, BIRDNET_2)})
    names = [f"{name}_{name.split()[1].title()}bird" for name in species(BIRDNET_2 - 2)]
    names += ["Engine_Engine", "Human vocal_Human vocal"]
    (folder / "birdnet-v2.4.labels.txt").write_text("\n".join(names), encoding="utf-8")
    return path


def write_birdnet_3(folder: Path, *, embedding_first: bool) -> Path:
    """32 kHz, any length, 11,560 scores and an embedding in either order, under names that say nothing."""
    path = folder / "birdnet-v3.0-preview3.onnx"
    outputs = {"out_a": weights({0: (1.0, 0.0, 6.0)}, BIRDNET_3), "out_b": weights({}, 1_280, rest=0.5)}
    if embedding_first:
        outputs = dict(reversed(outputs.items()))
    write_network(path, ["batch", "samples"], outputs, sigmoid=["out_a"])
    rows = ["idx;id;sci_name;com_name;class;order"]
    rows += [f"{i};{i + 3};{name};Bird {i};Aves;Passeriformes" for i, name in enumerate(species(BIRDNET_3))]
    (folder / "birdnet-v3.0-preview3.labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    return path


def write_perch(folder: Path) -> Path:
    """32 kHz, 5 s, `label`, `embedding` and two more outputs; labels under a header that names a data set."""
    path = folder / "perch-v2.onnx"
    outputs = {
        "embedding": weights({7: (1.0, 0.0, 0.0)}, 1_536, rest=0.25),
        "label": weights({0: (0.0, 1.0, 12.0)}, PERCH),
    }
    extra = {"spatial_embedding": (16, 4, 1_536), "spectrogram": (500, 128)}
    write_network(path, ["batch", 160_000], outputs, extra=extra)
    names = ["inat2024_fsd50k", *species(PERCH - 1), "Acoustic_guitar"]
    (folder / "perch-v2.labels.csv").write_text("\n".join(names) + "\n", encoding="utf-8")
    return path


def write_geo(path: Path, occurs: Mapping[str, tuple[float, float]]) -> Path:
    """A geo model: each name occurs from a latitude to the north and from a week on, with a score over 0.5 there."""
    names = list(occurs)
    south, first = (np.array([occurs[name][i] for name in names], np.float32) for i in (0, 1))
    constants = {
        "pick_lat": np.array([0], np.int64),
        "pick_week": np.array([2], np.int64),
        "south": south - 0.5,
        "first": first - 0.5,
    }
    nodes = [
        helper.make_node("Gather", ["place", "pick_lat"], ["latitude"], axis=1),
        helper.make_node("Gather", ["place", "pick_week"], ["week"], axis=1),
        helper.make_node("Sub", ["latitude", "south"], ["north"]),
        helper.make_node("Sub", ["week", "first"], ["late"]),
        helper.make_node("Min", ["north", "late"], ["inside"]),
        helper.make_node("Sigmoid", ["inside"], ["scores"]),
    ]
    taken = [helper.make_tensor_value_info("place", TensorProto.FLOAT, ["batch", 3])]
    given = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(names)])]
    stored = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "geo", taken, given, stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    path.with_name(f"{path.stem}.labels.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    terms = {"version": 1, "name": path.stem, "labels": {"file": f"{path.stem}.labels.txt"}, "licence": "CC0-1.0"}
    path.with_suffix(".yaml").write_text(json.dumps(terms), encoding="utf-8")
    return path
