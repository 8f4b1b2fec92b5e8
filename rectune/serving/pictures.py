"""Pictures of items: files of one folder, or addresses on hosts that were named. Nothing is fetched.

What the catalogue says is data of anybody: a name may lead nowhere but into the folder, and a file is a
picture by what it holds, not by its name. Markup that a browser would run (SVG, HTML) is none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

MOST_BYTES = 5 * 1024 * 1024  # of a picture
_LONGEST = 1000  # characters of a name or an address
_HEAD = 16  # bytes by which a type is known
_BEGINNINGS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF87a": "image/gif",
               b"GIF89a": "image/gif"}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A file that may be shown, and its type."""

    path: Path
    media_type: str


@dataclass(frozen=True)
class Pictures:
    """Where pictures come from.

    Attributes:
        folder: of the files; None for none.
        hosts: others that pictures may come from, as https://covers.example.org.
    """

    folder: Path | None = None
    hosts: Collection[str] = ()

    def address(self, images: Mapping[str, str], item_id: str) -> str | None:
        """What a page shows as an item's picture; empty where it has none that may be shown, None where no
        item of the catalogue has one.

        Args:
            images: item id -> name of a file, or address.
            item_id: of the item.
        """
        if not images:
            return None
        image = images.get(item_id, "")
        if image.startswith(("http://", "https://")):
            return image if self._may_be_asked(image) else ""
        return f"/pictures/{quote(item_id, safe='')}" if self.found(image) else ""

    def found(self, image: str) -> Picture | None:
        """The file of a picture; None where there is none, it lies elsewhere, is too large or no picture."""
        if self.folder is None or not image or len(image) > _LONGEST or "\x00" in image:
            return None
        try:
            root = self.folder.resolve()
            path = (root / image).resolve()
            if not path.is_relative_to(root) or not path.is_file() or path.stat().st_size > MOST_BYTES:
                return None
            with path.open("rb") as file:
                kind = media_type(file.read(_HEAD))
        except (OSError, ValueError, RuntimeError):  # not readable, not encodable, a loop of links
            return None
        return Picture(path, kind) if kind else None

    def _may_be_asked(self, image: str) -> bool:
        try:
            parts = urlsplit(image)
            plain = len(image) <= _LONGEST and image.isprintable() and "@" not in parts.netloc
            return plain and f"{parts.scheme}://{parts.netloc}" in self.hosts
        except ValueError:
            return False


def media_type(head: bytes) -> str:
    """The type of a picture by its first bytes: PNG, JPEG, GIF, WebP, AVIF; empty for anything else."""
    for beginning, kind in _BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return "image/avif" if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis") else ""
