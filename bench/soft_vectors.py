"""`python -m bench.soft_vectors`: whether llama.cpp reads vectors among tokens as torch does, and how fast.

A prompt of A-LLMRec's shape (titles, each with a random vector of the size of an input embedding) and twenty
answers behind it, in one sequence of the embedded model. torch and llama.cpp have the same weights (GGUF
files of the dequantised checkpoint). llama.cpp takes a batch of tokens or one of vectors, not both: the
prompt is given once as runs of either, in turn, and once as vectors alone, with the tokens' own input
embeddings in place of tokens. Prints how far log-probabilities are apart, and processor seconds a prompt, on
one thread.
"""

from __future__ import annotations

import argparse
import ctypes
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import torch

from rectune.models.gguf import to_gguf
from rectune.models.prepare import make_checkpoint
from rectune.models.reference import locate
from rectune.rankers.allmrec.language_model import FrozenLanguageModel, open_language_model
from rectune.rankers.allmrec.likelihoods import answer_logs

VECTOR = -1  # in place of a token
TITLES, ANSWERS, CONTEXT = 30, 20, 2048
Logs = list[list[float]]


class LlamaReader:
    """llama.cpp's low-level interface on one model, with as many sequences as answers and the prompt."""

    def __init__(self, file: Path, width: int) -> None:
        import llama_cpp

        self.lib, self.width = llama_cpp, width
        llama_cpp.llama_log_set(_SILENT, ctypes.c_void_p())
        self.model = llama_cpp.llama_model_load_from_file(
            str(file).encode(), llama_cpp.llama_model_default_params()
        )
        options = llama_cpp.llama_context_default_params()
        options.n_ctx = options.n_batch = options.n_ubatch = CONTEXT
        options.n_seq_max, options.kv_unified = ANSWERS + 1, True
        options.n_threads = options.n_threads_batch = 1
        options.flash_attn_type = 0
        options.type_k = options.type_v = 0  # F32, as in torch
        self.context = llama_cpp.llama_init_from_model(self.model, options)
        self.words = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.tokens = llama_cpp.llama_batch_init(CONTEXT, 0, 1)
        self.vectors = llama_cpp.llama_batch_init(CONTEXT, width, 1)

    def read(self, rows: Sequence[tuple[int, int, int, int]], vectors: np.ndarray | None = None) -> None:
        """Evaluate a batch.

        Args:
            rows: token, position, sequence, and whether logits are wanted, of each.
            vectors: [rows, width] in place of the tokens.
        """
        batch = self.tokens if vectors is None else self.vectors
        batch.n_tokens = len(rows)
        for at, (token, position, sequence, wanted) in enumerate(rows):
            if vectors is None:
                batch.token[at] = token
            batch.pos[at], batch.n_seq_id[at], batch.logits[at] = position, 1, wanted
            batch.seq_id[at][0] = sequence
        if vectors is not None:
            flat = np.ascontiguousarray(vectors, np.float32)
            ctypes.memmove(batch.embd, flat.ctypes.data, flat.nbytes)
        if code := self.lib.llama_decode(self.context, batch):
            raise RuntimeError(f"llama_decode returned {code}")

    def logs(self, row: int) -> np.ndarray:
        """[words] the log-probabilities behind a row of the last batch."""
        found = self.lib.llama_get_logits_ith(self.context, row)
        logits = np.ctypeslib.as_array(found, (self.words,)).astype(np.float64)
        found_logs: np.ndarray = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
        return found_logs

    def answers(
        self, ids: Sequence[int], prompt: np.ndarray, answers: Sequence[Sequence[int]], mixed: bool
    ) -> Logs:
        """As `answer_logs`; `mixed`: tokens as tokens and only the others as vectors."""
        memory = self.lib.llama_get_memory(self.context)
        self.lib.llama_memory_clear(memory, True)
        start, end = 0, len(ids)
        for is_vector, run in groupby(ids, lambda token: token == VECTOR or not mixed):
            tokens = list(run)
            rows = [(token, start + n, 0, int(start + n + 1 == end)) for n, token in enumerate(tokens)]
            self.read(rows, prompt[start : start + len(tokens)] if is_vector else None)
            start += len(tokens)
        first = self.logs(len(tokens) - 1)
        found, rows, wanted = [[float(first[answer[0]])] for answer in answers], [], []
        for number, answer in enumerate(answers):
            self.lib.llama_memory_seq_cp(memory, 0, number + 1, -1, -1)
            for at, (token, following) in enumerate(pairwise(answer)):
                rows.append((token, end + at, number + 1, 1))
                wanted.append((number, following))
        self.read(rows)
        for row, (number, following) in enumerate(wanted):
            found[number].append(float(self.logs(row)[following]))
        return found


def _silent(level: int, text: bytes, data: object) -> None:
    """llama.cpp's own log, which nobody asked for."""


def _log_callback() -> object:
    import llama_cpp

    return llama_cpp.llama_log_callback(_silent)


_SILENT = _log_callback()  # kept as long as llama.cpp may call it


def example(model: FrozenLanguageModel) -> tuple[list[int], np.ndarray, list[list[int]]]:
    """The ids of a prompt, [n, width] its input embeddings, and the ids of the answers."""
    rng = np.random.default_rng(0)
    kinds = rng.choice(["Moon", "Garden", "Winter", "Engine"], TITLES)
    names = [f"The {kind} {n} (19{n:02})" for n, kind in enumerate(kinds)]
    ids = list(model.plain("A person has watched and liked:\n"))
    for name in names:
        ids += [*model.plain(name), VECTOR, *model.plain("\n")]
    ids += model.plain("The recommendation is:\n")
    there = torch.tensor(ids)
    prompt = model.embed(there.clamp(min=0)).float().numpy()
    drawn = rng.normal(size=(TITLES, model.width)).astype(np.float32)
    prompt[there.numpy() == VECTOR] = drawn * model.norm / np.linalg.norm(drawn, axis=1, keepdims=True)
    return ids, prompt, [[*model.plain(name), *model.plain("\n")] for name in names[-ANSWERS:]]


def timed(work: Callable[[], Logs], rounds: int) -> tuple[Logs, float]:
    """What it gives, and its processor seconds, the least of some rounds."""
    found, seconds = work(), list[float]()
    for _ in range(rounds):
        begun = time.process_time()
        found = work()
        seconds.append(time.process_time() - begun)
    return found, min(seconds)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.soft_vectors", description=__doc__)
    parser.add_argument("--model", default="embedded", help="as models.base of a recipe")
    parser.add_argument("--types", default="F32,Q8_0", help="types of the GGUF files, separated by commas")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        checkpoint = Path(place) / "checkpoint"
        make_checkpoint(locate(given.model), checkpoint)
        model = open_language_model(str(checkpoint), compute_dtype="float32")
        ids, prompt, answers = example(model)
        torch_logs, seconds = timed(
            lambda: answer_logs(model, torch.from_numpy(prompt), answers), given.rounds
        )
        print(f"{len(ids)} places, {TITLES} of them vectors; {sum(map(len, answers))} tokens of answers")
        print(f"torch, float32: {seconds:.2f} processor s", flush=True)
        half = open_language_model(str(checkpoint), compute_dtype="bfloat16")
        rows = torch.from_numpy(prompt).bfloat16()
        found, seconds = timed(partial(answer_logs, half, rows, answers), given.rounds)
        print(f"torch, bfloat16: {seconds:.2f} processor s; {compared(found, torch_logs)}", flush=True)
        for kind in given.types.split(","):
            file = Path(place) / f"{kind}.gguf"
            to_gguf(checkpoint, file, kind)
            reader = LlamaReader(file, model.width)
            for mixed in (True, False):
                found, seconds = timed(partial(reader.answers, ids, prompt, answers, mixed), given.rounds)
                how = "tokens and vectors in turn" if mixed else "vectors alone"
                told = compared(found, torch_logs)
                print(f"llama.cpp, {kind}, {how}: {seconds:.2f} processor s; {told}", flush=True)


def compared(found: Logs, expected: Logs) -> str:
    """How far two are apart, in words."""
    pairs = zip(found, expected, strict=True)
    apart = [abs(a - b) for one, two in pairs for a, b in zip(one, two, strict=True)]
    order, wanted = (np.argsort([-sum(row) for row in logs]) for logs in (found, expected))
    return (
        f"log-probabilities at most {max(apart):.5f} apart, on average {np.mean(apart):.5f};"
        f" the same order of answers: {'yes' if (order == wanted).all() else 'no'},"
        f" the same first: {'yes' if order[0] == wanted[0] else 'no'}"
    )


if __name__ == "__main__":
    main()
