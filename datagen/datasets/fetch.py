"""Editions from their publishers' servers into a dataset's folder; nothing there is ever overwritten."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from rectune.core.errors import UserError
from rectune.core.progress import progress, say
from rectune.core.text.nearest import nearest
from rectune.datagen.datasets.download import digest, download, forget, room
from rectune.datagen.datasets.entry import Dataset, Download, Edition

_BLOCK = 1 << 20  # bytes


def choose(dataset: Dataset, name: str = "") -> Edition:
    """The edition of that name; without a name the first that can be downloaded, else the first.

    Raises:
        UserError: there is no such edition.
    """
    known = {edition.name: edition for edition in dataset.editions}
    if not name:
        return next((edition for edition in dataset.editions if edition.downloads), dataset.editions[0])
    if name not in known:
        found = f"{dataset.name} has no edition {name!r}{nearest(name, known)}"
        raise UserError(found, hint=f"there are: {', '.join(known)}")
    return known[name]


def downloads(dataset: Dataset, edition: Edition, categories: Sequence[str] = ()) -> list[Download]:
    """What has to be downloaded.

    Raises:
        UserError: the edition comes by category and none is named, one is unknown, or it has no categories.
    """
    if not any("{category}" in each.url for each in edition.downloads):
        if categories:
            raise UserError(f"{dataset.name} has no categories", hint="leave --category out")
        return list(edition.downloads)
    known = edition.categories or dataset.categories
    hint = f"there are: {', '.join(known)}"
    if not categories:
        raise UserError(f"which categories of {dataset.name}? Name them with --category", hint=hint)
    for name in categories:
        if name not in known:
            found = f"{dataset.name} {edition.name} has no category {name!r}{nearest(name, known)}"
            raise UserError(found, hint=hint)
    return [each.of(name) for name in dict.fromkeys(categories) for each in edition.downloads]


def fetch(dataset: Dataset, edition: Edition, categories: Sequence[str], root: Path) -> list[Path]:
    """Download what is not there yet, and unpack archives; a run that was stopped goes on.

    Returns:
        The files that make up the edition, in its folder.

    Raises:
        UserError: see `download.download`; or a file of that name and of another content is there already.
    """
    folder = dataset.place(root)
    layout = next(each for each in dataset.layouts if each.name == edition.layout)
    patterns = [each for pattern in layout.files for each in pattern.lstrip("?").split("|")]
    wanted = downloads(dataset, edition, categories)
    folder.mkdir(parents=True, exist_ok=True)
    found = [path for source in wanted for path in _bring(source, folder, patterns)]
    return list(dict.fromkeys(found))


def _bring(source: Download, folder: Path, patterns: Sequence[str]) -> list[Path]:
    if finished := _receipt(source, folder):
        say(f"  {source.file}: is there already")
        return finished
    target, part = folder / source.file, folder / f"{source.file}.part"
    packed = target.suffix == ".zip"
    if target.exists():  # brought by hand, or by another program
        _same_content(target, source)
        paths = _unpack(target, folder, patterns) if packed else [target]
    else:
        download(source, part)
        paths = _unpack(part, folder, patterns) if packed else [part.rename(target)]
        forget(part)
    sizes = {path.name: path.stat().st_size for path in paths}
    receipt = json.dumps({"url": source.url, "files": sizes})
    _receipt_file(source, folder).write_text(receipt, encoding="utf-8")
    return paths


def _receipt_file(source: Download, folder: Path) -> Path:
    return folder / f".{source.file}.fetched"


def _receipt(source: Download, folder: Path) -> list[Path]:
    """The files that came of this download, if they are still there as they were; else none."""
    try:
        receipt = json.loads(_receipt_file(source, folder).read_text(encoding="utf-8"))
        sizes = {folder / name: size for name, size in receipt["files"].items()}
        whole = receipt["url"] == source.url and all(
            path.stat().st_size == size for path, size in sizes.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return list(sizes) if whole else []


def _same_content(target: Path, source: Download) -> None:
    """By checksum, else by size, as far as either is known."""
    algorithm = source.checksum.partition(":")[0]
    if source.checksum and digest(target, algorithm) == source.checksum:
        return
    size = source.size or _size_on_server(source.url)
    if not source.checksum and size == target.stat().st_size:
        say(f"  {source.file}: a file of the published size is there already")
        return
    raise _differs(target)


def _size_on_server(url: str) -> int | None:
    import httpx2

    try:
        answer = httpx2.head(
            url, follow_redirects=True, headers={"Accept-Encoding": "identity"}, timeout=30.0
        )
    except httpx2.HTTPError:
        return None
    length = answer.headers.get("Content-Length", "")
    return int(length) if answer.status_code == 200 and length.isdecimal() else None


def _differs(target: Path) -> UserError:
    found = "is there already, and not known to be the same as the published one"
    return UserError(found, where=str(target), hint="move it away, or give another --root")


def _unpack(archive: Path, folder: Path, patterns: Sequence[str]) -> list[Path]:
    """The members that match a pattern, straight into the folder.

    Raises:
        UserError: the archive is broken, a member would leave the folder, none matches, or one is there with
        another content.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _chosen(opened, archive, patterns)
            room(folder, sum(member.file_size for member in members if not (folder / _name(member)).exists()))
            return [_write(opened, member, folder / _name(member)) for member in members]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as broken:
        raise UserError(
            f"cannot be unpacked: {broken}", where=str(archive), hint="delete it and fetch it again"
        ) from None


def _chosen(opened: zipfile.ZipFile, archive: Path, patterns: Sequence[str]) -> list[zipfile.ZipInfo]:
    members = [member for member in opened.infolist() if not member.is_dir()]
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            found = f"holds a member that would leave its folder: {member.filename!r}"
            raise UserError(found, where=str(archive), hint="do not use this archive")
    chosen = [one for one in members if any(PurePosixPath(_name(one)).match(each) for each in patterns)]
    if not chosen:
        raise UserError(
            f"holds none of {', '.join(patterns)}", where=str(archive), hint="look into it by hand"
        )
    return chosen


def _name(member: zipfile.ZipInfo) -> str:
    """Archives hold one folder of their own; its files are wanted without it."""
    return PurePosixPath(member.filename.replace("\\", "/")).name


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> Path:
    if target.exists():
        if target.stat().st_size != member.file_size or _crc(target) != member.CRC:
            raise _differs(target)
        return target
    unfinished = target.with_name(f"{target.name}.part")
    bar = progress(f"unpacking {target.name}", -(-member.file_size // _BLOCK), "MiB")
    with opened.open(member) as packed, unfinished.open("wb") as stream, bar as advance:
        while block := packed.read(_BLOCK):
            stream.write(block)
            advance(1)
    return unfinished.rename(target)


def _crc(path: Path) -> int:
    value = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value
