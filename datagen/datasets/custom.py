"""The registry's entry of a dataset of one's own, which `rectune.readers.custom` reads."""

from __future__ import annotations

import functools
from pathlib import Path

from rectune.core.settings import CustomDatasetConfig
from rectune.datagen.datasets.entry import Dataset, Layout
from rectune.readers.custom import interactions_of, read, reviews


def dataset(name: str, spec: CustomDatasetConfig, root: Path) -> Dataset:
    """The registry's entry of such a dataset; its layout is ordered if its interactions have a column of
    times.

    Raises:
        UserError: the recipe's words do not fit the files.
    """
    events = root / spec.interactions
    there = bool(spec.interactions) and events.is_file()  # what is missing is `registry.locate`'s to say
    ordered = there and "timestamp" in interactions_of(events, spec).columns().taken
    files = tuple(filter(None, (spec.items, spec.interactions))) + tuple(join.file for join in spec.joins)
    layout = Layout(
        "custom",
        files,
        functools.partial(read, spec=spec),
        ordered=ordered,
        reviews=functools.partial(reviews, spec=spec),
    )
    return Dataset(
        name=name,
        domain=spec.domain,
        publisher="a dataset of one's own",
        home=f"data.custom.{name} of the recipe",
        licence=spec.licence,
        redistributable=spec.redistributable,
        liked=spec.positive_threshold,
        why_liked="the recipe says so",
        people=spec.people or name,
        layouts=(layout,),
        folder=".",
    )
