"""/v1/rerank: documents in the order of their nearness to a query, by the embedder of the index."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from rectune.serving.answers import NotFound
from rectune.serving.api.bodies import PROBLEMS
from rectune.serving.state import state_of

router = APIRouter(prefix="/v1", tags=["models"], responses=PROBLEMS)

PREFIX = "embedder/"  # in the names of models, so that they are not taken for those that write


class TextDocument(BaseModel):
    """A document as an object."""

    text: Annotated[str, Field(max_length=20_000)]


class RerankBody(BaseModel):
    """What is put into order."""

    model: str = ""
    query: Annotated[str, Field(min_length=1, max_length=4000)]
    documents: Annotated[
        list[Annotated[str, Field(max_length=20_000)] | TextDocument], Field(min_length=1, max_length=256)
    ]
    top_n: Annotated[int, Field(ge=1)] | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"query": "space", "documents": ["A film about bread", "A film about the moon"]}]
        }
    )


class RerankResult(BaseModel):
    """A document by its place among those given, and how near it is: (1 + cosine) / 2, 0 to 1."""

    index: int
    relevance_score: float


class RerankAnswer(BaseModel):
    """The documents, the nearest first."""

    model: str
    results: list[RerankResult]


@router.post("/rerank", response_model=RerankAnswer)
def rerank(request: Request, body: RerankBody) -> RerankAnswer:
    """Order documents by their nearness to a query, by embeddings; no language model judges them."""
    from rectune.retrieval.embedding import embed

    service = state_of(request).service
    embedder = service.recommender.retrieval.embedder
    if body.model not in ("", PREFIX + embedder):
        raise NotFound("there is no such model for ranking", hint=f"give {PREFIX}{embedder}")
    texts = [one if isinstance(one, str) else one.text for one in body.documents]
    with service.lock:
        vectors = embed([body.query, *texts], embedder)
    scores = ((1 + vectors[1:] @ vectors[0]) / 2).clip(0, 1).tolist()
    order = sorted(range(len(texts)), key=lambda at: -scores[at])[: body.top_n]
    results = [RerankResult(index=at, relevance_score=scores[at]) for at in order]
    return RerankAnswer(model=PREFIX + embedder, results=results)
