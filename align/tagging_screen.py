"""Tagging on a screen, from 80x24 up. Imported only when it is shown: textual is heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.events import Key, Paste, Resize
from textual.geometry import Size
from textual.widgets import Static

from rectune.align.decisions import LONGEST_NOTE
from rectune.align.prompt_view import overview
from rectune.align.session import WORDS, AnnotationSession, progress_line
from rectune.align.tagging_dialogs import HelpScreen, InputLine
from rectune.align.tagging_help import HANGUL, MOST_ANSWERS, key_line, screen_help
from rectune.align.tagging_layout import REQUEST, STYLE, across, painted
from rectune.core.errors import UserError
from rectune.core.text.plain import printable

_LANGUAGES = {"en": "English", "ko": "Korean"}


def work(session: AnnotationSession) -> None:
    """Show the screen until the annotator quits."""
    TaggingApp(session).run()


class TaggingApp(App[None]):
    """One prompt at a time, its answers below it or, if there is room, side by side."""

    ENABLE_COMMAND_PALETTE = False
    CSS = STYLE
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"pick({number - 1})") for number in range(1, MOST_ANSWERS + 1)),
        Binding("escape", "forget"),
        Binding("e", "settle('tie')"),
        Binding("x", "settle('bad')"),
        Binding("s", "settle('skip')"),
        Binding("u", "undo"),
        Binding("c", "comment"),
        Binding("f", "flag"),
        Binding("t", "truth"),
        Binding("i", "instruction"),
        Binding("h", "hide"),
        Binding("n", "move(1)"),
        Binding("p", "move(-1)"),
        Binding("g", "open"),
        Binding("v", "flagged"),
        Binding("j", "jump"),
        Binding("space", "page(1)"),
        Binding("b", "page(-1)"),
        Binding("question_mark", "help"),
        Binding("q,ctrl+c", "quit"),
    ]

    def __init__(self, session: AnnotationSession) -> None:
        # The terminal's own colours, so that it is readable on light and dark. None at all under NO_COLOR.
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.session = session
        self.best: int | None = None  # picked, while the worst is still to be picked
        self._message = ""
        self._full = False  # the request as the model reads it
        self._line: InputLine | None = None  # being typed

    def compose(self) -> ComposeResult:
        """Title, request, target, note, answers, status and keys, from top to bottom."""
        yield Static(id="title")
        with VerticalScroll(id="request"):
            yield Static(id="instruction")
        yield Static(id="target", classes="extra")
        yield Static(id="note", classes="extra")
        with VerticalScroll(id="answers"), Container(id="columns"):
            for number in range(self._most):
                yield Static(id=f"answer{number}", classes="answer")
        yield Static(id="line", classes="extra")
        yield Static(id="status")
        yield Static(key_line(self.session, self._most), id="keys", markup=False)

    def on_mount(self) -> None:
        """Begin at the first request that is not done."""
        self.query_one("#answers").focus()
        self._show()

    def on_resize(self, event: Resize) -> None:
        """Side by side where every answer gets a readable column, and the request in as many."""
        self.query_one("#columns").styles.grid_size_columns = across(self._most, event.size.width)
        self._show_request(event.size)

    def on_key(self, event: Key) -> None:
        """An input line takes every key; without one, keys on a keyboard switched to Hangul work too."""
        typed = event.character or ""
        if self._line:
            event.prevent_default()
            line = self._line
            self._type(None if line.press(event) else line)
        elif typed in HANGUL:
            self.simulate_key(HANGUL[typed])
        elif "가" <= typed <= "힣":
            self._message = "switch the keyboard to Latin letters"
            self._mark()

    def on_paste(self, event: Paste) -> None:
        """Pasted text goes into an input line, and nowhere else."""
        if self._line:
            self._line.insert(event.text)
            self._type(self._line)

    def action_pick(self, number: int) -> None:
        """Pick the best, then the worst; the same number again cancels the pick. Of two models the better."""
        answers = len(self.session.answers)
        if number >= answers:
            return
        if self.session.compares:
            self._keep(lambda: self.session.decide(number, 1 - number), f"{number + 1} is better")
        elif self.best is None:
            self.best, self._message = number, ""
            self._mark()
        elif self.best == number:
            self.action_forget()
        else:
            best = self.best
            self._keep(lambda: self.session.decide(best, number), f"best {best + 1}, worst {number + 1}")

    def action_forget(self) -> None:
        """Cancel the first of the two picks."""
        self.best, self._message = None, ""
        self._mark()

    def action_settle(self, kind: Literal["tie", "bad", "skip"]) -> None:
        """No best and worst; it counts as done."""
        self._keep(lambda: self.session.settle(kind), WORDS[kind])

    def action_undo(self) -> None:
        """Undo the last decision and show its prompt."""
        try:
            undone = self.session.undo()
        except UserError as error:
            self._complain(error)
            return
        self._show("undone" if undone else "there is nothing to undo")

    def action_comment(self) -> None:
        """Type a note on this request."""

        def keep(text: str) -> None:
            self._try(lambda: self.session.write_note(text))

        self._type(
            InputLine("comment (Enter keeps it, Escape leaves)", self.session.note, LONGEST_NOTE, keep)
        )

    def action_flag(self) -> None:
        """Flag this prompt or remove its flag."""
        self._try(self.session.flag)

    def action_truth(self) -> None:
        """Show or hide the target."""
        self.query_one("#target").toggle_class("shown")

    def action_instruction(self) -> None:
        """Show the request as the model reads it, or as a list again."""
        self._full = not self._full
        self._show_request()

    def action_hide(self) -> None:
        """Hide the request, so that more of the answers is seen, or show it again."""
        request = self.query_one("#request")
        request.display = not request.display

    def action_move(self, step: int) -> None:
        """The next or the previous request, done or not."""
        self.session.go(self.session.place + step)
        self._show()

    def action_open(self) -> None:
        """The next request that is not done."""
        self._show("" if self.session.go_to_open() else "no other is open")

    def action_flagged(self) -> None:
        """The next request with a flag."""
        self._show("" if self.session.go_to_flagged() else "none is flagged: f flags")

    def action_jump(self) -> None:
        """Type the number of a request."""

        def go(number: str) -> None:
            self._try(lambda: self.session.jump(number.strip()), lost="")
            self._show(self._message)

        self._type(InputLine(f"go to number, 1 to {len(self.session.slots)}", "", 9, go))

    def action_page(self, step: int) -> None:
        """Scroll a page in the part that has the focus."""
        if isinstance(self.focused, VerticalScroll):
            scroll = self.focused.scroll_page_down if step > 0 else self.focused.scroll_page_up
            scroll(animate=False)

    def action_help(self) -> None:
        """What every key does."""
        self.push_screen(HelpScreen(screen_help(self.session)))

    @property
    def _most(self) -> int:
        return max(len(slot.task.answers) for slot in self.session.slots)

    def _type(self, line: InputLine | None) -> None:
        """Show or hide an input line."""
        self._line = line
        self._text("#line", f"{line.asked}: {line.text}▏" if line else "")
        self.query_one("#line").set_class(line is not None, "shown")

    def _keep(self, write: Callable[[], None], said: str) -> None:
        """Write a decision; the next prompt is shown only after it is on disk."""
        try:
            write()
        except UserError as error:
            self._complain(error)
            return
        self._show(f"saved: {said}")

    def _try(self, change: Callable[[], None], lost: str = "NOT SAVED: ") -> None:
        """Run an action that keeps the prompt on show."""
        self._message = ""
        try:
            change()
        except UserError as error:
            self._complain(error, lost)
        self._mark()

    def _complain(self, error: UserError, lost: str = "NOT SAVED: ") -> None:
        self.bell()
        self._message = f"{lost}{error.message}"
        self._mark()

    def _show(self, message: str = "") -> None:
        """Put the session's request on the screen, from its first line."""
        self.best, self._message, self._full = None, message, False
        with self.batch_update():
            self._show_request()
            self.query_one("#request").display = True
            self._text("#target", f"Really taken next: {self.session.request.target}")
            self.query_one("#target").remove_class("shown")
            answers = painted([printable(text).strip() for text in self.session.answers])
            for number, box in enumerate(self.query(".answer").results(Static)):
                box.display = number < len(answers)
                if number < len(answers):
                    box.update(answers[number])
            for scroll in self.query(VerticalScroll):
                scroll.scroll_home(animate=False)
            self._mark()

    def _show_request(self, size: Size | None = None) -> None:
        """The request for a screen of this size, while it changes, or of the one there is."""
        width, height = size or self.size
        request, lines = self.session.request, int(height * REQUEST)
        self._text("#instruction", request.instruction if self._full else overview(request, width - 4, lines))

    def _mark(self) -> None:
        """Show which answers are picked, in words as well as in colour, and what is expected."""
        prompt, note = self.session.task.prompt, self.session.note
        place = f"{self.session.place + 1} of {len(self.session.slots)}"
        flag = " · FLAGGED" if self.session.flagged else ""
        language = _LANGUAGES[prompt.locale]
        self._text(
            "#title", f"{place}{flag} · {prompt.domain} · {prompt.scenario} · {prompt.form} · {language}"
        )
        self._text("#note", f"Comment: {note}")
        self.query_one("#note").set_class(bool(note), "shown")
        kept = self.session.choice if self.best is None else None
        picked = None if isinstance(kept, str) else kept
        best = picked.best if picked else self.best
        worst = picked.worst if picked else None
        names = ("BETTER", "") if self.session.compares else ("BEST", "WORST")
        for number, box in enumerate(self.query(".answer")):
            box.set_class(number == best, "best")
            box.set_class(number == worst, "worst")
            word = {best: names[0], worst: names[1]}.get(number, "")
            box.border_title = Content(f"{number + 1} {word}".rstrip())
        self._text("#status", f"{self._wanted()} · {progress_line(self.session)}")

    def _wanted(self) -> str:
        """The last action, and what the next key does."""
        done = "ALL DONE, q quits · " if self.session.finished else ""
        if self._message:
            return done + self._message
        if self.best is not None:
            return f"best is {self.best + 1}; now the worst"
        if choice := self.session.choice:
            return done + f"{WORDS[choice if isinstance(choice, str) else 'tag']} before"
        return "pick the better one" if self.session.compares else "pick the best"

    def _text(self, selector: str, text: str) -> None:
        self.query_one(selector, Static).update(Content(printable(text)))
