"""Examples as rows of token ids on disk: made once, by all processes together, read through memory maps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from rectune.core.errors import RectuneError
from rectune.core.rows import count_rows, read_batches
from rectune.core.types import Example
from rectune.models.chat_tokenization import ChatEncoder
from rectune.models.distributed import is_first, process_count, rank, wait_for_all
from rectune.models.eval_users import split_eval_users

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

NOT_TRAINED = -100  # PyTorch's cross-entropy leaves labels of this value out
_BATCH = 2048  # examples a file


class TokenRows:
    """Examples by number. Columns: `id`, `user`, `prompt` (number of prompt tokens), `tokens`."""

    def __init__(self, table: pa.Table, seen: int) -> None:
        import pyarrow.compute as pc

        self.table, self.seen = table, seen
        self.lengths: list[int] = pc.list_value_length(table["tokens"]).to_pylist()
        self._prompts: NDArray[np.int32] = table["prompt"].to_numpy()

    def __len__(self) -> int:
        return len(self.lengths)

    def ids(self, numbers: Sequence[int]) -> list[str]:
        """The examples' ids."""
        return [str(self.table["id"][number]) for number in numbers]

    def tokens(self, number: int) -> NDArray[np.int64]:
        """One example's token ids: the prompt, then the response and the tokens that end its turn."""
        import numpy as np

        found: NDArray[np.int64] = self.table["tokens"][number].values.to_numpy().astype(np.int64)
        return found

    def prompt_length(self, number: int) -> int:
        """The number of an example's prompt tokens, which are not trained on."""
        return int(self._prompts[number])

    @property
    def token_count(self) -> int:
        """Counts of examples in and out, of all tokens and of trained ones."""
        return sum(self.lengths)

    @property
    def trained_tokens(self) -> int:
        """Those of them that the loss is taken on."""
        return self.token_count - int(self._prompts.sum())


def make_rows(
    sources: Sequence[Path], tokenizer: PreTrainedTokenizerBase, max_length: int, folder: Path
) -> TokenRows:
    """Tokenise the examples of files; those longer than `max_length` are left out and counted, not cut.

    Every process calls this, makes its share of the batches, and reads all of them afterwards. A batch's file
    is whole or absent, so that finished ones are not made again after a kill.

    Raises:
        RectuneError: an example has no label, so nothing would be learnt from it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encoder, count = ChatEncoder(tokenizer), 0
    batches = chain.from_iterable(read_batches(source, Example, _BATCH) for source in sources)
    for number, batch in enumerate(batches):
        file = folder / f"{number:06d}.arrow"
        if number % process_count() == rank() and not file.exists():
            _write(file, tokenise(encoder, batch, max_length))
        count += 1
    wait_for_all()
    return TokenRows(_read(folder, count), sum(count_rows(source, Example) for source in sources))


def remove_rows(folder: Path) -> None:
    """Remove the rows, which were kept for resuming, once the stage is finished."""
    import shutil

    if is_first():
        shutil.rmtree(folder, ignore_errors=True)
    wait_for_all()


def tokenise(encoder: ChatEncoder, batch: pa.RecordBatch, max_length: int) -> pa.RecordBatch:
    """The columns of `TokenRows` for a batch of examples, without those that are too long.

    Raises:
        RectuneError: an example has no label.
    """
    import pyarrow as pa

    prompt = batch.column("prompt")
    prompts = encoder.prompts(prompt.field("system").to_pylist(), prompt.field("instruction").to_pylist())
    responses = encoder.responses(batch.column("response").to_pylist())
    ids, users = batch.column("id").to_pylist(), prompt.field("user").to_pylist()
    kept = [
        n for n, (p, r) in enumerate(zip(prompts, responses, strict=True)) if len(p) + len(r) <= max_length
    ]
    if not all(responses[n] for n in kept):
        raise RectuneError("the label mask of an example is empty: its chat template trains no token")
    columns = {
        "id": pa.array([ids[n] for n in kept], pa.string()),
        "user": pa.array([users[n] for n in kept], pa.string()),
        "prompt": pa.array([len(prompts[n]) for n in kept], pa.int32()),
        "tokens": pa.array([prompts[n] + responses[n] for n in kept], pa.large_list(pa.int32())),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _write(file: Path, batch: pa.RecordBatch) -> None:
    import pyarrow as pa

    partial = file.with_name(file.name + ".partial")
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    partial.replace(file)


def _read(folder: Path, count: int) -> pa.Table:
    import pyarrow as pa

    files = [folder / f"{number:06d}.arrow" for number in range(count)]
    return pa.concat_tables([pa.ipc.open_file(pa.memory_map(str(file))).read_all() for file in files])


def split_users(rows: TokenRows, share: float) -> tuple[list[int], list[int]]:
    """Numbers of the examples to train on, and of those held out: all that a share of the users have.

    Args:
        rows: the examples.
        share: of the users, as in `rectune.models.eval_users.split_eval_users`.
    """
    users = rows.table["user"].to_pylist()
    out = split_eval_users(users, share)
    held = [user in out for user in users]
    return [n for n, is_out in enumerate(held) if not is_out], [n for n, is_out in enumerate(held) if is_out]
