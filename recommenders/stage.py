"""The stage `recommend`: one history and one query of each domain, answered with real items."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recommenders.claims import ground_in
from recommenders.generative import GenerativeRecommender, Recommendation, from_prompt
from rectune.catalogue import Catalogue, load_catalogue
from rectune.recipe import Recipe
from rectune.rows import read_rows
from rectune.runs import ledger_path, write_atomically
from rectune.types import Prompt


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Write recommendations.json and index/ (LanceDB, the whole catalogue).

    recommendations.json lists, for each prompt shown: `domain`, `scenario`, `history` (titles), `query`,
    `answer` (the model's text), `named` (whether that text names one of our items itself), `target` (the
    title really taken) and `items` (item_id, title, how, similarity; best first).
    """
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    items = list(catalogue.items.values())
    prompts = shown_prompts(read_rows(inputs["queries"] / "prompts.parquet", Prompt))
    grounding = ground_in(items, out / "index", config.retrieval.embedder)
    model = inputs["export"] / "model.gguf"
    recommender = GenerativeRecommender(model, grounding, config.retrieval, ledger_path(out))
    found = recommender.recommend_all([from_prompt(prompt, catalogue) for prompt in prompts])
    records = [_record(*pair, catalogue) for pair in zip(prompts, found, strict=True)]
    write_atomically(out / "recommendations.json", json.dumps(records, ensure_ascii=False, indent=1))
    return {
        "rows_in": len(prompts),
        "rows_out": len(found),
        "indexed": len(items),
        "grounded_by": grounded_by(found),
    }


def shown_prompts(prompts: Sequence[Prompt]) -> list[Prompt]:
    """The first direct test prompt of each domain and scenario."""
    first: dict[tuple[str, str], Prompt] = {}
    for prompt in prompts:
        if prompt.split == "test" and prompt.form == "direct":
            first.setdefault((prompt.domain, prompt.scenario), prompt)
    return [first[key] for key in sorted(first)]


def grounded_by(recommendations: Sequence[Recommendation]) -> dict[str, float]:
    """Share of the answers whose first item was found by each step of grounding."""
    counts = Counter(r.items[0].how if r.items else "nothing" for r in recommendations)
    return {how: count / len(recommendations) for how, count in sorted(counts.items())}


def _record(prompt: Prompt, recommendation: Recommendation, catalogue: Catalogue) -> dict[str, Any]:
    return {
        "prompt_id": prompt.id,
        "domain": prompt.domain,
        "scenario": prompt.scenario,
        "history": list(recommendation.request.history),
        "query": prompt.query,
        "answer": recommendation.answer,
        "named": recommendation.named is not None,
        "target": catalogue.get(prompt.domain, prompt.target).title,
        "items": [asdict(item) for item in recommendation.items],
    }
