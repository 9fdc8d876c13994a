"""The daemon with two models on one stream, and what it says of the species filter."""

from pathlib import Path

import numpy as np
import soundfile
from rigs import RATE, Broker, Daemon, Subscriber, configure, kept, recordings, until
from standins import tone, write_small
from synthetic import great_tit

from monitor.classifier import STARTER, Classifier


def test_two_models_hear_one_stream_and_every_record_names_its_model(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    small, starter = write_small(tmp_path / "small.onnx"), Classifier().contract.name
    sound = np.concatenate([great_tit(RATE), tone(RATE, 2, 900), tone(RATE, 2, 3_200)])
    playing = tmp_path / "20260501T041200Z.wav"
    soundfile.write(playing, sound, RATE)
    models = [str(STARTER), str(small)]
    config = configure(tmp_path, recordings(playing), broker.port, model=models, species={"exclude": ["Rook"]})
    with Daemon(config) as daemon:
        assert daemon.ended() == 0, daemon.said()
    assert "small: 1 of 2 labels may be reported" in daemon.said()
    assert f"{starter}: 9 of 10 labels may be reported" in daemon.said()
    found = kept(tmp_path / "store")["detections"]
    assert {row["model"] for row in found} == {starter, "small"}
    assert {row["common_name"] for row in found} == {"Great Tit"}
    assert len({row["id"] for row in found}) == len(found)
    until(lambda: len(subscriber.records()) >= len(found) + 2, "all detections and an account for each model")
    assert {record.content["model"] for record in subscriber.records()} == {starter, "small"}


def test_a_filter_that_cannot_be_meant_stops_the_start(broker: Broker, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", great_tit(RATE), RATE)
    config = configure(tmp_path, recordings(tmp_path / "a.wav"), broker.port, species={"include": ["Grate Tit"]})
    with Daemon(config) as daemon:
        assert daemon.ended() == 78
    assert "species.include names 'Grate Tit'" in daemon.said()
    assert "did you mean 'Great Tit'" in daemon.said()
