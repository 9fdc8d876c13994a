"""What a model file says about itself, and what is not believed."""

import base64
import contextlib
import json
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import ROOT

from monitor import contract as contracts
from monitor.contract import (
    Calibration,
    Contract,
    Label,
    LogMel,
    Output,
    Parity,
    Provenance,
    Waveform,
    parity_samples,
    schema,
)
from monitor.errors import ModelError
from monitor.features import MelSpec
from monitor.records import Taxon

modest = settings(derandomize=True, deadline=None, max_examples=100)

CONTRACT = Contract(
    version=contracts.VERSION,
    name="hedge-2026",
    input=LogMel(800, 400, 96, 150.0, 11_000.0, 1e-9),
    sample_rate=24_000,
    window_samples=72_000,
    output=Output(),
    labels=[
        Label("tit", "Parus major", "Great Tit", "species", 0.6, Calibration(1.3, -0.4)),
        Label("rain", "", "Rain", "sound", 0.9, Calibration()),
    ],
    provenance=Provenance(
        "2026-05-01", "ab" * 32, {"average_precision": 0.91}, {"torch": "2.13.0"}, "CC-BY-NC-4.0", ["XC 1"]
    ),
    parity=Parity(parity_samples(np.linspace(-1, 1, 99, dtype=np.float32)), [0.25, 0.75], 0.01),
)

Change = tuple[tuple[str | int, ...], Any]
"""where in the contract, and what to write there"""


def changed(*changes: Change) -> bytes:
    """Write the contract's text with other values."""
    content = msgspec.to_builtins(CONTRACT)
    for (*path, last), value in changes:
        place = content
        for key in path:
            place = place[key]
        place[last] = value
    return msgspec.json.encode(content)


def refusal(text: str | bytes) -> str:
    """Return the sentence with which a contract is refused."""
    with pytest.raises(ModelError) as refused:
        contracts.parse(text)
    return str(refused.value)


def test_a_contract_that_is_written_reads_back() -> None:
    text = msgspec.json.encode(CONTRACT)
    assert contracts.parse(text) == CONTRACT
    assert contracts.parse(text.decode()) == CONTRACT


def test_a_contract_says_what_its_parts_need() -> None:
    assert CONTRACT.mel_spec == MelSpec(24_000, 800, 400, 96, 150.0, 11_000.0, 1e-9)
    assert CONTRACT.window_s == 3.0
    assert CONTRACT.labels[0].taxon == Taxon("Parus major", "Great Tit")


@pytest.mark.parametrize("version", [contracts.VERSION + 1, 0, 99])
def test_another_version_is_refused_before_anything_else_is_read(version: int) -> None:
    message = refusal(changed((("version",), version), (("labels",), "of another kind"), (("more",), 1)))
    assert message == f"contract version {version}: this program reads version 1; update it or use another model"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        '{"version": "1"}',
        '{"version": 1}',
        "not JSON",
        msgspec.json.encode(CONTRACT)[:-1],
        msgspec.json.encode(CONTRACT)[:200],
        b'{"version": 1, "name": "\xff"}',
        '{"version": 1, "name": ' + "[" * 100_000,
        '{"version": ' + "[" * 100_000,
    ],
)
def test_damaged_json_is_refused_with_the_reason(text: str | bytes) -> None:
    assert refusal(text).startswith("its contract cannot be read: ")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ((("more",), 1), "unknown field `more`"),
        ((("a\nb",), 1), "unknown field `a b`"),
        ((("input", "gain"), 1), "unknown field `gain` - at `$.input`"),
        ((("input", "kind"), "image"), "'image' - at `$.input.kind`"),
        ((("input", "hop"), 0), ">= 1 - at `$.input.hop`"),
        ((("sample_rate",), 0), ">= 1 - at `$.sample_rate`"),
        ((("window_samples",), 0.5), "got `float` - at `$.window_samples`"),
        ((("output", "activation"), "tanh"), "'tanh' - at `$.output.activation`"),
        ((("labels", 0, "threshold"), 1.5), "<= 1.0 - at `$.labels[0].threshold`"),
        ((("labels", 0, "rank"), "family"), "'family' - at `$.labels[0].rank`"),
        ((("labels", 0, "calibration", "slope"), 0), "> 0.0 - at `$.labels[0].calibration.slope`"),
        ((("parity", "scores"), [0.5, 7]), "<= 1.0 - at `$.parity.scores[1]`"),
        ((("provenance", "licence"), None), "got `null` - at `$.provenance.licence`"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_its_place(change: Change, named: str) -> None:
    message = refusal(changed(change))
    assert message.startswith("its contract cannot be read: ")
    assert named in message


@pytest.mark.parametrize("key", [key for key in Contract.__struct_fields__ if key != "version"])
def test_nothing_may_be_left_out(key: str) -> None:
    content = msgspec.to_builtins(CONTRACT)
    del content[key]
    assert f"missing required field `{key}`" in refusal(msgspec.json.encode(content))


def test_a_label_named_twice_is_refused() -> None:
    message = refusal(changed((("labels", 1, "label"), "tit")))
    assert message == "its contract must name each label once and at least one, got ['tit', 'tit']"


def test_a_model_without_labels_is_refused() -> None:
    assert refusal(changed((("labels",), []))) == "its contract must name each label once and at least one, got []"


@pytest.mark.parametrize("scores", [[], [0.5], [0.5, 0.5, 0.5]])
def test_a_parity_check_for_another_number_of_labels_is_refused(scores: list[float]) -> None:
    message = refusal(changed((("parity", "scores"), scores)))
    assert message == f"its contract has 2 labels but a parity check for {len(scores)}"


def test_a_window_shorter_than_a_frame_is_refused() -> None:
    message = refusal(changed((("window_samples",), 799)))
    assert message == "its contract's window of 799 samples is shorter than one frame"
    assert contracts.parse(changed((("window_samples",), 800))).window_samples == 800


@pytest.mark.parametrize(
    ("change", "named"),
    [((("input", "fmax_hz"), 12_001), "fmax_hz=12001"), ((("input", "floor"), 0), "floor must be above 0")],
)
def test_a_front_end_that_contradicts_itself_is_refused(change: Change, named: str) -> None:
    assert named in refusal(changed(change))


def test_a_waveform_a_softmax_and_no_parity_check_are_a_contract_as_well() -> None:
    content = msgspec.to_builtins(CONTRACT)
    content["input"] = {"kind": "waveform", "centred": True, "peak": 0.25}
    content["output"] = {"kind": "logits", "activation": "softmax", "name": "label", "embedding": 1536}
    content["parity"] = None
    for label in content["labels"]:
        label["calibration"] = {}
    found = contracts.parse(msgspec.json.encode(content))
    assert found.input == Waveform(centred=True, peak=0.25)
    assert found.band_hz == (0.0, 12_000.0)
    assert found.parity is None
    jsonschema.Draft202012Validator(contracts.schema()).validate(content)
    with pytest.raises(ModelError, match="takes the waveform"):
        _ = found.mel_spec


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({"kind": "scores", "activation": "sigmoid"}, "kind scores with activation sigmoid"),
        ({"kind": "scores", "activation": "softmax"}, "kind scores with activation softmax"),
        ({"kind": "logits", "activation": "none"}, "kind logits with activation none"),
        ({"kind": "logits", "activation": "softmax"}, "calibrates labels, which goes with activation sigmoid only"),
    ],
)
def test_an_output_that_contradicts_itself_is_refused(output: dict[str, str], said: str) -> None:
    assert said in refusal(changed((("output",), output)))


@modest
@given(position=st.integers(0, len(msgspec.json.encode(CONTRACT)) - 1), byte=st.integers(0, 255))
def test_a_damaged_byte_gives_a_contract_or_a_refusal_and_nothing_else(position: int, byte: int) -> None:
    text = bytearray(msgspec.json.encode(CONTRACT))
    text[position] = byte
    with contextlib.suppress(ModelError):
        assert isinstance(contracts.parse(bytes(text)), Contract)


def test_the_schema_is_a_json_schema_and_accepts_a_written_contract() -> None:
    validator = jsonschema.Draft202012Validator
    validator.check_schema(contracts.schema())
    validator(contracts.schema()).validate(msgspec.json.decode(msgspec.json.encode(CONTRACT)))


@pytest.mark.parametrize(
    "change",
    [
        (("more",), 1),
        (("input", "kind"), "waveform"),
        (("input", "hop"), 0),
        (("labels", 0, "threshold"), 1.5),
        (("labels", 0, "calibration", "slope"), 0),
        (("labels", 0, "rank"), "family"),
    ],
)
def test_the_schema_refuses_what_the_program_refuses(change: Change) -> None:
    refusal(changed(change))
    assert not jsonschema.Draft202012Validator(contracts.schema()).is_valid(msgspec.json.decode(changed(change)))


@modest
@given(values=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50), size=st.integers(1, 120))
def test_the_parity_sound_repeats_to_fill_a_window(values: list[float], size: int) -> None:
    sound = np.array(values, np.float32)
    window = Parity(parity_samples(sound), [], 0).window(size)
    assert window.shape == (size,)
    assert window.dtype == np.float32
    assert np.abs(window).max() <= 1
    np.testing.assert_allclose(window, np.resize(sound, size), rtol=0, atol=2**-14)


def test_a_parity_sound_without_samples_is_refused() -> None:
    with pytest.raises(ModelError, match="parity sound is empty"):
        Parity("", [], 0).window(10)


@pytest.mark.parametrize("samples", ["A", "é", base64.b64encode(b"odd").decode()])
def test_a_damaged_parity_sound_is_refused(samples: str) -> None:
    with pytest.raises(ModelError, match="parity sound cannot be read"):
        Parity(samples, [], 0).window(10)


def test_the_schema_is_the_one_that_was_published() -> None:
    published = ROOT / "monitor" / "models" / "contract.schema.json"
    assert json.loads(published.read_text(encoding="utf-8")) == json.loads(json.dumps(schema()))
