"""A model with its labels and its contract into a folder, never over a file that is there."""

from collections.abc import Callable
from pathlib import Path

from monitor.catalogue.download import Progress, fetch, sha256_of
from monitor.catalogue.entries import Entry
from monitor.classifier import Classifier
from monitor.contract.foreign import Remote, beside
from monitor.errors import ModelError, MonitorError
from monitor.species.occurrence import GeoModel

SUMS = "SHA256SUMS"
"""of the files that were fetched, as `sha256sum --check` reads it"""


def get(
    entry: Entry,
    folder: Path,
    progress: Callable[[str], Progress],
    mirror: str | None = None,
    sha256: str | None = None,
) -> tuple[Path, list[str]]:
    """Fetch what is missing; return the model's path, after it was opened and tried, and what there is to say.

    `progress` is asked for by file name; `mirror` is an address that holds the files under their names here;
    `sha256` is what the user vouches for as the model's. DownloadError as `fetch`; ModelError where a file of that
    name is another one, or where the model does not match its contract.
    """
    model, labels = folder / f"{entry.name}.onnx", folder / entry.terms.labels.file
    said = []
    try:
        for remote, path, vouched in ((entry.download.labels, labels, None), (entry.download.model, model, sha256)):
            wanted = _wanted(remote, path, mirror, vouched)
            said.append(_bring(wanted, path, progress(path.name)))
        said.append(_write_contract(entry, beside(model)))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{folder} cannot be read and written: {getattr(error, 'strerror', None) or error}"
        raise MonitorError(msg) from error
    if entry.hears:
        Classifier(model)
    else:
        GeoModel(model, latitude=0, longitude=0, threshold=0)
    return model, said


def _wanted(remote: Remote, path: Path, mirror: str | None, vouched: str | None) -> Remote:
    """Where it comes from, and the hash that it must have, if anybody ever said."""
    if vouched is not None and remote.sha256 not in {None, vouched}:
        msg = f"{path.name}: --sha256 says {vouched}, but this program knows it as {remote.sha256}"
        raise ModelError(msg)
    url = remote.url if mirror is None else f"{mirror.rstrip('/')}/{path.name}"
    return Remote(url, remote.sha256 or vouched or _sums(path.parent).get(path.name), remote.size)


def _bring(remote: Remote, path: Path, progress: Progress) -> str:
    if path.exists():
        found = sha256_of(path)
        if remote.sha256 not in {None, found}:
            msg = f"{path} is there already and another file, SHA-256 {found}, not {remote.sha256}: move it away first"
            raise ModelError(msg)
        told = f"{path} is there already"
    else:
        found, told = fetch(remote, path, progress), f"{path} fetched from {remote.url}"
    if remote.sha256 is None:
        told += f"; nobody vouches for it, so its SHA-256 {found} is what counts from now on"
    if path.name not in _sums(path.parent):
        with (path.parent / SUMS).open("a", encoding="utf-8") as file:
            file.write(f"{found}  {path.name}\n")
    return told


def _sums(folder: Path) -> dict[str, str]:
    """SHA-256 by file name."""
    path = folder / SUMS
    if not path.is_file():
        return {}
    lines = [line.partition("  ") for line in path.read_text(encoding="utf-8").splitlines()]
    return {name: found for found, _, name in lines}


def _write_contract(entry: Entry, path: Path) -> str:
    if not path.exists():
        path.write_text(entry.text, encoding="utf-8")
        return f"{path} written"
    same = path.read_text(encoding="utf-8", errors="replace") == entry.text
    return f"{path} is there already" + ("" if same else ", changed by somebody, and stays as it is")
