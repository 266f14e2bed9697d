"""The live screen as Textual runs it: keys, a clock, and a widget that draws what changed."""

import time
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from codecfx.cli.live_panels import Line, moved, picture
from codecfx.cli.live_turning import Ending, Turning, knob_at, written
from codecfx.cli.live_view import View
from codecfx.errors import CodecFxError

if TYPE_CHECKING:
    from codecfx.cli.live_glyphs import Glyphs
    from codecfx.cli.live_turning import LiveHost
    from codecfx.live.status import Knob

_TICK_SECONDS = 1 / 15  # bars move so often


class LiveApp(App[None]):
    """The screen of one host."""

    CSS = """
    Screen { layers: below above; overflow: hidden; }
    Picture { layer: below; width: 100%; height: 100%; }
    #entry { layer: above; dock: bottom; display: none; height: 1; border: none; padding: 0 1; }
    #entry:focus { border: none; background-tint: transparent; }
    """
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit", priority=True),
        Binding("q", "quit"),
        Binding("m", "ask('mute')"),
        Binding("space,b", "ask('bypass')"),
        Binding("p", "ask('panic')"),
        Binding("x", "ask('swap')"),
        Binding("r", "ask('record')"),
        Binding("n", "ask('next')"),
        Binding("N", "ask('previous')"),
        Binding("up,k", "choose(-1)"),
        Binding("down,j", "choose(1)"),
        Binding("pageup", "choose(-1, True)"),
        Binding("pagedown", "choose(1, True)"),
        Binding("home", "choose(-1000000)"),
        Binding("end", "choose(1000000)"),
        Binding("a", "all"),
        Binding("left,h", "turn(-1)"),
        Binding("right,l", "turn(1)"),
        Binding("shift+left,left_square_bracket", "turn(-10)"),
        Binding("shift+right,right_square_bracket", "turn(10)"),
        Binding("enter", "type"),
        Binding("L", "learn"),
        Binding("delete,backspace", "forget"),
        Binding("s", "save"),
        Binding("question_mark", "help"),
        Binding("escape", "leave"),
    ]

    def __init__(self, host: "LiveHost", glyphs: "Glyphs") -> None:
        super().__init__(ansi_color=True)  # the terminal's own sixteen colours
        self.theme = "ansi-dark"
        self.host = host
        self.ending = Ending(host)
        self.is_hung_up: Callable[[], bool] = lambda: False  # nobody sees the screen any more
        self.failure: Exception | None = None
        self._view = View(glyphs, host.status())
        self._ticks = 0
        self._turning = Turning(host)
        self._typing = ""  # the parameter that a value is typed for
        self._asked: dict[str, Callable[[], object]] = {
            "mute": host.mute,
            "bypass": host.bypass,
            "panic": host.panic,
            "swap": host.swap,
            "record": host.record,
            "next": lambda: host.next_preset(1),
            "previous": lambda: host.next_preset(-1),
        }

    def compose(self) -> ComposeResult:
        yield Picture(self._view.glyphs.shown)
        yield Input(id="entry", compact=True)

    def on_mount(self) -> None:
        self._entry = self.query_one("#entry", Input)
        self._entry.cursor_blink = False
        self._picture = self.query_one(Picture)
        self.set_interval(_TICK_SECONDS, self._on_clock)
        self.call_after_refresh(self.tick)

    def _on_clock(self) -> None:
        self._ticks += 1
        self.tick(only_meters=self._ticks % 2 == 0)

    def tick(self, only_meters: bool = False) -> None:
        """Look at the host, and draw what changed."""
        try:
            status = self.host.status()
            is_over = self.is_hung_up() or self.ending.is_due(status)
        except Exception as error:
            self._fail(error)
            return
        if is_over:
            self.exit()
            return
        self._view.look(status, time.monotonic())
        width, height = self._picture.size
        before = self._picture.lines
        if only_meters and len(before) == height:
            self._picture.show(moved(before, self._view, width, height), width)
        elif width >= 20 and height >= 3:
            self._picture.show(picture(self._view, width, height), width)

    # What keys do

    def _ask(self, call: Callable[[], object]) -> bool:
        """Ask something of the host; whether it could be."""
        done = False
        try:
            call()
            done = True
        except CodecFxError as error:
            self._view.say(str(error), is_refusal=True)
        except Exception as error:
            self._fail(error)
            return False
        self.tick()
        return done

    def _fail(self, error: Exception) -> None:
        """End; whoever runs the screen raises it, once the terminal is as it was."""
        self.failure = error
        self.exit()

    def action_ask(self, what: str) -> None:
        self._ask(self._asked[what])

    async def action_quit(self) -> None:
        if self.ending.is_asked_for:  # twice: now
            self.exit()
        self.ending.ask()
        self._view.say("the take is finished first (q: quit at once)")
        self.tick()

    def action_choose(self, step: int, pages: bool = False) -> None:
        self._close()
        self._view.choose(step * (self._view.rows if pages else 1))
        self.tick()

    def action_all(self) -> None:
        self._view.shows_all = not self._view.shows_all
        self.tick()

    def _knob(self, path: str) -> "Knob":
        return knob_at(self._view.status, path)  # which may be another board's by now

    def action_turn(self, steps: int) -> None:
        self._ask(lambda: self._turning.step(self._knob(self._view.path), steps))

    def action_type(self) -> None:
        self._ask(self._type)

    def _type(self) -> None:
        """Ask for the chosen parameter's value."""
        knob = self._knob(self._view.path)
        self._typing = knob.path  # whatever is chosen meanwhile
        self._view.prompt = f"{knob.path}: {knob.parameter.allowed} (Esc: leave it)"
        self._view.notice = ""
        self._entry.value = written(knob.value)
        self._entry.display = True
        self._entry.focus()

    def on_input_submitted(self, submitted: Input.Submitted) -> None:
        text = submitted.value.strip()
        if not text or self._ask(lambda: self._turning.set(self._knob(self._typing), text)):
            self._close()
            self.tick()

    def _close(self) -> bool:
        """Close what is open; whether anything was."""
        view = self._view
        was_open = view.is_help or bool(view.prompt)
        view.is_help, view.prompt = False, ""
        self._entry.display = False
        self.set_focus(None)
        return was_open

    def action_leave(self) -> None:
        """Close what is open, else stop learning."""
        if not self._close() and self._view.status.learning:
            self._ask(lambda: self.host.learn(""))
        self.tick()

    def action_learn(self) -> None:
        """Learn for the chosen parameter; again: not."""
        path = self._view.path
        self._ask(lambda: self.host.learn("" if self._view.status.learning == path else path))

    def action_forget(self) -> None:
        if self._view.path:
            self._ask(lambda: self.host.forget(self._view.path))

    def action_save(self) -> None:
        self._ask(lambda: self._view.say(self.host.save()))

    def action_help(self) -> None:
        self._view.is_help = not self._view.is_help
        self.tick()


class Picture(Widget):
    """Lines, of which those are drawn anew that changed."""

    def __init__(self, shown: Callable[[str], str]) -> None:
        """`shown` makes of a text what the terminal can show."""
        super().__init__()
        self._shown = shown
        self.lines: list[Line] = []
        self._width = 0
        self._strips: dict[int, Strip] = {}

    def show(self, lines: Sequence[Line], width: int) -> None:
        """Draw these from now on; cut or filled up to `width`."""
        before, self.lines = self.lines, list(lines)
        if width != self._width:
            before, self._width = [], width
            self._strips.clear()
        pairs = enumerate(zip_longest(before, self.lines))
        changed = [at for at, (old, new) in pairs if old is not new and old != new]
        for at in changed:
            self._strips.pop(at, None)
        if changed:
            self.refresh(*(Region(0, at, width, 1) for at in changed))

    def render_line(self, y: int) -> Strip:
        """A row, as Textual wants it."""
        if y not in self._strips:
            spans = self.lines[y] if y < len(self.lines) else ()
            drawn = ((self._shown(text), Style.parse(style)) for text, style in spans if text)
            strip = Strip(Segment(*one) for one in drawn)
            self._strips[y] = strip.adjust_cell_length(self._width)
        return self._strips[y]
