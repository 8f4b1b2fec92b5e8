"""Looking through what is to be pushed for secrets, personal data and paths of this machine. Nothing found is
ever shown.
"""

from __future__ import annotations

import os
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rectune.core import settings
from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.errors import UserError
from rectune.filters.rules.ads_and_pii import PersonalData
from rectune.filters.title_masking import mask

if typing.TYPE_CHECKING:
    import pyarrow as pa

# Forms that issuers publish; each is specific enough that ordinary text and weights do not match it by
# chance.
_SECRETS: Mapping[str, re.Pattern[str]] = {
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}\b"),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})"),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "an API key": re.compile(r"\bsk-[A-Za-z0-9_-]{24,}|\bAIza[0-9A-Za-z_-]{35}"),
    "a Slack token": re.compile(r"\bxox[abeprs]-[0-9]{6,}-[A-Za-z0-9-]{12,}"),
    "a signed web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
}
# Variables whose own value is looked for, whatever its form.
_VARIABLES = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "RECTUNE_API_KEY", "WANDB_API_KEY", "OPENAI_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
)  # fmt: skip
_SHORTEST = 12  # characters of a value worth looking for
_TEXT = frozenset({".json", ".md", ".txt", ".jinja", ".yaml", ".model"})
_HEAD = 4 << 20  # bytes of a binary file: weights follow their metadata
_SHOWN = 5  # places that an error names
_SHALLOW = 2  # parts of a path that anybody may have: /, /root, /data


@dataclass
class ScanResult:
    """What was found so far: a place and a kind each, never the thing itself.

    `catalogue` holds titles, which may look like anything; `paths` are this machine's own.
    """

    catalogue: Catalogue | None = None
    paths: Sequence[str] = ()
    found: list[tuple[str, str]] = field(default_factory=list)
    _own: Sequence[str] = field(default_factory=lambda: own_secrets())
    _personal: PersonalData = field(default_factory=lambda: PersonalData(settings.FilterConfig()))

    def text(self, place: str, text: str, titles: Iterable[str] = ()) -> None:
        """Look for secrets, and for personal data outside titles."""
        if not text:
            return
        self._secrets(place, text)
        if self._personal.hits(mask(text, titles)):
            self.found.append((place, self._personal.reason))

    def file(self, name: str, path: Path) -> None:
        """Look for secrets and paths in a file: all of a text, the head of a binary one."""
        with path.open("rb") as stream:
            content = stream.read(-1 if path.suffix in _TEXT else _HEAD).decode("latin-1")
        self._secrets(name, content)
        if any(own in content for own in self.paths):
            self.found.append((name, "a path of this machine"))

    def titles_of(self, prompt: pa.StructArray) -> list[list[str]]:
        """The titles of the items in each prompt's history, candidates and target; none where there is no
        catalogue.
        """
        if self.catalogue is None:
            return [[] for _ in range(len(prompt))]
        names = ("domain", "target", "candidates", "history_domain", "history")
        rows = zip(*(prompt.field(name).to_pylist() for name in names), strict=True)
        return [
            self._known(domain, [target, *candidates]) + self._known(of, history)
            for domain, target, candidates, of, history in rows
        ]

    def refuse(self, written: Path | None = None) -> None:
        """End the push if anything was found; `written` is a file that has all of it.

        Raises:
            UserError: names the places, not what stands there.
        """
        if not self.found:
            return
        lines = [f"{place}: {kind}" for place, kind in dict.fromkeys(self.found)]
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        raise UserError(
            "\n  ".join(
                ["something in what is to be pushed must not leave this machine", *lines[:_SHOWN], *more]
            ),
            where=str(written or ""),
            hint="take it out at its source and run the stages from there; or leave rows out: "
            "release.exclude_ids=[ID, …]; or push without that kind: --artifacts",
        )

    def _known(self, domain: str, item_ids: Iterable[str]) -> list[str]:
        items = self.catalogue.items if self.catalogue else {}
        return [items[domain, item_id].title for item_id in item_ids if (domain, item_id) in items]

    def _secrets(self, place: str, text: str) -> None:
        self.found += [(place, kind) for kind, pattern in _SECRETS.items() if pattern.search(text)]
        if any(value in text for value in self._own):
            self.found.append((place, "a token of this machine"))


def scan_of(inputs: Mapping[str, Path]) -> ScanResult:
    """A scan that knows the run's catalogue and where the run store lies."""
    items = inputs["data"] / "items.parquet"
    store = inputs["data"].resolve().parent.parent  # runs/data/<key>
    paths = [path for path in (store, Path.cwd()) if len(path.parts) > _SHALLOW]
    return ScanResult(load_catalogue(items) if items.is_file() else None, tuple(map(str, paths)))


def own_secrets() -> tuple[str, ...]:
    """The tokens that this process could give away: of the login and of the environment."""
    from huggingface_hub import get_token

    values = {os.environ.get(name, "") for name in _VARIABLES} | {get_token() or ""}
    return tuple(sorted(value for value in values if len(value) >= _SHORTEST))
