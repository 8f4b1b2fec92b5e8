"""Tagging on a screen, from 80x24 up. Imported only when it is shown: textual is heavy."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.events import Key, Resize
from textual.screen import ModalScreen
from textual.widgets import Static

from align.session import HELP, Session, progress_line
from align.tagging import MOST_ANSWERS, printable
from rectune.errors import UserError

_COLUMN = 34  # cells an answer needs to stand beside the others
_LANGUAGES = {"en": "English", "ko": "Korean"}
_KEYS = "1-{most} best, then worst  s skip  u undo  t truth  n/p move  ? help  q quit"


def work(session: Session) -> None:
    """Show the screen until the annotator quits."""
    TaggingApp(session).run()


class TaggingApp(App[None]):
    """One request at a time, its answers below it or, where there is room, side by side."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #title { height: 1; padding: 0 1; background: $primary; color: $text; text-style: bold; }
    #request { height: auto; max-height: 35%; border-left: tall transparent; padding-right: 1; }
    #target { height: auto; max-height: 3; padding: 0 2; text-style: bold; display: none; }
    #target.shown { display: block; }
    #answers { height: 1fr; border-left: tall transparent; }
    #request:focus, #answers:focus { border-left: tall $accent; }
    #columns { height: auto; layout: vertical; }
    #columns.wide { layout: horizontal; }
    .answer { height: auto; border-top: solid $foreground 50%; padding-right: 1; }
    .wide .answer { width: 1fr; margin-right: 1; }
    .answer.best { border-top: heavy $success; border-title-color: $success; border-title-style: bold; }
    .answer.worst { border-top: heavy $error; border-title-color: $error; border-title-style: bold; }
    #status, #keys { height: 1; padding: 0 1; }
    #status { background: $panel; color: $text; }
    #keys { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"pick({number - 1})") for number in range(1, MOST_ANSWERS + 1)),
        Binding("escape", "forget"),
        Binding("s", "skip"),
        Binding("u", "undo"),
        Binding("t", "truth"),
        Binding("n", "move(1)"),
        Binding("p", "move(-1)"),
        Binding("g", "open"),
        Binding("space", "page"),
        Binding("question_mark", "help"),
        Binding("q,ctrl+c", "quit", priority=True),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.best: int | None = None  # picked, while the worst is still to be picked
        self._message = ""

    def compose(self) -> ComposeResult:
        """Title, request, target, answers, status and keys, from top to bottom."""
        most = max(len(task.answers) for task in self.session.tasks)
        yield Static(id="title")
        with VerticalScroll(id="request"):
            yield Static(id="instruction")
        yield Static(id="target")
        with VerticalScroll(id="answers"), Container(id="columns"):
            for number in range(most):
                yield Static(id=f"answer{number}", classes="answer")
        yield Static(id="status")
        yield Static(_KEYS.format(most=most), id="keys", markup=False)

    def on_mount(self) -> None:
        """Begin at the first request that is not done."""
        self.query_one("#answers").focus()
        self._show()

    def on_resize(self, event: Resize) -> None:
        """Side by side where every answer gets a readable column."""
        most = max(len(task.answers) for task in self.session.tasks)
        self.query_one("#columns").set_class(event.size.width >= _COLUMN * most, "wide")

    def action_pick(self, number: int) -> None:
        """First the best, then the worst; the same number twice takes the pick back."""
        if number >= len(self.session.answers):
            return
        if self.best is None:
            self.best = number
            self._mark()
        elif self.best == number:
            self.action_forget()
        else:
            self._keep(self.best, number)

    def action_forget(self) -> None:
        """Take back the first of the two picks."""
        self.best = None
        self._mark()

    def action_skip(self) -> None:
        """No choice; it counts as done."""
        self._keep(None, None)

    def action_undo(self) -> None:
        """Take the last decision back and show it."""
        try:
            undone = self.session.undo()
        except UserError as error:
            self._complain(error)
            return
        self._show("undone" if undone else "there is nothing to undo")

    def action_truth(self) -> None:
        """Show or hide the true next item."""
        self.query_one("#target").toggle_class("shown")

    def action_move(self, step: int) -> None:
        """The next or the previous request, done or not."""
        self.session.go(self.session.place + step)
        self._show()

    def action_open(self) -> None:
        """The first request that is not done."""
        self.session.go_to_open()
        self._show()

    def action_page(self) -> None:
        """A page down in the part that has the focus."""
        if isinstance(self.focused, VerticalScroll):
            self.focused.scroll_page_down(animate=False)

    def action_help(self) -> None:
        """What every key does."""
        self.push_screen(HelpScreen())

    def _keep(self, best: int | None, worst: int | None) -> None:
        """Write a decision (a skip without places); the next request shows only after it is on the disk."""
        try:
            if best is None or worst is None:
                self.session.skip()
            else:
                self.session.decide(best, worst)
        except UserError as error:
            self._complain(error)
            return
        self._show()

    def _complain(self, error: UserError) -> None:
        self.bell()
        self._message = f"NOT SAVED: {error.found}"
        self._mark()

    def _show(self, message: str = "") -> None:
        """Put the session's request on the screen, from its first line."""
        self.best, self._message = None, message
        prompt = self.session.task.prompt
        language = _LANGUAGES[prompt.locale]
        place = f"{self.session.place + 1} of {len(self.session.tasks)}"
        self._text("#title", f"{place} · {prompt.domain} · {prompt.scenario} · {prompt.form} · {language}")
        self._text("#instruction", f"{prompt.instruction.strip()}\n\n{prompt.system.strip()}".strip())
        self._text("#target", f"Really taken next: {self.session.target}")
        self.query_one("#target").remove_class("shown")
        answers = self.session.answers
        for number, box in enumerate(self.query(".answer")):
            box.display = number < len(answers)
            if number < len(answers):
                self._text(f"#answer{number}", answers[number].strip())
        for scroll in self.query(VerticalScroll):
            scroll.scroll_home(animate=False)
        self._mark()

    def _mark(self) -> None:
        """Show which answers are picked, in words as well as in colour, and what is expected."""
        kept = self.session.choice if self.best is None else None
        picked = None if kept == "skip" else kept
        best = picked.best if picked else self.best
        worst = picked.worst if picked else None
        for number, box in enumerate(self.query(".answer")):
            box.set_class(number == best, "best")
            box.set_class(number == worst, "worst")
            word = {best: " BEST", worst: " WORST"}.get(number, "")
            box.border_title = Content(f"{number + 1}{word}")
        self._text("#status", f"{progress_line(self.session)} · {self._message or self._wanted()}")

    def _wanted(self) -> str:
        """What the next key press will mean."""
        if self.best is not None:
            return f"best is {self.best + 1}; now the worst"
        if self.session.finished:
            return "ALL DONE, q quits"
        if self.session.choice == "skip":
            return "skipped before"
        return "decided before" if self.session.choice else "pick the best"

    def _text(self, selector: str, text: str) -> None:
        self.query_one(selector, Static).update(Content(printable(text)))


class HelpScreen(ModalScreen[None]):
    """What every key does; any key closes it."""

    CSS = """
    HelpScreen { align: center middle; }
    #help { width: 80; max-width: 100%; height: auto; max-height: 100%; padding: 0 1; border: round $accent;
            background: $surface; }
    """

    def compose(self) -> ComposeResult:
        """The text in a box."""
        with VerticalScroll(id="help"):
            yield Static(HELP, markup=False)

    def on_key(self, event: Key) -> None:
        """Any key closes the help and does nothing else."""
        event.stop()
        self.dismiss()
