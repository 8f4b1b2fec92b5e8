"""Dialogs of the tagging screen: the help, and an input line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Static

_SCROLLING = {"up", "down", "pageup", "pagedown", "home", "end"}


class HelpScreen(ModalScreen[None]):
    """Help on the keys; any key that does not scroll closes it."""

    CSS = """
    HelpScreen { align: center middle; }
    #help { width: 80; max-width: 100%; height: auto; max-height: 100%; padding: 0 1; border: round $accent;
            background: $surface; }
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The text in a box."""
        with VerticalScroll(id="help"):
            yield Static(self._text, markup=False)

    def on_key(self, event: Key) -> None:
        """Any other key closes the help and does nothing else."""
        if event.key not in _SCROLLING:
            event.stop()
            self.dismiss()


@dataclass
class InputLine:
    """An input line: Enter stores it, Escape leaves.

    Not a widget that would have to take the focus first: keys typed ahead must be neither lost nor taken for
    a decision.
    """

    asked: str
    text: str
    longest: int
    keep: Callable[[str], None]

    def press(self, event: Key) -> bool:
        """Handle a key; True when the line has ended, and was stored if it should be."""
        if event.key == "enter":
            self.keep(self.text)
        elif event.key in ("backspace", "ctrl+h"):
            self.text = self.text[:-1]
        elif event.key == "ctrl+u":
            self.text = ""
        elif event.is_printable and event.character:
            self.insert(event.character)
        return event.key in ("enter", "escape")

    def insert(self, text: str) -> None:
        """Append as much text as fits; line ends become spaces."""
        self.text = (self.text + " ".join(text.splitlines()))[: self.longest]
