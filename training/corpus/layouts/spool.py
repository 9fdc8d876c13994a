"""Audio out of a data set into files, once."""

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import soundfile

from monitor.errors import RecordingError

DEEP = frozenset({"PCM_24", "PCM_32", "FLOAT", "DOUBLE"})
"""what 16 bits would cut"""


class UndecodableError(RecordingError):
    """This one sound is no audio; the others may be."""


def write_once(sound: Mapping[str, Any], path: Path) -> None:
    """Write a sound, given as `bytes` or as the `path` of a file, as FLAC at its own rate, at once or not at all.

    UndecodableError where the sound is no audio, RecordingError where the disk refuses.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(sound["bytes"]) if sound["bytes"] is not None else sound["path"]) as source:
            samples, rate, deep = source.read(dtype="float32"), source.samplerate, source.subtype in DEEP
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise UndecodableError(getattr(error, "error_string", None) or str(error)) from error
    # into memory first: libsndfile does not tell of a disk that became full while it closes a file
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, rate, subtype="PCM_24" if deep else "PCM_16", format="FLAC")
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(encoded.getvalue())
        partial.replace(path)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise RecordingError(msg) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
