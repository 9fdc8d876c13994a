"""Names in any alphabet as Home Assistant wants its ids: letters, digits, _ and -, and each another."""

import hashlib
import re
import unicodedata

_LONGEST = 48


def identifier(name: str) -> str:
    """A name as an id; where that loses something of it, what it loses is told apart by eight digits of its hash."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    kept = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:_LONGEST]
    if kept == name:
        return kept
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{kept}_{mark}" if kept else mark
