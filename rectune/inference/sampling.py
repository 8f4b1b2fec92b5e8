"""Sampling: one chain of llama.cpp's samplers per sequence, with a grammar if one is given."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rectune.core.errors import UserError
from rectune.core.settings import SamplingConfig
from rectune.inference.requests import GenerationRequest
from rectune.inference.vocabulary import Vocabulary

_PENALISED = 64  # tokens back that the repetition penalty looks
_SEEDS = 0xFFFFFFFF  # llama.cpp takes this very seed for "random"
_LONGEST = 20_000  # bytes of a grammar: llama.cpp reads by recursion and a deep one would end the process
_HINT = "correct the grammar: llama.cpp's GBNF with a rule named root"


class Sampler:
    """The samplers of one sequence. The repetition penalty sees what was generated, not the prompt.

    Raises:
        UserError: llama.cpp rejects the grammar, or a JSON schema is given.
    """

    def __init__(self, request: GenerationRequest, vocabulary: Vocabulary) -> None:
        self._size = vocabulary.size
        if request.json_schema:
            raise UserError("the engine in this process takes no JSON schema", hint="give it a grammar")
        self._grammar = _grammar(vocabulary, request.grammar) if request.grammar else None
        self._chain: Any = _chain(request.sampling, request.seed, vocabulary.size)

    def choose(self, context: Any, row: int) -> int:
        """A token from the logits of the batch's token number `row`.

        Raises:
            UserError: the grammar allows no token here.
        """
        import llama_cpp

        if self._grammar is None:
            return int(llama_cpp.llama_sampler_sample(self._chain, context, row))
        return self._choose_allowed(context, row)

    def _choose_allowed(self, context: Any, row: int) -> int:
        """The same with the grammar first; llama.cpp would end the process where it allows no token."""
        import llama_cpp
        import numpy as np

        logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, row), shape=(self._size,))
        known = np.empty(self._size, [("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        known["id"], known["logit"], known["p"] = np.arange(self._size), logits, 0
        data = known.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data))
        tokens = llama_cpp.llama_token_data_array(data=data, size=self._size, selected=-1, sorted=False)
        llama_cpp.llama_sampler_apply(self._grammar, ctypes.byref(tokens))
        if known["logit"].max() == -np.inf:
            raise UserError("the grammar allows nothing more and does not end here", hint=_HINT)
        llama_cpp.llama_sampler_apply(self._chain, ctypes.byref(tokens))
        chosen = int(tokens.data[tokens.selected].id)
        for sampler in (self._grammar, self._chain):
            llama_cpp.llama_sampler_accept(sampler, chosen)
        return chosen

    def free(self) -> None:
        """Free the samplers; doing it twice does no harm."""
        import llama_cpp

        for sampler in filter(None, (self._grammar, self._chain)):
            llama_cpp.llama_sampler_free(sampler)
        self._grammar = self._chain = None


def _chain(sampling: SamplingConfig, seed: int, vocabulary: int) -> Any:
    import llama_cpp

    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    links = []
    if sampling.repeat_penalty not in (0.0, 1.0):
        penalty = sampling.repeat_penalty
        links.append(llama_cpp.llama_sampler_init_penalties(vocabulary, _PENALISED, penalty, 0.0, 0.0))
    if sampling.temperature == 0.0:
        links.append(llama_cpp.llama_sampler_init_greedy())
    else:
        links.append(llama_cpp.llama_sampler_init_top_k(sampling.top_k))
        links.append(llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1))
        links.append(llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1))
        links.append(llama_cpp.llama_sampler_init_temp(sampling.temperature))
        links.append(llama_cpp.llama_sampler_init_dist(seed % _SEEDS))
    for link in links:
        llama_cpp.llama_sampler_chain_add(chain, link)
    return chain


def _grammar(vocabulary: Vocabulary, text: str) -> Any:
    """A sampler that lets only what the grammar allows through."""
    import llama_cpp

    raw = text.encode("utf-8", "replace")
    if b"\0" in raw or len(raw) > _LONGEST:
        found = f"the grammar has {len(raw)} bytes (at most {_LONGEST}) or a null byte"
        raise UserError(found, hint=_HINT)
    with _overheard() as said:
        made = llama_cpp.llama_sampler_init_grammar(vocabulary.pointer, raw, b"root")
    if made:
        return made
    _, _, reason = said[0].partition("error parsing grammar: ")
    reason = " ".join(reason.split())[:200] or "no rule named root, or a rule that begins with itself"
    raise UserError(f"llama.cpp does not take the grammar: {reason}", hint=_HINT)


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """Catches the process's standard error: only there does llama.cpp say what is wrong with a grammar."""
    said: list[str] = []
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        try:
            os.dup2(caught.fileno(), 2)
            yield said
        finally:
            os.dup2(screen, 2)
            os.close(screen)
            caught.seek(0)
            said.append(caught.read().decode(errors="replace"))
