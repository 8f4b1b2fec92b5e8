"""What works without any extra, and what then names its extra: `without_extras.py refuse|installed FOLDER`.

Under `refuse` every module of the extras is as if it was not installed, and what each call that needs one
says is printed too. Under `installed` only what works is tried, with what is installed.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rectune.core.extras import EXTRAS, extra_of

RANKERS = ("random", "popularity", "recent_popularity", "bm25", "item_knn", "svd", "ease", "als")
TITLES = ("Alien", "Aliens", "Alien Planet", "Baking Bread", "Baking Cakes", "Bread and Cakes")


class Refuse:
    """A finder that lets no module of an extra be found."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Refuse as the interpreter does."""
        if extra_of(name):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def command(*words: str) -> tuple[int, str]:
    """The exit status of a command of rectune, and what it wrote; it opens the standard streams anew."""
    from rectune.cli.main import main

    sys.argv, kept, status = ["rectune", *words], [os.dup(number) for number in (1, 2)], 0
    with tempfile.TemporaryFile() as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            for number, stream in zip((1, 2), (sys.stdout, sys.stderr), strict=True):
                stream.flush()
                os.dup2(kept[number - 1], number)
        file.seek(0)
        return status, file.read().decode("utf-8", "replace")


def domain_data() -> Any:
    """Six items of two tastes, and likes of either."""
    import numpy as np

    from rectune.core.types import Item
    from rectune.rankers.domain_data import DomainData, TrainLikes

    items = [Item("movies", f"m{number}", title) for number, title in enumerate(TITLES)]
    users, liked = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 3, 4, 5])
    return DomainData("movies", items, lambda: TrainLikes(tuple(i.item_id for i in items), users, liked))


def rank(name: str, folder: Path) -> list[str]:
    """The best two for somebody who liked the first item, by a ranker that was saved and loaded."""
    from rectune.rankers.base import fit_ranker

    fitted = fit_ranker(name, domain_data())
    fitted.save(folder / name)
    loaded = type(fitted).load(folder / name)
    one, other = (ranker.score([["m0"]], [["m1", "m4"]])[0].tolist() for ranker in (fitted, loaded))
    assert one == other
    return [item.item_id for item in loaded.top([["m0"]], 2)[0]]


def recommended(folder: Path) -> list[str]:
    """What a recommender of two tables recommends to somebody who liked the first item."""
    import rectune

    catalogue, interactions = folder / "catalogue.csv", folder / "interactions.csv"
    catalogue.write_text("item_id,title\n" + "".join(f"m{n},{title}\n" for n, title in enumerate(TITLES)))
    interactions.write_text("user_id,item_id\nu1,m0\nu1,m2\nu2,m3\nu2,m4\n")
    maker = rectune.Recommender.fit(interactions, catalogue, ranker="item_knn", folder=folder / "kept")
    return [item.item_id for item in maker.recommend(history=["Alien"], k=1).items]


def korean() -> list[Any]:
    """The best Korean title of two queries by pairs of letters, and what was said, which is once."""
    from rectune.core.progress import set_stream
    from rectune.core.types import Item
    from rectune.rankers.baselines import Bm25
    from rectune.rankers.domain_data import DomainData

    said = io.StringIO()
    set_stream(said)
    ranker = Bm25().fit(DomainData("d", [Item("d", "a", "축구 경기"), Item("d", "b", "김치 담그기")]))
    best = [ranker.top_for_text(query, 1)[0].item_id for query in ("축구를", "김치를")]
    set_stream(sys.stderr)
    return [*best, said.getvalue().count("pairs of letters")]


def works(folder: Path) -> dict[str, Any]:
    """What every path that needs no extra returns."""
    import rectune
    from rectune.filters.score import response_score
    from rectune.readers.catalogue import read_catalogue

    (folder / "items.csv").write_text("title,genre\n" + "".join(f"{title},film\n" for title in TITLES))
    found = {
        "catalogue": [item.title for item in read_catalogue(folder / "items.csv").items],
        "score": response_score([1, 2, 1, 2]),
        "help": command("--help"),
        "plan": command("plan", "demo", "--runs", str(folder / "plan")),
        "doctor": command("doctor"),
        "recommended": recommended(folder),
        "public": [name for name in rectune.__all__ if getattr(rectune, name, None) is None],
        "korean": korean(),
        "rankers": {name: rank(name, folder) for name in RANKERS},
    }
    return found | {
        "loaded": sorted(name for modules in EXTRAS.values() for name in modules if name in sys.modules)
    }


def said(call: Callable[[], Any]) -> tuple[str, str]:
    """The kind of error that a call ends with, and its text."""
    try:
        call()
    except Exception as error:
        return type(error).__name__, str(error)
    return "", ""


def refused(folder: Path) -> dict[str, Sequence[Any]]:
    """What each thing that needs an extra says: the error's kind or the exit status, and the words."""
    from rectune.core.recipe import load_recipe
    from rectune.core.settings import EngineConfig
    from rectune.evaluation import report
    from rectune.filters.responses import filter_responses
    from rectune.inference.cluster import RayBackend
    from rectune.inference.engine import Engine
    from rectune.rankers.base import fit_ranker
    from rectune.train import sft

    recipe, runs = load_recipe(Path("demo"), []), ("--runs", str(folder / "runs"))
    (folder / "texts.jsonl").write_text('{"text": "one two"}\n')
    (folder / "model.gguf").write_bytes(b"GGUF")
    items = ("--catalogue", str(folder / "items.csv"), "--model", str(folder / "model.gguf"))
    return {
        "embedding_mean": said(lambda: fit_ranker("embedding_mean", domain_data()).score([["m0"]], [["m1"]])),
        "Engine": said(lambda: Engine(folder / "model.gguf")),
        "RayBackend": said(lambda: RayBackend(folder / "model.gguf", EngineConfig(workers=2))),
        "filter_responses": said(lambda: filter_responses([{"response": "one two"}])),
        "sft": said(lambda: sft.run(recipe, {}, folder)),
        "report": said(lambda: report.run(recipe, {}, folder / "report")),
        "rectune run": command("run", "demo", *runs),
        "rectune tag": command("tag", "demo", *runs),
        "rectune score": command("score", str(folder / "texts.jsonl")),
        "rectune recommend": command("recommend", *items, "--query", "bread", *runs),
        "rectune plan --show-deepspeed": command("plan", "demo", "--show-deepspeed", *runs),
        "rectune plan --estimate": command("plan", "demo", "--estimate", *runs),
    }  # fmt: skip


if __name__ == "__main__":
    mode, place = sys.argv[1], Path(sys.argv[2])
    if mode == "refuse":
        sys.meta_path.insert(0, Refuse())  # type: ignore[arg-type]
    answer: dict[str, Any] = {"works": works(place)}
    if mode == "refuse":
        answer["refused"] = refused(place)
    print(json.dumps(answer))
