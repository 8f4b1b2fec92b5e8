"""A simulated person whose sentences a model writes, behind an OpenAI-compatible server; the rules decide
what is meant, and what is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rectune.core.errors import UserError
from rectune.core.item_values import categories_of
from rectune.core.settings import RemoteConfig, SamplingConfig
from rectune.core.text.plain import cut_line
from rectune.core.types import Item, Locale, content_id
from rectune.dialogue.chat_turn import ChatTurn
from rectune.dialogue.simulation import SimulatedUser
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.server import ServerBackend
from rectune.prompts.titles import key_of, name_of

Ask = Callable[[GenerationRequest], str]
"""Answers a request with text; empty where it has none."""

_LEAST, _LONGEST = 2, 300  # characters of a message
_TOKENS, _ANSWER, _BEFORE = 60, 400, 2  # of a message; characters of an answer, and answers that are shown
_LANGUAGES: dict[Locale, str] = {"en": "English", "ko": "Korean"}
_SYSTEM = """\
You play a person who talks with a service that recommends {noun}. You write one short message of that \
person in {language}, as people type, and nothing else: no quotation marks, no explanation.
About the person: likes {like}; cannot stand {avoid}; hopes to find something like this, and never names it: \
{target}."""
_MEANT = (
    "The person now means to say: {meant}\nSay this in your own words, fitting what the service said last."
)


@dataclass
class RulePerson:
    """A person who talks by rules alone; `written` and `replaced` stay 0."""

    user: SimulatedUser
    written: int = 0
    replaced: int = 0

    def says(self, number: int, last: int, turns: Sequence[ChatTurn]) -> str:
        """See `SimulatedUser.says`."""
        return self.user.says(number, last, turns)


@dataclass
class WrittenPerson:
    """A person whose messages a model writes from their hidden likes, aversions and target.

    The rules say what each message means. Hostile ones go out as the rules have them. The rules' own message
    stands where the model's is empty, is longer than 300 characters, names the target, says nothing that it
    had to (what is liked and avoided, and the secret word, in the message that plants them), or names what is
    avoided elsewhere.

    Attributes:
        user: the rules.
        ask: asks the model.
        written, replaced: messages of the model, and those of the rules that stand in their place.
    """

    user: SimulatedUser
    ask: Ask
    written: int = 0
    replaced: int = 0

    def says(self, number: int, last: int, turns: Sequence[ChatTurn]) -> str:
        """See `SimulatedUser.says`."""
        meant = self.user.says(number, last, turns)
        if self.user.purpose == "hostile":
            return meant
        text = cut_line(self.ask(self._request(meant, number, turns)), _LONGEST + 1).strip(" \"'“”")
        if self._may(text):
            self.written += 1
            return text
        self.replaced += 1
        return meant

    def _may(self, text: str) -> bool:
        user, folded = self.user, key_of(text)
        if not _LEAST <= len(text) <= _LONGEST or name_of(user.target.title) in folded:
            return False
        planted = [key_of(one) for one in (user.like, user.avoid, user.secret)]
        if user.purpose == "plant":
            return all(one in folded for one in planted)
        return planted[1] not in folded

    def _request(self, meant: str, number: int, turns: Sequence[ChatTurn]) -> GenerationRequest:
        user = self.user
        system = _SYSTEM.format(
            noun=user.target.domain, language=_LANGUAGES[user.locale], like=user.like, avoid=user.avoid,
            target=_described(user.target),
        )  # fmt: skip
        said = [
            line
            for turn in turns[-_BEFORE:]
            for line in (
                f"Person: {cut_line(turn.said, _ANSWER)}",
                f"Service: {cut_line(turn.answer, _ANSWER)}",
            )
        ]
        messages = (("system", system), ("user", "\n".join([*said, _MEANT.format(meant=meant)])))
        sampling = SamplingConfig(max_tokens=_TOKENS)
        id = content_id("person", user.locale, user.seed, number, messages)
        return GenerationRequest(id, messages, sampling, int(id[:8], 16))


def _described(item: Item) -> str:
    """An item without its title."""
    told = [", ".join(categories_of(item).values()), str(item.year or ""), item.description[:_ANSWER]]
    return "; ".join(filter(None, told)).replace(item.title, "it")


def asker(address: str, model: str) -> Ask:
    """Asks a model behind a server; its key is taken from RECTUNE_API_KEY or OPENAI_API_KEY.

    Raises:
        UserError: the address cannot be used; when it asks, that the server cannot answer.
    """
    backend = ServerBackend(address, model, RemoteConfig(concurrency=1))

    def ask(request: GenerationRequest) -> str:
        answers = list[GenerationResult]()
        backend.generate([request], answers.append)
        if answers[0].finish == "error":
            raise UserError(f"the simulated person's model did not answer: {answers[0].error}")
        return answers[0].text

    return ask
