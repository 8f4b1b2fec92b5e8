"""The artifact store: the only code that knows about keys, skipping, partial work and manifests.

    runs/<stage>/<key>/          a finished artifact: the stage's files, run.log, config.yaml (the sections it
                                 read), recipe.yaml (all of the run's), manifest.json (written last)
    runs/<stage>/<key>.partial/  work in progress or interrupted; the next run resumes from it
    runs/<stage>/<key>.lock      held while a process works on it
    runs/by-recipe/<recipe>/<stage>  links for people; `resolve` reads them
    runs/by-recipe/<recipe>.recipe   which file bears that name
    runs/digests.sqlite          digests of raw and model files (rectune/core/digests.py)
    runs/generations.sqlite      the generation cache (rectune/inference/generation_cache.py)
    runs/rankers/                fitted rankers of earlier runs (rectune/rankers/fit_cache.py)

A key hashes the stage's name and version, the settings that change its result, the keys of its inputs and the
digests of what it reads from outside. A folder whose key exists is complete: the rename to its final name is
the last step.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rectune.core.digests import DigestCache, content_digest
from rectune.core.errors import UserError
from rectune.core.package_data import find_recipe, recipe_argument
from rectune.core.types import content_id

KEY_LENGTH = 16  # hex digits: 64 bits, far beyond what any store will hold
MANIFEST, CONFIG = "manifest.json", "config.yaml"


@dataclass(frozen=True)
class CacheKey:
    """All that determines a stage's result; equal contents give an equal key."""

    stage: str
    version: int
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    outside: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The artifact's name in the store."""
        parts = (self.stage, self.version, self.config, self.inputs, self.outside)
        return content_id(*parts)[:KEY_LENGTH]


@dataclass(frozen=True)
class WorkDir:
    """A stage's partial folder and the descriptor of its lock, which a child process inherits."""

    folder: Path
    lock: int


class ArtifactStore:
    """Artifacts under one root folder, which is made when something is put into it.

    Raises:
        UserError: a file stands where the folder is wanted.
    """

    def __init__(self, root: Path = Path("runs")) -> None:
        self.root = root
        if root.exists() and not root.is_dir():
            hint = "give a folder with --runs, or move the file away"
            raise UserError("is a file, and the artifact store is a folder", where=str(root), hint=hint)

    def folder(self, stage: str, key: str) -> Path:
        """Where the artifact is, or will be."""
        return self.root / stage / key

    def finished(self, stage: str, key: str) -> bool:
        """Whether the artifact is complete."""
        return (self.folder(stage, key) / MANIFEST).is_file()

    def begun(self, stage: str, key: str) -> bool:
        """Whether an interrupted attempt left work behind."""
        return self._partial(stage, key).is_dir()

    def manifest(self, stage: str, key: str) -> dict[str, Any]:
        """What was written when the artifact was finished.

        Raises:
            UserError: the artifact is not there, or its manifest is damaged.
        """
        return read_manifest(self.folder(stage, key))

    @contextmanager
    def work(self, stage: str, key: str) -> Iterator[WorkDir]:
        """Hold the key's lock and work in its partial folder, which keeps what an earlier attempt left.

        Raises:
            UserError: another process works on the same key.
        """
        partial = self._partial(stage, key)
        partial.mkdir(parents=True, exist_ok=True)
        lock = os.open(partial.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"another run is working on {stage} with the same settings",
                    where=str(partial),
                    hint="wait for it to end, or stop it, then run the same command again",
                ) from None
            yield WorkDir(partial, lock)
        finally:
            os.close(lock)

    def finish(self, stage: str, key: str, manifest: Mapping[str, Any]) -> Path:
        """Make the partial folder final: list and fsync its files, write the manifest last, rename."""
        partial, final = self._partial(stage, key), self.folder(stage, key)
        files = {
            str(path.relative_to(partial)): path for path in sorted(partial.rglob("*")) if path.is_file()
        }
        files.pop(MANIFEST, None)
        sizes = {
            name: {"size": path.stat().st_size, "digest": content_digest(path)}
            for name, path in files.items()
        }
        for path in files.values():
            _fsync(path)
        write_atomically(
            partial / MANIFEST, json.dumps({**manifest, "files": sizes}, ensure_ascii=False, indent=1)
        )
        for folder in {path.parent for path in files.values()} | {partial}:
            _fsync(folder)
        if final.exists():  # made again on demand: the old result goes only now that the new one is whole
            shutil.rmtree(final)
        partial.replace(final)
        _fsync(final.parent)
        return final

    def link(self, recipe: str, stage: str, key: str) -> None:
        """Point runs/by-recipe/<recipe>/<stage> at the artifact, replacing the link in one step."""
        link = self.root / "by-recipe" / recipe / stage
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh = link.with_name(f".{stage}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path("../..") / stage / key)
        fresh.replace(link)

    def name_of(self, recipe: Path) -> str:
        """The name under which a recipe's results are linked: its file's, with its folder's in front where
        that is taken.

        A name is taken while the recipe that bears it is still there.
        """
        path = find_recipe(recipe).resolve()
        parts = path.with_suffix("").parts[1:]
        for count in range(1, len(parts) + 1):
            bearer = self.root / "by-recipe" / ("-".join(parts[-count:]) + ".recipe")
            known = Path(bearer.read_text(encoding="utf-8")) if bearer.is_file() else path
            if known == path or not known.is_file() or count == len(parts):
                break
        bearer.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(bearer, str(path))
        return bearer.name.removesuffix(".recipe")

    def resolve(self, recipe: str, stage: str) -> Path:
        """The artifact that a recipe's last run made or used for a stage.

        Raises:
            UserError: no run of the recipe has come that far.
        """
        link = self.root / "by-recipe" / recipe / stage
        if not (link / MANIFEST).is_file():
            raise UserError(
                f"the recipe {recipe} has no finished {stage}",
                where=str(link),
                hint=f"run: rectune run {recipe_argument(recipe)} --until {stage}",
            )
        return link.resolve()

    def keys(self, stage: str) -> list[str]:
        """The keys of a stage's finished artifacts, sorted."""
        return [folder.name for folder in self._artifacts() if folder.parent.name == stage]

    def digest(self, path: Path) -> str:
        """Digest of a raw file's content; see `DigestCache`."""
        return DigestCache(self.root).digest(path)

    def verify(self) -> Iterator[tuple[Path, list[str]]]:
        """Re-hash all finished artifacts; yields each folder and its missing, changed or extra files."""
        for folder in self._artifacts():
            wanted = read_manifest(folder)["files"]
            found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
            bad = sorted(found ^ set(wanted))
            bad += [
                n for n in sorted(found & set(wanted)) if content_digest(folder / n) != wanted[n]["digest"]
            ]
            yield folder, bad

    def unlinked(self) -> list[Path]:
        """What no recipe needs and no process uses: `clean` deletes it.

        Finished and partial folders that no recipe links to, and the rankers that `fit` keeps for later runs.
        """
        linked = {link.resolve() for link in self.root.glob("by-recipe/*/*")}
        partials = [p for p in self.root.glob("*/*.partial") if p.is_dir() and not self._locked(p)]
        kept = [path for path in [self.root / "rankers"] if path.is_dir()]
        return [p for p in [*self._artifacts(), *sorted(partials), *kept] if p.resolve() not in linked]

    def remove(self, folder: Path) -> None:
        """Delete one folder that `unlinked` named."""
        shutil.rmtree(folder)
        folder.with_suffix(".lock").unlink(missing_ok=True)

    def _artifacts(self) -> list[Path]:
        return sorted(
            path.parent for path in self.root.glob(f"*/*/{MANIFEST}") if path.parent.suffix != ".partial"
        )

    def _partial(self, stage: str, key: str) -> Path:
        return self.root / stage / f"{key}.partial"

    @staticmethod
    def _locked(partial: Path) -> bool:
        try:
            with partial.with_suffix(".lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished artifact.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("not a finished artifact", where=str(folder), hint="run its stage first") from None
    except (OSError, ValueError) as damaged:
        raise UserError(
            f"damaged manifest: {damaged}", where=str(path), hint="delete its folder, run again"
        ) from None
    return manifest


def generation_cache_path(out: Path) -> Path:
    """The generation cache of the artifact store that the stage folder `out` is in."""
    return out.resolve().parent.parent / "generations.sqlite"


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or not at all, also after a power cut."""
    fresh = path.with_name(path.name + ".fresh")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
