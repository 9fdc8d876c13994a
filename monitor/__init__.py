"""Dawn Chorus on the device: listens, recognises, keeps, publishes.

    Source.blocks() -> resampled() -> windows() -> Classifier.score() -> Tracker.update() -> Sink.handle()

Read `pipeline` first, then the stages in the order of that line, then `service` (the daemon) and `batch`
(offline analysis), which run the same pipeline with another source and another sink. `cli` is the only
place that parses arguments and prints.
"""

import os

# ONNX Runtime tells its maker that it is in use, over the network, from the moment it is imported, unless this is set
# before. A device in the field calls nobody whom it was not told to call.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
