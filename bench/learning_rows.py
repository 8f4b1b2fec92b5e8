"""Training rows of `bench.learning_curve`, and the users that models are evaluated on.

A row is a prompt, an answer, and which of the answer's tokens the loss is taken on. Forms: `list`, a whole
history as lines of titles; `title`, the ordinary prompt and the closing line; `title_first` and
`reason_first`, the same with a reason made from what the catalogue says; `choice`, the target named behind a
prompt that shows candidates; `mixture`, of `list` and `reason_first` in equal parts of tokens.

The system message is ours, which names what counts in each domain, or (`thinking`) one for all domains that
asks for reasons step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, zip_longest
from typing import Literal

from rectune.core.catalogue import Catalogue
from rectune.core.rng import generator_of
from rectune.core.types import Case, Form, Locale
from rectune.datagen.rationales import templated
from rectune.models.chat_tokenization import ChatEncoder, end_ids
from rectune.prompts.answers import closing
from rectune.prompts.render import RenderOptions, render
from rectune.prompts.title_list import list_messages, next_line
from rectune.rankers.domain_data import DomainData
from rectune.train.history_lists import windows

FORMS = ("list", "title", "reason_first", "title_first", "choice", "mixture")
GIVEN = 2  # the first titles of a list, without loss
System = Literal["own", "thinking"]
SYSTEMS: tuple[System, ...] = ("own", "thinking")
THINKING: dict[Locale, str] = {
    "en": "Think one step at a time, give the reason for each step, and be as truthful as you can.",
    "ko": "한 단계씩 차례로 생각하고, 단계마다 까닭을 대며, 할 수 있는 한 사실대로 말하십시오.",
}

Ids = list[int]


@dataclass(frozen=True)
class Row:
    """[n] token ids, and whether the loss is taken on each."""

    tokens: Ids
    trained: list[bool]


@dataclass(frozen=True)
class Source:
    """A row before it is made: the items that the loss is taken on, and what makes it."""

    taught: Sequence[str]
    row: Callable[[], Row]


Pick = Callable[[str, Iterator[Source]], Iterator[Source]]  # of a domain, those that are trained on


@dataclass(frozen=True)
class World:
    """The domains that rows are made of, all cases, the tokenizer, and what prompts are worded in."""

    catalogue: Catalogue
    domains: dict[str, DomainData]
    cases: Sequence[Case]
    tokenizer: object
    encoder: ChatEncoder
    locale: Locale = "en"
    system: System = "own"

    def ids(self, text: str) -> Ids:
        """Plain text."""
        return list(self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))  # type: ignore[attr-defined]

    def list_prompt(self, domain: str) -> Ids:
        """What is read before the first title of a list."""
        return self.prompt(*list_messages(domain, self.locale))

    def prompt(self, own: str, instruction: str) -> Ids:
        """What is read before an answer, behind our system message or that of `system`."""
        message = THINKING[self.locale] if self.system == "thinking" else own
        return self.encoder.prompts([message], [instruction])[0]

    def lines(self, titles: Sequence[str]) -> list[Ids]:
        """The tokens of each line of a list, its end included; titles are tokenised by themselves, as they
        are when they are scored."""
        return [self.ids("-") + self.ids(next_line(title)) + self.ids("\n") for title in titles]


def made(
    world: World, form: str, domains: Sequence[str], tokens: int, seed: int, pick: Pick | None = None
) -> list[Row]:
    """Rows of one form, domains in turn, until they have so many tokens.

    Args:
        world: what they are made of.
        form: one of `FORMS`.
        domains: whose train users.
        tokens: of all rows together, at least.
        seed: of their order.
        pick: what rows are left out; none unless given.

    Raises:
        ValueError: there are not enough of them.
    """
    if form == "mixture":
        half = tokens // 2
        lists, reasons = (made(world, one, domains, half, seed, pick) for one in ("list", "reason_first"))
        rows = [*lists, *reasons]
        order = generator_of("mixture", seed).permutation(len(rows))
        return [rows[at] for at in order]
    found, count = list[Row](), 0
    for row in _in_turn([_rows(world, form, domain, seed, pick) for domain in domains]):
        if count >= tokens:
            return found
        found.append(row)
        count += len(row.tokens)
    if count < tokens:
        raise ValueError(f"{form}: rows of {count} tokens, {tokens} are wanted")
    return found


def list_tokens(world: World, domains: Sequence[str], rows: int, seed: int) -> int:
    """The tokens of so many list rows: what every form gets."""
    turn = _in_turn([_rows(world, "list", domain, seed) for domain in domains])
    return sum(len(row.tokens) for row, _ in zip(turn, range(rows), strict=False))


def lists_behind(world: World, domain: str, skipped: int, count: int, seed: int) -> list[Row]:
    """Lists of a domain behind the first ones in the order of `made`; each is of another user.

    Raises:
        ValueError: there are not so many users.
    """
    likes = world.domains[domain].likes
    users = [user for user, _ in islice(windows(likes, seed), skipped + count)]
    if len(set(users)) < skipped + count:
        raise ValueError(f"{domain}: {len(set(users))} users with lists, {skipped + count} are wanted")
    return list(islice(_rows(world, "list", domain, seed), skipped, skipped + count))


def _in_turn(streams: Sequence[Iterator[Row]]) -> Iterator[Row]:
    for rows in zip_longest(*streams):
        yield from (row for row in rows if row is not None)


def _rows(world: World, form: str, domain: str, seed: int, pick: Pick | None = None) -> Iterator[Row]:
    sources = _sources(world, form, domain, seed)
    return (one.row() for one in (pick(domain, sources) if pick else sources))


def _sources(world: World, form: str, domain: str, seed: int) -> Iterator[Source]:
    if form == "list":
        prompt = world.list_prompt(domain)
        for _, window in windows(world.domains[domain].likes, seed):
            titles = world.catalogue.titles(domain, window)
            yield Source(window[GIVEN:], partial(list_row, world, prompt, titles))
        return
    own = (case for case in world.cases if case.split == "train")
    able = [case for case in own if case.domain == case.history_domain == domain]
    for at in generator_of("cases", domain, seed).permutation(len(able)):
        yield Source([able[at].target], partial(_answered, world, able[at], ANSWERS[form]))


def list_row(world: World, prompt: Ids, titles: Sequence[str]) -> Row:
    """A list without loss on its first titles; the end of the turn is not trained, a list may go on."""
    lines = world.lines(titles)
    tokens, trained = [*prompt], [False] * len(prompt)
    for number, line in enumerate(lines):
        tokens += line
        trained += [False, *[number >= GIVEN] * (len(line) - 1)]
    return Row(tokens, trained)


Answer = Callable[[Case, Catalogue, Locale], tuple[str, str, str]]  # system message, instruction, answer


def _answered(world: World, case: Case, answer: Answer) -> Row:
    system, instruction, text = answer(case, world.catalogue, world.locale)
    prompt = world.prompt(system, instruction)
    response = world.ids(text) + end_ids(world.tokenizer)
    return Row(prompt + response, [False] * len(prompt) + [True] * len(response))


def _said(form: Form, text: Callable[[str, str], str]) -> Answer:
    """`text` makes the answer of the reason with its closing line, and of that line."""

    def answer(case: Case, catalogue: Catalogue, locale: Locale) -> tuple[str, str, str]:
        prompt = render(case, catalogue, RenderOptions("passive", form, locale, listwise=10))
        line = closing(locale, catalogue.get(case.domain, case.target).title)
        whole = "" if form == "listwise" else templated(prompt, catalogue).response
        return prompt.system, prompt.instruction, text(whole, line)

    return answer


def _swapped(whole: str, line: str) -> str:
    return f"{line}\n{whole.removesuffix(line).strip()}"


ANSWERS: dict[str, Answer] = {
    "title": _said("direct", lambda whole, line: line),
    "reason_first": _said("direct", lambda whole, line: whole),
    "title_first": _said("direct", _swapped),
    "choice": _said("listwise", lambda whole, line: line),
}
