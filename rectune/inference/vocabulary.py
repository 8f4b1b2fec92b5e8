"""Text to tokens and back under llama.cpp, and the chat template that came in the GGUF file."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.errors import UserError
from rectune.inference.gguf_model import load_model
from rectune.models.chat import check_template, segments, tokenise

if TYPE_CHECKING:
    from llama_cpp import llama_model_p

_NAMES = ("bos", "eos", "pad")
_SHORT = 64  # characters of a text whose tokens are worth remembering


class Vocabulary:
    """The tokenizer of a loaded model.

    Attributes:
        pointer: llama.cpp's own.
        size: how many tokens there are.
        control: the ids of control tokens, which no content may produce.
        ends: the ids that end an answer.
    """

    def __init__(self, model: llama_model_p, name: str) -> None:
        import llama_cpp

        self.name = name
        self.pointer: Any = llama_cpp.llama_model_get_vocab(model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.pointer)
        special = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN
        attributes = (llama_cpp.llama_vocab_get_attr(self.pointer, token) for token in range(self.size))
        self.control = frozenset(token for token, attribute in enumerate(attributes) if attribute & special)
        self.ends = frozenset(t for t in range(self.size) if llama_cpp.llama_vocab_is_eog(self.pointer, t))
        template = llama_cpp.llama_model_chat_template(model, None)
        self._template = template.decode() if template else ""
        self._named = {f"{name}_token": self._text(name) for name in _NAMES}
        self._sound = False  # see `check`
        self._pieces: dict[int, bytes] = {}
        self._own = lru_cache(maxsize=256)(lambda text: tuple(self._tokenise(text, True)))

    def check(self) -> None:
        """Refuse a chat template that every conversation would meet with an error.

        Raises:
            UserError: there is none, or it cannot render what models are asked here.
        """
        if self._sound:
            return
        if not self._template:
            raise UserError("has no chat template", where=self.name, hint="use an instruct model's GGUF file")
        try:
            check_template(self._template, self._named)
        except UserError as refused:
            raise UserError(refused.message, where=self.name, hint=refused.hint) from None
        self._sound = True

    def prompt(self, messages: Sequence[tuple[str, str]], prefill: str = "") -> list[int]:
        """Tokens of a conversation up to the opened assistant turn, and of the `prefill` that begins it.

        Raises:
            UserError: the model has no chat template, or the template refuses the messages.
        """
        self.check()
        pieces = segments(self._template, messages, generation_prompt=True, tokens=self._named)
        return tokenise([*pieces, (prefill, False)], self.parsed, self.plain, self.control)

    def text(self, messages: Sequence[tuple[str, str]], prefill: str = "") -> str:
        """The same as text, control tokens and all, for people to read."""
        self.check()
        pieces = segments(self._template, messages, generation_prompt=True, tokens=self._named)
        return "".join(text for text, _ in pieces) + prefill

    def parsed(self, text: str) -> list[int]:
        """Tokens of text whose special tokens count as such."""
        # The template's own words come again in every prompt.
        return list(self._own(text)) if len(text) <= _SHORT else self._tokenise(text, True)

    def plain(self, text: str) -> list[int]:
        """Tokens of text in which `<|im_end|>` is plain text."""
        return self._tokenise(text, False)

    def piece(self, token: int) -> bytes:
        """The bytes that a token adds to a text: part of a character perhaps, nothing for a control token."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._piece(token)
        return known

    def _piece(self, token: int) -> bytes:
        import llama_cpp

        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = llama_cpp.llama_token_to_piece(self.pointer, token, buffer, size, 0, False)
            if length >= 0:
                return buffer.raw[:length]
            size = -length

    def _tokenise(self, text: str, special: bool) -> list[int]:
        import llama_cpp

        raw = text.encode("utf-8", errors="replace")
        room = len(raw) + 8
        ids = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self.pointer, raw, len(raw), ids, room, False, special)
        return list(ids[:count])

    def _text(self, name: str) -> str:
        import llama_cpp

        token = getattr(llama_cpp, f"llama_vocab_{name}")(self.pointer)
        return llama_cpp.llama_vocab_get_text(self.pointer, token).decode() if token >= 0 else ""


@contextmanager
def opened_vocabulary(gguf: Path) -> Iterator[Vocabulary]:
    """The tokenizer of a GGUF file; no weights are loaded."""
    import llama_cpp

    model = load_model(gguf, vocabulary_only=True)
    try:
        yield Vocabulary(model, str(gguf))
    finally:
        llama_cpp.llama_model_free(model)
