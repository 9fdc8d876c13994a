"""What the daemon shows to those on the same device who open the page."""

from pathlib import Path
from typing import Annotated

import msgspec


class Web(msgspec.Struct, frozen=True):
    """The live picture of the sound, for `dawnchorus web` on this device. What holds speech is never in it."""

    live: Annotated[bool, msgspec.Meta(description="offer it, on a socket in the file system; no port")] = True
    socket: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=100, description="its path; null: live.sock by the store")]
        | None
    ) = None

    def path(self, folder: Path) -> Path:
        """Of the socket of the daemon whose store is in a folder."""
        return folder / "live.sock" if self.socket is None else Path(self.socket)
