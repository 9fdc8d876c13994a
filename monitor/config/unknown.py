"""Which sounds without a name are kept. None, unless this section is there."""

from typing import Annotated

import msgspec


class Unknown(msgspec.Struct, frozen=True):
    """Windows that are loud and unlike any label, for `dawnchorus discover` and `find`. Speech is never among them."""

    directory: Annotated[str, msgspec.Meta(min_length=1, description="folder of unknown.sqlite")]
    megabytes: Annotated[float, msgspec.Meta(ge=1, le=100_000, description="of that file at most")] = 200.0
