"""The screen of ``labnet status`` in a terminal: troubles first, then tables to scroll, filter and sort (textual)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Footer, Input, Static

from labnet.console.control import ControlError
from labnet.console.overview import Table, clock, span, tables, troubles
from labnet.console.rates import Snapshot
from labnet.wire.quoting import quoted

MOST_TROUBLES: Final = 100
"""Troubles that are listed; the newest are first."""


class StatusScreen(App[None]):
    """Shows ``before`` and ``now``, and each ``seconds`` what ``look`` gives then; None never looks by itself.

    ``look`` is called in a thread; where it raises ControlError the last look stays, and the error is a trouble.
    """

    CSS = """
    #head { height: 1; text-style: bold; }
    #troubles { height: auto; max-height: 6; }
    #troubles.well { color: $text-success; }
    #troubles.ill { color: $text-error; }
    #names { height: 1; margin-top: 1; }
    DataTable { height: 1fr; }
    #detail { height: 1; color: $text-muted; }
    #find { display: none; }
    #find.open { display: block; }
    """
    TITLE = "labnet status"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "find", "Filter", key_display="/"),
        Binding("escape", "find_nothing", "All rows"),
        Binding("s", "sort", "Sort"),
        Binding("r", "reverse", "Reverse"),
        Binding("t", "next_table", "Next table"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(
        self, before: Snapshot, now: Snapshot, look: Callable[[], Snapshot], seconds: float | None = None
    ) -> None:
        super().__init__()
        self._before = before
        self._now = now
        self._look = look
        self._seconds = seconds
        self._tables: list[Table] = []
        self._chosen = ""
        self._column: int | None = None
        self._is_reversed = False
        self._error = ""

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        with VerticalScroll(id="troubles"):
            yield Static(id="said")
        yield Static(id="names")
        yield DataTable[Text](cursor_type="row", zebra_stripes=True)
        yield Static(id="detail")
        yield Input(id="find", placeholder="show rows that hold …; Enter: back to them, Escape: all", compact=True)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(DataTable).focus()
        self._show()
        if self._seconds is not None:
            self.set_interval(self._seconds, self.look)

    @work(thread=True, exclusive=True, group="look")
    def look(self) -> None:
        """Look at the lab again, and show what is so then."""
        try:
            now = self._look()
        except ControlError as error:
            self.call_from_thread(self._looked, None, str(error))
        else:
            self.call_from_thread(self._looked, now, "")

    def _looked(self, now: Snapshot | None, error: str) -> None:
        self._error = error
        if now is not None:
            self._before, self._now = self._now, now
        self._show()

    def action_find(self) -> None:
        """Ask for what the rows are to hold."""
        find = self.query_one("#find", Input)
        find.add_class("open")
        find.focus()

    def action_find_nothing(self) -> None:
        """Show all rows again."""
        find = self.query_one("#find", Input)
        find.value = ""
        find.remove_class("open")
        self.query_one(DataTable).focus()

    def on_input_changed(self) -> None:
        self._show()

    def on_input_submitted(self) -> None:
        self.query_one(DataTable).focus()

    def action_sort(self) -> None:
        """Sort by the next column; behind the last, troubles are first again."""
        columns = len(self._table.heads)
        self._sort(0 if self._column is None else self._column + 1 if self._column + 1 < columns else None)

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        if event.column_index == self._column:
            self.action_reverse()
        else:
            self._sort(event.column_index)

    def _sort(self, column: int | None) -> None:
        self._column = column
        self._is_reversed = column is not None and column >= self._table.numbers  # the largest number is first
        self._show(is_kept=False)

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._is_reversed = not self._is_reversed
        self._show(is_kept=False)

    def action_next_table(self) -> None:
        """Services, parents, workers, and services again."""
        names = [table.name for table in self._tables]
        self._chosen = names[(names.index(self._table.name) + 1) % len(names)]
        self._column, self._is_reversed = None, False
        self._show(is_kept=False)

    @property
    def _table(self) -> Table:
        return next((table for table in self._tables if table.name == self._chosen), self._tables[0])

    def _show(self, is_kept: bool = True) -> None:
        """Everything; the cursor stays at its row if it ``is_kept``, and goes to the first otherwise."""
        self._tables = tables(self._before, self._now)
        status = self._now.status
        config = quoted(status["config"] or "the built-in lab")
        head = f"labnet {status['version']}  process {status['pid']}  up {span(status['uptime'])}  {config}"
        self.query_one("#head", Static).update(Text(head, no_wrap=True, overflow="ellipsis"))
        self._show_troubles()
        names = Text("  ").join(
            Text(f" {table.name} {len(table.rows)} ", "reverse" if table is self._table else "")
            for table in self._tables
        )
        self.query_one("#names", Static).update(names)
        self._show_rows(is_kept)

    def _show_troubles(self) -> None:
        lines = [quoted(f"now  {self._error}")] if self._error else []
        for trouble in troubles(self._now.status)[:MOST_TROUBLES]:
            when = "now" if trouble.at is None else clock(trouble.at)[5:16]
            lines.append(quoted("  ".join(part for part in (when, trouble.times, trouble.text) if part)))
        self.query_one("#said", Static).update(Text("\n".join(lines) or "no warnings, no errors"))
        box = self.query_one("#troubles")
        box.set_class(bool(lines), "ill")
        box.set_class(not lines, "well")
        box.can_focus = len(lines) > 1

    def _show_rows(self, is_kept: bool) -> None:
        shown: DataTable[Text] = self.query_one(DataTable)
        table = self._table
        rows = table.shown(self.query_one("#find", Input).value, self._column, self._is_reversed)
        at, scrolled = shown.cursor_row, shown.scroll_offset
        keys = [key.value for key in shown.rows]
        key = keys[at] if is_kept and at < len(keys) else None
        with self.batch_update():
            shown.clear(columns=True)
            for number, head in enumerate(table.heads):
                mark = "" if number != self._column else " ▼" if self._is_reversed else " ▲"
                # Told a width, the table need not measure its cells when it is idle, and does not jump meanwhile.
                width = max(len(head) + len(mark), *(cell_len(row.cells[number]) for row in table.rows), 0)
                shown.add_column(Text(head + mark, justify="right" if number >= table.numbers else "left"), width=width)
            for row in rows:
                style = "bold red" if row.is_troubled else ""
                cells = (
                    Text(cell, style, justify="right" if number >= table.numbers else "left")
                    for number, cell in enumerate(row.cells)
                )
                shown.add_row(*cells, key=row.key)
            found = [row.key for row in rows]
            shown.move_cursor(row=found.index(key) if key in found else 0, scroll=key not in found)
            if key in found:
                shown.scroll_to(scrolled.x, scrolled.y, animate=False)
        self._show_detail()

    def on_data_table_row_highlighted(self) -> None:
        self._show_detail()

    def _show_detail(self) -> None:
        shown: DataTable[Text] = self.query_one(DataTable)
        keys = [key.value for key in shown.rows]
        chosen = keys[shown.cursor_row] if shown.cursor_row < len(keys) else None
        text = next(
            (f"{row.cells[0]}: {row.detail}" for row in self._table.rows if row.key == chosen and row.detail), ""
        )
        self.query_one("#detail", Static).update(Text(text, no_wrap=True, overflow="ellipsis"))
