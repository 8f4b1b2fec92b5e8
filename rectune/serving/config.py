"""The settings of a server, checked: where it listens, what it recommends from, and what it allows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path

from rectune.core.errors import UserError

# It goes into a header of the page, so nothing else may be in it.
_IMAGE_HOST = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?")
# Its host is fixed, so that no title can lead elsewhere.
_SEARCH_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?/[!-z|~]*\{title\}[!-z|~]*")


@dataclass(frozen=True)
class Limits:
    """What one request, user or client may take.

    Attributes:
        body_bytes: of a request's body, at most.
        items_bytes: the same of a request that brings items.
        requests_per_minute: of one key, or of one address where no key is needed. So many may come at once.
        open_generations: answers by the model that one user may have open at a time.
        answer_seconds: after which an answer by the model is ended.
        wording_seconds: that the model has to word the reasons of an answer, or a turn of a conversation;
            half of them where nothing has passed the checks by then. Then plain sentences stand.
        drain_seconds: that open requests have to end when the server is stopped.
        explained: items of an answer that get a reason where the model words them, the best first.

    Raises:
        UserError: one is not above 0.
    """

    body_bytes: int = 64 * 1024
    items_bytes: int = 1024 * 1024
    requests_per_minute: int = 240
    open_generations: int = 2
    answer_seconds: float = 120.0
    wording_seconds: float = 4.5
    drain_seconds: float = 30.0
    explained: int = 10

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise UserError(f"{name} is {value}", where="limits", hint="give a number above 0")


@dataclass(frozen=True)
class ServerConfig:
    """A server.

    Attributes:
        host: the address to listen on; another one than this machine's own needs an API key.
        port: 0 takes a free one.
        database: a file, or a URL of PostgreSQL; see `rectune.serving.store.database.open_database`.
        catalogue: a file or folder of items; or None for a recipe's run.
        recipe: whose run: its data, chosen rankers and aligned model.
        domain: the kind of items of the catalogue; or which domain of the run.
        facts: further columns of the catalogue that reasons may speak of and conditions may name.
        model: a GGUF file, `embedded`, `none`, or the address of an OpenAI-compatible server, with `#NAME`
            where it has several models; empty for the run's own, or the embedded one.
        runs: the artifact store.
        slots: answers that the model writes together.
        require_key: whether a key is needed even where the store has none.
        allowed_hosts: names in the header Host, besides localhost; addresses are always taken.
        https: whether browsers reach the page by HTTPS, through a proxy; its cookies then go out only so.
        trusted_proxies: addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto count.
        image_hosts: other hosts from which the page may show pictures, as https://covers.example.org.
        compare: the name of a second ranker, for half of the users; empty for none.
        keep_days: after which what users said is deleted; 0 keeps it until they delete it.
        images: the folder of pictures of items.
        image_column: the column of the catalogue that names each item's picture.
        search_url: where to look for an item, with {title} in place of its title; empty for nowhere.
        limits: see there.
        use_profile: whether rankers that learnt from what users state get what users of the page and the API
            say of themselves: age, sex and occupation.

    Raises:
        UserError: the port is none, there is no database, a host or the folder of pictures is none, the
            address to search by is none, or there are both or neither of catalogue and recipe.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    database: str = "runs/service.sqlite"
    catalogue: Path | None = None
    recipe: str = ""
    domain: str = ""
    facts: tuple[str, ...] = ()
    model: str = ""
    runs: Path = Path("runs")
    slots: int = 4
    require_key: bool = False
    allowed_hosts: tuple[str, ...] = ()
    https: bool = False
    image_hosts: tuple[str, ...] = ()
    compare: str = ""
    keep_days: int = 0
    images: Path | None = None
    image_column: str = ""
    search_url: str = ""
    limits: Limits = field(default_factory=Limits)
    trusted_proxies: tuple[str, ...] = ()
    use_profile: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port < 2**16:
            raise UserError(f"{self.port} is no port", where="--port", hint="give a number from 0 to 65535")
        if self.slots < 1:
            raise UserError(f"{self.slots} slots", where="--slots", hint="give a number above 0")
        if self.keep_days < 0:
            hint = "give a number above 0, or 0 to keep everything"
            raise UserError(f"{self.keep_days} days", where="--keep-days", hint=hint)
        if not self.database:
            raise UserError("no database", where="--database", hint="give a file, or a URL of PostgreSQL")
        if bool(self.catalogue) == bool(self.recipe):
            says = "a catalogue and a recipe" if self.recipe else "nothing to recommend from"
            raise UserError(says, hint="give --catalogue FILE, or the recipe of a run, as demo")
        for one in self.image_hosts:
            if not _IMAGE_HOST.fullmatch(one):
                hint = "give it as https://covers.example.org"
                raise UserError(f"{one} is no host of pictures", where="--image-host", hint=hint)
        for one in self.trusted_proxies:
            try:
                ip_network(one)
            except ValueError:
                hint = "give an address, as 10.0.0.5, or a network, as 10.0.0.0/24"
                raise UserError(f"{one} is no proxy's address", where="--trusted-proxy", hint=hint) from None
        for option, given in (("--facts", self.facts), ("--image-column", self.image_column)):
            if given and not self.catalogue:
                raise UserError("is for a catalogue file", where=option, hint="leave it out")
        if self.images and not self.images.is_dir():
            raise UserError(
                "no such folder", where=f"--images {self.images}", hint="give a folder of pictures"
            )
        if self.search_url and not _SEARCH_URL.fullmatch(self.search_url):
            hint = "give it as https://www.example.org/search?q={title}"
            raise UserError(f"{self.search_url} is no address to search by", where="--search-url", hint=hint)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposed(config: ServerConfig, has_key: bool) -> None:
    """Refuse to be reached by others without a key.

    Args:
        config: of the server.
        has_key: whether the store has a key that is not revoked.

    Raises:
        UserError: it has none, and one is needed.
    """
    if has_key or (config.is_local and not config.require_key):
        return
    where = "--require-key" if config.is_local else f"--host {config.host}"
    raise UserError(
        "the database has no API key, so nobody could use this server",
        where=where,
        hint=f"make one: rectune keys create NAME --database {config.database}",
    )
