"""Copies of the recordings that say themselves what is in them: GUANO's field `Species Auto ID`."""

import logging
from pathlib import Path
from typing import BinaryIO, Self

from monitor.recorded import guano, riff
from monitor.sinks.tables.heard import HeardFile
from monitor.sinks.tables.whole import beside, refusing, whole

logger = logging.getLogger(__name__)

SPECIES_KEY, NAME_KEY = "Species Auto ID", "Original Filename"


class AnnotatedCopies:
    """A copy of each WAV in which something was found. Nothing is written into an original."""

    def __init__(self, folder: Path) -> None:
        self.path, self._refused = folder, 0

    def add(self, file: HeardFile, file_offset_s: float) -> None:
        """Copy a file in which there is something; most confident species first. StoreError where the disk refuses."""
        del file_offset_s
        if not file.rows:
            return
        confident = sorted(file.rows, key=lambda row: (-row.confidence, row.scientific_name))
        species = dict.fromkeys(row.scientific_name for row in confident)
        try:
            with Path(file.name).open("rb") as source:
                self._copy(source, ", ".join(species))
        except (OSError, ValueError) as error:
            self._refuse(file.name, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        if self._refused > 1:
            logger.warning("%d recordings could not be copied", self._refused)

    def _copy(self, source: BinaryIO, species: str) -> None:
        """ValueError where it is no WAV, StoreError where the copy cannot be written."""
        path = beside(self.path, source.name, "")
        held = next((chunk.read(source) for chunk in riff.chunks(source) if chunk.name == guano.CHUNK), b"")
        fields = {NAME_KEY: path.name, **guano.fields(held), SPECIES_KEY: species}
        with whole(path) as partial, refusing(path), partial.open("wb") as copy:
            riff.copy_with(source, copy, guano.CHUNK, guano.chunk(fields))

    def _refuse(self, name: str, error: Exception) -> None:
        self._refused += 1
        if self._refused == 1:
            reason = getattr(error, "strerror", None) or error
            logger.warning("%s: not copied for GUANO: %s", name, reason)
