"""Certificates for brokers and stations, made by openssl."""

import subprocess
from pathlib import Path

from rigs import required


class Authority:
    """Somebody who vouches for others: `ca` is the file that is trusted."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder, self.ca = folder, folder / "ca.pem"
        subject = ["-x509", "-days", "2", "-subj", "/CN=authority"]
        self._make(["req", *subject, *_KEY, "-keyout", str(folder / "ca.key"), "-out", str(self.ca)])

    def issue(self, name: str, address: str = "127.0.0.1", valid_from: str = "-1d") -> tuple[Path, Path]:
        """A certificate for an address, valid for two days, and its key. Another of the same name takes its place."""
        cert, key, request = (self._folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        self._make(["req", "-new", "-subj", f"/CN={name}", *_KEY, "-keyout", str(key), "-out", str(request)])
        kind = "IP" if address.replace(".", "").isdigit() else "DNS"
        (self._folder / "san").write_text(f"subjectAltName={kind}:{address}\n", encoding="utf-8")
        vouch = ["-CA", str(self.ca), "-CAkey", str(self._folder / "ca.key"), "-CAcreateserial", "-days", "2"]
        files = ["-extfile", str(self._folder / "san"), "-in", str(request), "-out", str(cert)]
        self._make(["x509", "-req", *vouch, *files], required("faketime"), "-f", valid_from)
        return cert, key

    @staticmethod
    def _make(arguments: list[str], *before: str) -> None:
        subprocess.run([*before, required("openssl"), *arguments], check=True, capture_output=True)


_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
