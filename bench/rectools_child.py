"""SASRec of RecTools on exported likes; runs in an environment of its own, without rectune.

`python bench/rectools_child.py FOLDER LENGTH`: reads likes.csv (user, item, place, part) of the folder, part
0 for training, 1 for validation, 2 for tests; writes ranks.csv (user, rank of the test's like, 0: not among
the first 10) and figures.json. Training goes on by `ROUND` epochs until NDCG@10 of validation has not got
better for `PATIENCE` rounds: with two it ends on the plateau on which such networks stay for long.
"""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from pytorch_lightning import seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

K, ROUND, PATIENCE, MOST = 10, 5, 10, 40  # items of a list; epochs of a round; rounds


def dataset_of(likes: pd.DataFrame) -> Any:
    """Likes with columns user, item, place as a dataset: places are seconds."""
    about = {
        Columns.User: likes["user"],
        Columns.Item: likes["item"],
        Columns.Weight: 1.0,
        Columns.Datetime: pd.to_datetime(likes["place"], unit="s"),
    }
    return Dataset.construct(pd.DataFrame(about))


def ranks_of(model: Any, seen: pd.DataFrame, asked: pd.DataFrame) -> dict[int, int]:
    """By user, the rank of what is asked for among the first 10 after what was seen; 0 where it is not."""
    users = asked["user"].to_numpy()
    lists = model.recommend(users, dataset_of(seen), k=K, filter_viewed=True, on_unsupported_targets="warn")
    merged = asked.merge(lists, left_on=["user", "item"], right_on=[Columns.User, Columns.Item], how="left")
    return dict(zip(merged["user"], merged[Columns.Rank].fillna(0).astype(int), strict=True))


def ndcg(ranks: dict[int, int]) -> float:
    """The mean of 1/log2(1 + rank)."""
    return sum(1 / math.log2(1 + rank) for rank in ranks.values() if rank) / max(len(ranks), 1)


def main() -> None:
    """See the module."""
    folder, length = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    likes = pd.read_csv(folder / "likes.csv")
    train, validation, test = (likes[likes["part"] == part] for part in range(3))
    seed_everything(0, verbose=False)
    model = SASRecModel(
        n_factors=64, n_blocks=2, n_heads=2, dropout_rate=0.2, session_max_len=length, loss="softmax", lr=1e-3
    )
    gains: list[float] = []
    begun, best = time.process_time(), dict[int, int]()
    while len(gains) < MOST and (not gains or len(gains) - gains.index(max(gains)) <= PATIENCE):
        model.fit_partial(dataset_of(train), min_epochs=ROUND, max_epochs=ROUND)
        gains.append(ndcg(ranks_of(model, train, validation)))
        if gains[-1] == max(gains):
            best = ranks_of(model, pd.concat([train, validation]), test)
    seconds = time.process_time() - begun
    pd.DataFrame({"user": list(best), "rank": list(best.values())}).to_csv(folder / "ranks.csv", index=False)
    epochs = ROUND * (gains.index(max(gains)) + 1)
    (folder / "figures.json").write_text(
        json.dumps({"seconds": seconds, "epochs": epochs, "validation": max(gains)})
    )


if __name__ == "__main__":
    main()
