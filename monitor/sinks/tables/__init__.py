"""What was found, as files that people and other programs open. Each appears whole under its name, or not at all.

formats       which there are, and how any number of them is opened at once: read first
rows          a detection as a line, and the sinks that collect lines from the pipeline
heard         what came of a recording, file by file: what every table is given
whole         a file that appears when it is complete
lines         tables of a line a detection, over all files, or a table for each file
delimited     CSV: our own, BirdNET's and Kaleidoscope's
text          JSON lines, Raven's selections, Audacity's labels
parquet       columns, by pyarrow
effort        what the store wants to know beside the detections
store         the database that a station keeps
annotated     copies of the recordings that say themselves what is in them (GUANO)
"""

from monitor.sinks.tables.effort import EffortRows
from monitor.sinks.tables.formats import NAMES, Format, Tables, open_tables, score_table
from monitor.sinks.tables.heard import Heard, HeardFile
from monitor.sinks.tables.rows import COLUMNS, DetectionRows, Row, ScoreRows, Source, row_of

__all__ = [
    "COLUMNS",
    "NAMES",
    "DetectionRows",
    "EffortRows",
    "Format",
    "Heard",
    "HeardFile",
    "Row",
    "ScoreRows",
    "Source",
    "Tables",
    "open_tables",
    "row_of",
    "score_table",
]
