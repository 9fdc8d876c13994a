"""The audio around detections as files, where the station keeps any, unless somebody speaks in it.

    windows -> the last seconds of audio, in memory -> a clip -> rules -> voice gate -> FLAC, PNG, in memory -> files

Clips have the model's sample rate and 16 bits. Nothing of one touches the disk before the gate has heard all of it,
and what lies beside it. That happens in a thread of its own; where it cannot keep up, or the disk does not take it,
clips are dropped and counted, and nothing waits for them.

cutting      the last seconds of a stream -> clips: read first
writing      the thread that judges and writes them
rules        which are wanted
naming       what the name of a clip says
encoding     a clip -> FLAC that says what it holds, and its picture
ledger       the store's table of clips
retention    which ones go, where there must be room
room         makes it, and finds what was changed behind our back
"""

from monitor.sinks.clips.clip import Clip
from monitor.sinks.clips.cutting import ClipSink
from monitor.sinks.clips.writing import ClipWriter, Fate

__all__ = ["Clip", "ClipSink", "ClipWriter", "Fate"]
