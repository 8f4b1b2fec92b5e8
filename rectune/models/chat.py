"""Chat templates, rendered so that a message's content can never pass for a control token.

Contents are catalogue titles and model answers, so a content that reads `<|im_end|>` must stay those ten
letters. The template is rendered around random digits that stand for the contents, and the result is cut at
those digits.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.models.template_sandbox import TEMPLATE_HINT, render

Segment = tuple[str, bool]
# What stands for a content is this and six digits; random, so that no template holds it by chance. Made once,
# because compiling the pattern takes longer than rendering most conversations.
_NONCE = str(secrets.randbelow(9 * 10**39) + 10**39)
_STAND_IN = re.compile(_NONCE + r"(\d{6})")
# What models are asked here: a question, or one after others that were answered.
_ASKED: tuple[tuple[tuple[str, str], ...], ...] = (
    (("system", "rules"), ("user", "question")),
    (("system", "rules"), ("user", "question"), ("assistant", "answer"), ("user", "question")),
)


def segments(
    template: str,
    messages: Sequence[tuple[str, str]],
    *,
    generation_prompt: bool,
    tokens: Mapping[str, str] | None = None,
) -> list[Segment]:
    """Render a chat template and tell its own text from the contents of the messages.

    Where the template has no place for a system message, its text stands before that of the first question.

    Args:
        template: jinja2 source, from a GGUF file's `tokenizer.chat_template` or a tokenizer.
        messages: (role, content) pairs, oldest first.
        generation_prompt: end with the text that opens the assistant's turn.
        tokens: names that templates use for special tokens, `bos_token` and `eos_token` above all, and their
            text.

    Returns:
        (text, is_control) pieces in order, without empty ones; joined they are what the template renders.

    Raises:
        UserError: the template refuses the messages, leaves one of them out, or alters contents beyond
            recognition.
    """
    names = tokens or {}
    if messages and messages[0][0] == "system" and not _takes_system(template, _as_key(names)):
        messages = _folded(messages)
    return _segments(template, messages, generation_prompt, names)


def check_template(template: str, tokens: Mapping[str, str] | None = None) -> None:
    """Refuse a template that cannot render what models are asked here; say it where system messages have no
    place.

    Args:
        template, tokens: as in `segments`.

    Raises:
        UserError: it refuses a question, or one after a system message and answered questions, or leaves
            words out.
    """
    names = tokens or {}
    if not _takes_system(template, _as_key(names)):
        _say_once(
            "the chat template has no place for a system message: its text goes before the first question"
        )
    for messages in (*_ASKED, _ASKED[0][1:], (*_ASKED[0][1:], ("assistant", "answer"))):
        segments(template, messages, generation_prompt=messages[-1][0] == "user", tokens=names)


def _as_key(tokens: Mapping[str, Any]) -> str:
    """The names of special tokens as text, which can be looked up by."""
    return json.dumps(dict(tokens), sort_keys=True, default=str)


@lru_cache(maxsize=32)
def _takes_system(template: str, tokens: str) -> bool:
    """Whether a template renders a system message's text; some refuse it, and some leave it out without a
    word.
    """
    try:
        for messages in _ASKED:
            _segments(template, messages, True, json.loads(tokens))
    except UserError:
        return False
    return True


@lru_cache(maxsize=32)
def _say_once(text: str) -> None:
    say(text)


def _folded(messages: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The messages with the system's text before that of the first question."""
    (_, system), *others = messages
    first = next((place for place, (role, _) in enumerate(others) if role == "user"), None)
    if first is None or not system.strip():
        return others if not system.strip() else list(messages)
    others[first] = ("user", f"{system.strip()}\n\n{others[first][1]}")
    return others


def _segments(
    template: str, messages: Sequence[tuple[str, str]], generation_prompt: bool, tokens: Mapping[str, str]
) -> list[Segment]:
    """`segments` of the messages as they are."""
    now = datetime.now()

    def rendering(contents: Sequence[str]) -> str:
        turns = [{"role": role, "content": text} for (role, _), text in zip(messages, contents, strict=True)]
        return render(template, turns, generation_prompt, {**tokens, "strftime_now": now.strftime})

    contents = [content for _, content in messages]
    stand_ins = [_stand_in(content, f"{_NONCE}{number:06d}") for number, content in enumerate(contents)]
    parts = _STAND_IN.split(rendering(stand_ins))
    _check_all_there(messages, parts[1::2])
    cut = _fill(parts, contents)
    rendered = rendering(contents)
    if "".join(text for text, _ in cut) != rendered:
        cut = _align(parts[::2], rendered)
    return [piece for piece in cut if piece[0]]


def tokenise(
    pieces: Sequence[Segment],
    parsed: Callable[[str], list[int]],
    plain: Callable[[str], list[int]],
    control: Collection[int],
) -> list[int]:
    """Token ids of `segments`: special tokens come from the template's own text and from nowhere else.

    Harmless text is tokenised in one piece, so that its ids are those of the model's usual rendering. Only
    where a content would have given a special token are the pieces tokenised one by one.

    Args:
        pieces: what `segments` returned, perhaps with more plain text appended.
        parsed: tokenises text with special tokens parsed.
        plain: tokenises text with special tokens taken as ordinary letters.
        control: the ids of the special tokens.
    """
    ids = parsed("".join(text for text, _ in pieces))
    wanted = [token for text, own in pieces if own for token in parsed(text) if token in control]
    if [token for token in ids if token in control] == wanted:
        return ids
    return [token for text, own in pieces for token in (parsed(text) if own else plain(text))]


def encode(tokenizer: Any, messages: Sequence[tuple[str, str]], *, generation_prompt: bool) -> list[int]:
    """Token ids of a conversation for a Hugging Face fast tokenizer; no content is parsed for special tokens.

    On contents without special tokens the ids are those of `tokenizer.apply_chat_template`.

    Raises:
        UserError: the tokenizer has no chat template, or the template refuses the messages.
    """
    if not tokenizer.chat_template:
        raise UserError("has no chat template", where=tokenizer.name_or_path, hint="use an instruct model")
    pieces = segments(
        tokenizer.get_chat_template(),
        messages,
        generation_prompt=generation_prompt,
        tokens=tokenizer.special_tokens_map,
    )

    def ids(text: str, as_text: bool) -> list[int]:
        found: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=as_text)[
            "input_ids"
        ]
        return found

    control = {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
    return tokenise(pieces, lambda text: ids(text, False), lambda text: ids(text, True), control)


def end_of_turn(template: str, tokens: Mapping[str, str] | None = None) -> str:
    """The text that closes an assistant's turn, such as `<|im_end|>`; `tokens` as in `segments`."""
    turns = [("user", "question"), ("assistant", "answer")]
    text, own = segments(template, turns, generation_prompt=False, tokens=tokens)[-1]
    return text if own else ""


def _check_all_there(messages: Sequence[tuple[str, str]], shown: Collection[str]) -> None:
    """Refuse a rendering without the words of a message: another question would be answered."""
    places = set(map(int, shown))
    for place, (role, content) in enumerate(messages):
        if content.strip() and place not in places:
            raise UserError(f"the chat template leaves out the words of the {role}", hint=TEMPLATE_HINT)


def _stand_in(content: str, digits: str) -> str:
    """Digits for a content, inside the content's own white space, so that a template may strip it.

    Empty contents stand for themselves: templates ask whether there is a content.
    """
    core = content.strip()
    return content.replace(core, digits) if core else content


def _fill(parts: Sequence[str], contents: Sequence[str]) -> list[Segment]:
    """Put contents where their stand-ins were; `parts` is template text, number, template text, and so on."""
    filled: list[Segment] = []
    texts = list(parts[::2])
    for place, number in enumerate(parts[1::2]):
        content = contents[int(number)]
        core = content.strip()
        start = content.index(core)
        lead, tail = content[:start], content[start + len(core) :]
        before, after = texts[place], texts[place + 1]
        lead = lead if before.endswith(lead) else ""
        tail = tail if after.startswith(tail) else ""
        texts[place + 1] = after[len(tail) :]
        filled += [(before[: len(before) - len(lead)], True), (lead + core + tail, False)]
    return [*filled, (texts[-1], True)]


def _align(own: Sequence[str], rendered: str) -> list[Segment]:
    """Find the template's texts in a rendering whose contents the template altered.

    The cut is taken only if looking from the left and looking from the right find the same places: a content
    that imitates the template's text makes them differ.
    """
    ends = len(rendered) - len(own[-1])
    left, right = [0], [ends]
    for text in own[1:-1]:
        left.append(rendered.find(text, left[-1] + len(own[len(left) - 1])))
    for text in reversed(own[1:-1]):
        right.append(rendered.rfind(text, 0, max(right[-1], 0)))
    starts = [*left, ends]
    whole = rendered.startswith(own[0]) and rendered.endswith(own[-1]) and ends >= len(own[0])
    if len(own) < 2 or not whole or starts != [0, *reversed(right)] or -1 in starts:
        raise UserError(
            "the chat template alters the contents of messages beyond recognition", hint=TEMPLATE_HINT
        )
    cut: list[Segment] = []
    for place, text in enumerate(own[:-1]):
        cut += [(text, True), (rendered[starts[place] + len(text) : starts[place + 1]], False)]
    return [*cut, (own[-1], True)]
