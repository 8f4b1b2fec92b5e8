"""Digests of a stage's source: the modules that its function imports, directly or not, and data files.

These are modules imported anywhere, also inside functions, and those that tables name as
`rectune.module:Name` (stages, rankers, dataset readers), but not what is imported only for types. Of a
package with such a module all data files count: templates, words, styles.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

PACKAGE = "rectune"
ROOT = Path(__file__).parents[1]  # the folder of the package

_SPELLED = re.compile(rf"""["']({PACKAGE}(?:\.\w+)+)(?::\w+)?["']""")  # what a table of modules holds


@functools.cache
def source_digests(module: str) -> dict[str, str]:
    """BLAKE2b, 16 hex digits, of every file that a module may depend on, by its path in the package.

    Args:
        module: full name of a module of rectune.
    """
    files = sorted(_files(reached(module)))
    return {path.relative_to(ROOT).as_posix(): _digest(path) for path in files}


def changed_since(module: str, before: Mapping[str, str]) -> list[str]:
    """Files that a module depends on, now or then, and that have changed; paths, sorted.

    Args:
        module: full name of a module of rectune.
        before: what `source_digests` returned then.
    """
    # Where no file of then has changed, the imports have not either: only data files may have come. No file
    # is parsed.
    programs = {ROOT / path for path in before if path.endswith(".py")}
    if programs and _unchanged(before) and len(before) == len(_with_data(programs)):
        return []
    now = source_digests(module)
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def _unchanged(before: Mapping[str, str]) -> bool:
    return all((ROOT / path).is_file() and _digest(ROOT / path) == digest for path, digest in before.items())


@functools.cache
def reached(module: str) -> frozenset[str]:
    """The module and all modules of rectune that it reaches, with the packages that they are in."""
    found, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name in found or not (path := module_file(name)):
            continue
        found.add(name)
        if name != PACKAGE:  # the public interface names everything, and no stage uses it
            waiting += [*_names(path), name.rpartition(".")[0]]
    return frozenset(found)


def module_file(module: str) -> Path | None:
    """The file of a module of rectune; of a package its `__init__.py`; None where there is none."""
    first, *rest = module.split(".")
    if first != PACKAGE:
        return None
    place = ROOT.joinpath(*rest)
    files = (place / "__init__.py", place.with_suffix(".py")) if rest else (place / "__init__.py",)
    return next((path for path in files if path.is_file()), None)


@functools.cache
def _names(path: Path) -> tuple[str, ...]:
    """Names that may be modules of rectune: those that a file imports, and those that its strings spell."""
    text = path.read_text(encoding="utf-8")
    named = [*_imported(ast.parse(text)), *_SPELLED.findall(text)]
    return tuple(dict.fromkeys(name for name in named if name.startswith(PACKAGE)))


def _imported(block: ast.AST) -> Iterator[str]:
    """The imports of a block's statements and nested blocks; expressions are skipped."""
    for part in ("body", "orelse", "handlers", "finalbody", "cases"):
        if part == "body" and isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test):
            continue
        for node in getattr(block, part, ()):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield str(node.module)
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield from _imported(node)


def _files(modules: Iterable[str]) -> set[Path]:
    return _with_data({path for module in modules if (path := module_file(module))})


def _with_data(programs: set[Path]) -> set[Path]:
    """These modules' files, and the data files of the packages that they are in."""
    folders = {path.parent for path in programs} - {ROOT}
    return programs.union(*map(_data_files, folders))


@functools.cache
def _data_files(folder: Path) -> frozenset[Path]:
    """The data files of a package, without those of packages in it."""
    found = set[Path]()
    for path in folder.iterdir():
        if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists():
            found |= _data_files(path)
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            found.add(path)
    return frozenset(found)


@functools.cache
def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
