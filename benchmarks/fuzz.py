"""Damaged and hostile bytes for every parser that gets some from outside: each must be read or refused in a sentence.

Inputs are mutated from sound ones: bits and bytes changed, pieces lost, doubled, moved or taken from another input,
numbers at the ends of their ranges, words of the format in wrong places. A finding is any other exception than a
MonitorError, a process that dies, more than CPU_S seconds of processor time for one input, or more than MEMORY_MB of
memory. What was found is written to the folder `--keep`. Example: `python benchmarks/fuzz.py 1000000`
"""

import argparse
import hashlib
import hmac
import io
import json
import logging
import multiprocessing
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from monitor.clock import gpsd
from monitor.clock.times import Instant, Quality
from monitor.comparison.reading import read as read_annotations
from monitor.config.reading import parse as parse_config
from monitor.config.template import TEMPLATE
from monitor.contract import terms
from monitor.contract.foreign import GeoTerms, SoundTerms, parse_terms
from monitor.contract.labels import LabelFile, read_labels
from monitor.delivery.batches import pack
from monitor.delivery.commands.actions import Controls
from monitor.delivery.commands.admission import Admission
from monitor.delivery.commands.listener import Commands
from monitor.delivery.mute import Mute
from monitor.delivery.publication import Arrived
from monitor.errors import MonitorError
from monitor.fleet import letters
from monitor.messages import DetectionMessage, StatusMessage
from monitor.recorded import guano
from monitor.sinks.orders import Orders
from monitor.sinks.store import Store
from monitor.sources.deployments import Deployments
from monitor.sources.metadata import read_metadata
from monitor.sources.recordings import open_recording
from monitor.species.occurrence import SpeciesList

CPU_S, MEMORY_MB = 5.0, 768
ROUND = 500
"""inputs of one parser in a process of their own"""
STUCK_S = 300.0
"""after which such a process is taken for one that hangs"""
KEY = b"0123456789abcdef0123456789abcdef"
TOPIC = "dawnchorus/valley"
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WORDS = tuple(
    word.encode()
    for word in (
        *("data", "fmt ", "LIST", "INFOICMT", "guan", "wamd", "RF64", "ds64", "fLaC", "GUANO|Version: 1.0\n"),
        *("null", "NaN", "1e999", "-1", "[]", "{}", '"', "\\ud800", "\\u0000", "&a [*a]", "!!python/object:os.system"),
        *(
            "2026-02-30T25:61:00Z",
            "UTC+99",
            "\n",
            "\t",
            ": ",
            "- ",
            ",",
            "\0",
            "\xff",
            "*/",
            "9" * 40,
            "0x" + "f" * 5000,
            "[" * 200,
        ),
    )
)

Parse = Callable[[bytes], object]


class HangError(Exception):
    """One input took too long."""


@dataclass(frozen=True, slots=True)
class Parser:
    """What reads bytes from outside, and some that it likes."""

    parse: Parse
    seeds: Sequence[bytes]


def recording(folder: Path, suffix: str) -> Parser:
    """A file that is decoded to its end."""
    path = folder / f"20260501T041200Z{suffix}"

    def parse(content: bytes) -> None:
        path.write_bytes(content)
        for _ in open_recording(path).blocks:
            pass

    form = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}[suffix]
    seeds = []
    for channels in (1, 2):
        sound, noise = io.BytesIO(), np.random.default_rng(channels).normal(0, 0.1, (800, channels))
        soundfile.write(sound, noise, 16_000, format=form[0], subtype=form[1])
        seeds.append(sound.getvalue())
    return Parser(parse, [*seeds, *(with_chunks(seed) for seed in seeds if suffix == ".wav")])


def with_chunks(wav: bytes) -> bytes:
    """A WAV with what recorders write into it."""
    fields = {"Timestamp": "2026-05-01T04:12:00+02:00", "Loc Position": "47.9 11.2", "Make": "A", "Samplerate": "16000"}
    said = guano.chunk(fields)
    comment = b"Recorded at 04:12:00 01/05/2026 (UTC+2) by AudioMoth 24E144085F25F8E0 at medium gain\0"
    comment += b"\0" * (len(comment) % 2)
    info = b"INFOICMT" + struct.pack("<I", len(comment)) + comment
    wamd = struct.pack("<HI", 5, 25) + b"2026-05-01 04:12:00+02:00" + struct.pack("<HI", 6, 17) + b"WGS84,35.1,N,78,W"
    chunks = [(b"guan", said), (b"LIST", info), (b"wamd", wamd)]
    return wav + b"".join(name + struct.pack("<I", len(content)) + content for name, content in chunks)


def metadata() -> Parser:
    """Name, comment and chunks of a recording, without its sound."""

    def parse(content: bytes) -> None:
        text = content.decode(errors="replace")
        read_metadata(text[:80], io.BytesIO(content), text)
        guano.fields(content)

    names = [b"SITE_0+1_20260501_041200_125.wav", b"20260501T041200+0200_REC_-18.2656+144.5564.flac", b"5EAB9A3C.WAV"]
    comment = b"Recorded at 04:12:00 01/05/2026 (UTC+2:30) by AudioMoth 24E144085F25F8E0 at medium gain"
    return Parser(parse, [*names, comment, with_chunks(b"RIFF\x24\x00\x00\x00WAVE")])


def contract() -> Parser:
    """The JSON in a model's metadata."""
    described = {
        "version": 1,
        "name": "small",
        "input": {
            "kind": "log_mel",
            "n_fft": 512,
            "hop": 160,
            "n_mels": 40,
            "fmin_hz": 100.0,
            "fmax_hz": 7000.0,
            "floor": 1e-6,
        },
        "sample_rate": 16_000,
        "window_samples": 16_000,
        "output": {},
        "labels": [great_tit()],
        "provenance": {
            "created": "",
            "training_data_sha256": "",
            "metrics": {"a": [1]},
            "versions": {},
            "licence": "CC0",
            "attribution": [],
        },
        "parity": {"samples": "AAAA", "scores": [0.5], "tolerance": 0.1},
    }

    def parse(content: bytes) -> None:
        read = terms.parse(content)
        if read.parity is not None:
            read.parity.window(1000)

    return Parser(parse, [msgspec.json.encode(described)])


def foreign() -> Parser:
    """The YAML beside somebody else's model."""
    sound = (
        "version: 1\nname: birds\nsample_rate: 48000\nwindow_samples: 144000\ninput: {kind: waveform, peak: 0.25}\n"
        "output: {kind: logits, activation: sigmoid, embedding: 1024}\nlabels: {file: a.txt, format: csv}\n"
        "threshold: 0.5\nthresholds: {Parus major: 0.7}\nlicence: CC0\nattribution: [A, B]\n"
    )

    def parse(content: bytes) -> None:
        text = content.decode(errors="replace")
        for kind in (SoundTerms, GeoTerms):
            parse_terms(text, kind)

    return Parser(parse, [sound.encode(), bomb("thresholds"), bomb("version")])


def bomb(key: str) -> bytes:
    """A little YAML that stands for very much."""
    lists = [f"&a{n} [{', '.join([f'*a{n - 1}'] * 9 if n else ['x'] * 9)}]" for n in range(8)]
    return f"{key}: [{', '.join(lists)}]\n".encode()


def configuration() -> Parser:
    """YAML."""
    other = (
        "sources:\n  - {kind: microphone, name: a, channel: mix}\n  - {kind: network, url: rtsp://a/b}\nmodel: [a]\n"
    )
    return Parser(
        lambda content: parse_config(content.decode(errors="replace")),
        [TEMPLATE.encode(), other.encode(), bomb("log"), b"source:\n  " + bomb("kind")],
    )


def lists(folder: Path) -> Parser:
    """Labels, species and deployments, each a text of lines."""
    path = folder / "list.csv"
    table = LabelFile(file=path.name, format="csv")
    readers = [
        partial(read_labels, LabelFile(file=path.name), folder, 0.5),
        partial(read_labels, table, folder, 0.5),
        partial(SpeciesList.read, path),
        partial(Deployments.read, path, UTC),
    ]

    def parse(content: bytes) -> None:
        path.write_bytes(content)
        for reader in readers:
            try:
                reader()
            except MonitorError:
                continue

    deployments = b"site,latitude,longitude,start,end,path\nMoor,47.91,11.28,2026-04-01,2026-06-30,*/moor/*\n"
    labels = b"scientific_name,common_name\nParus major,Great Tit\n"
    return Parser(parse, [deployments, labels, b"Parus major_Great Tit\nEngine_Engine\n# remark\n"])


def receiver() -> Parser:
    """What gpsd says."""
    report = {"class": "TPV", "mode": 3, "time": "2026-05-01T04:12:00.000Z", "ept": 0.005, "lat": 47.9, "lon": 11.2}
    return Parser(lambda content: gpsd._read(content, 0.0), [json.dumps(report).encode()])  # noqa: SLF001


def fleet() -> Parser:
    """What a collector is sent."""
    detection = DetectionMessage(
        id="6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        station="valley",
        sequence=7,
        recording="canopy",
        onset_utc="2026-05-01T12:00:00.000Z",
        offset_utc="2026-05-01T12:00:03.000Z",
        clock_quality="ntp",
        clock_error_s=0.02,
        onset_s=1.0,
        offset_s=4.0,
        label="parus_major",
        confidence=0.9,
        scientific_name="Parus major",
        common_name="Great Tit",
        model="starter",
    )
    one = msgspec.json.encode(detection)

    def parse(content: bytes) -> None:
        for level in ("detections", "effort", "status", "health", "batches", "dropped"):
            letters.read(f"{TOPIC}/{level}", content)
        letters.read(f"{TOPIC}/batches", zlib.compress(content))

    batch = pack([("detections", one)] * 3)
    return Parser(parse, [one, batch, zlib.decompress(batch), msgspec.json.encode(status())])


def annotations(folder: Path) -> Parser:
    """What a person marked in a recording, as each program writes it."""
    paths = [folder / f"garden{suffix}" for suffix in (".txt", ".csv", ".jsonl")]

    def parse(content: bytes) -> None:
        for path in paths:
            path.write_bytes(content)
            with suppress(MonitorError):
                read_annotations(path)

    raven = (
        b"Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tSpecies\n"
        b"1\tWaveform 1\t1\t1.5\t2.5\tParus major\n1\tSpectrogram 1\t1\t1.5\t2.5\tParus major\n"
    )
    table = b"file,onset_s,offset_s,scientific_name,confidence\ngarden.wav,1.5,2.5,Parus major,0.75\n"
    line = b'{"file": "garden.wav", "onset_s": 1.5, "offset_s": 2.5, "scientific_name": "Parus major"}\n'
    return Parser(parse, [raven, table, line, b"1.5\t2.5\tParus major\n"])


def great_tit() -> terms.Label:
    """A label."""
    return terms.Label("parus_major", "Parus major", "Great Tit", "species", 0.5, terms.Calibration())


def status() -> StatusMessage:
    """Of a station."""
    return StatusMessage(
        station="valley", state="online", version="1", started_utc="2026-05-01T12:00:00.000Z", model="starter"
    )


def commands(folder: Path) -> Parser:
    """What a station is told: as it came, and signed with its key, as who has that may send anything."""
    Store(folder, "valley", 1000).close()
    orders = Orders(folder / "detections.sqlite")
    now = lambda: Instant(datetime(2026, 5, 1, 12, tzinfo=UTC), Quality.NTP)  # noqa: E731
    controls = Controls(
        status=status(),
        labels=[great_tit()],
        orders=orders,
        mute=Mute(),
        now=now,
        health=partial(msgspec.json.decode, HEALTH, type=dict),
        set_threshold=lambda _species, _threshold: None,
        replay=lambda _first, _last: None,
    )
    listener = Commands(TOPIC, KEY, Admission("valley", orders, now), controls)
    arguments = {
        "status": {},
        "mark": {"text": "moved"},
        "mute": {"seconds": 10, "species": None},
        "threshold": {"species": "Parus major", "threshold": 0.5},
        "replay": {"first": 1, "last": 2},
    }
    seeds = [signed({**COMMAND, "id": name, "command": name, "arguments": given}) for name, given in arguments.items()]

    def parse(content: bytes) -> None:
        listener.arrived(Arrived(f"{TOPIC}/command", content, retained=False))
        try:
            fields = json.loads(content)
            again = signed(fields)
        except (ValueError, RecursionError, AttributeError):
            return
        listener.arrived(Arrived(f"{TOPIC}/command", again, retained=False))

    return Parser(parse, seeds)


HEALTH = b"{}"
COMMAND = {"schema": 1, "station": "valley", "issued_utc": "2026-05-01T12:00:00Z", "expires_s": 60}


def signed(fields: dict[str, object]) -> bytes:
    """As `CommandMessage` says."""
    bare = {name: value for name, value in fields.items() if name != "hmac"}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return json.dumps({**bare, "hmac": hmac.new(KEY, text, hashlib.sha256).hexdigest()}).encode()


def parsers(folder: Path) -> dict[str, Parser]:
    """All of them."""
    return {
        "wav": recording(folder, ".wav"),
        "flac": recording(folder, ".flac"),
        "ogg": recording(folder, ".ogg"),
        "metadata": metadata(),
        "configuration": configuration(),
        "contract": contract(),
        "foreign contract": foreign(),
        "lists": lists(folder),
        "gpsd": receiver(),
        "fleet": fleet(),
        "annotations": annotations(folder),
        "commands": commands(folder),
    }


def mutated(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """One of them, changed in one to eight places."""
    content = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(content) + 1)
        length = min(chance.choice((1, 2, 4, 16, 64)), len(content) - at)
        match chance.randrange(8):
            case 0 if length:
                content[at] ^= 1 << chance.randrange(8)
            case 1 if length:
                content[at] = chance.randrange(256)
            case 2:
                del content[at : at + length]
            case 3:
                content[at:at] = content[at : at + length] * chance.choice((1, 2, 50))
            case 4:
                content[at : at + length] = struct.pack(chance.choice("<>") + "I", chance.choice(NUMBERS))[:length]
            case 5:
                content[at : at + chance.choice((0, length))] = chance.choice(WORDS)
            case 6:
                other = chance.choice(seeds)
                begin = chance.randrange(len(other))
                content[at:at] = other[begin : begin + chance.choice((8, 64, 512))]
            case _ if chance.random() < 0.1:
                del content[at:]
    return bytes(content[: 1 << 20])


def judge(parser: Parser, content: bytes) -> str | None:
    """What is wrong with how it is read; None: nothing."""
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    try:
        parser.parse(content)
    except MonitorError as error:
        return None if str(error) and "\n" not in str(error) else f"not one sentence: {str(error)!r}"
    except Exception:  # noqa: BLE001 - which is what is looked for
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def too_long(_number: int, _frame: object) -> None:
    """The signal handler."""
    raise HangError


def try_round(name: str, seed: int, count: int, folder: Path, keep: Path) -> None:
    """Some inputs of one parser, in a process of its own. What it reads now stands in `keep`, should it die."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_MB * 1_000_000,) * 2)
    signal.signal(signal.SIGPROF, too_long)
    logging.disable()
    parser, chance = parsers(folder)[name], random.Random(seed)  # noqa: S311
    reading, found = keep / f"{name}.now", 0
    for index in range(count):
        content = mutated(parser.seeds, chance)
        reading.write_bytes(content)
        if (wrong := judge(parser, content)) is not None:
            found += 1
            stem = keep / f"{name}-{seed}-{index}"
            stem.with_suffix(".input").write_bytes(content)
            stem.with_suffix(".txt").write_text(wrong, encoding="utf-8", errors="replace")
    reading.unlink()
    sys.exit(1 if found else 0)


def main() -> None:
    """Print a line a minute, and what was found; exit with 1 where anything was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", type=int, help="at least, over all parsers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e6, help="that it may take at most")
    parser.add_argument("--keep", type=Path, help="folder for what was found")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        keep = options.keep or Path(scratch) / "keep"
        keep.mkdir(parents=True, exist_ok=True)
        failed = fuzz(options.inputs, options.seed, time.monotonic() + 60 * options.minutes, Path(scratch), keep)
        for path in sorted(keep.glob("*.txt"))[:10]:
            print(f"{path.stem}: {path.read_text(encoding='utf-8').strip().splitlines()[-1]}")
    sys.exit(1 if failed else 0)


def fuzz(inputs: int, seed: int, until: float, scratch: Path, keep: Path) -> Counter[str]:
    """Rounds of all parsers in turn; returns the rounds in which something was found, by parser."""
    names = list(parsers(prepared(scratch / "first")))
    tried, failed, told = 0, Counter[str](), time.monotonic()
    size = min(ROUND, -(-inputs // len(names)))
    while tried < inputs and time.monotonic() < until:
        for name in names:
            seed += 1
            folder = prepared(scratch / "now")
            process = multiprocessing.get_context("fork").Process(
                target=try_round, args=(name, seed, size, folder, keep)
            )
            process.start()
            process.join(STUCK_S)
            if process.is_alive():
                process.kill()
                process.join()
            if process.exitcode:
                failed[name] += 1
                print(f"{name}, seed {seed}: exit code {process.exitcode}", flush=True)
            tried += size
        if time.monotonic() - told > 60 or tried >= inputs:
            told = time.monotonic()
            print(f"{tried} inputs, {failed.total()} rounds with findings", flush=True)
    return failed


def prepared(folder: Path) -> Path:
    """An empty folder."""
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
