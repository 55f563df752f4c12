"""Fields and editors whose keys take effect in the order in which they are typed."""

from __future__ import annotations

from textual import events
from textual.widget import Widget
from textual.widgets import Input


async def key_in_order(widget: Widget, event: events.Key) -> None:
    """Perform a widget's own binding (backspace, home, ctrl+u) as soon as its key arrives.

    Textual passes a bound key up to the app first, while letters are inserted at once: letters typed in the meantime were
    inserted before the action of an earlier key, and ctrl+u deleted what was typed after it.
    """
    if event.is_printable:
        return
    for binding in widget._bindings.key_to_bindings.get(event.key, ()):
        if await widget.app.run_action(binding.action, widget):
            event.stop()
            event.prevent_default()
            return


class Field(Input):
    """One line to type into."""

    async def _on_key(self, event: events.Key) -> None:
        # Textual calls the `_on_key` of Input next, unless the default is prevented.
        await key_in_order(self, event)
