"""One line of a widget that draws itself line by line."""

from __future__ import annotations

from textwrap import wrap

from rich.style import Style as RichStyle
from textual.content import Content
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from hvdsweep.visible import visible


def line_of(widget: Widget, content: Content, width: int, component: str = "") -> Strip:
    """`content` on exactly `width` cells, in the style of one of the widget's component classes."""
    if visible(content.plain) != content.plain:
        # Foreign text would reach the terminal as it is; what it holds of styles is not worth keeping.
        content = Content(visible(content.plain))
    style = widget.get_visual_style(component) if component else widget.visual_style
    strips = Visual.to_strips(widget, content.truncate(width, ellipsis=True), width, 1, style, pad=True)
    line = (strips[0] if strips else Strip.blank(width)).adjust_cell_length(width, style.rich_style)
    # Textual's visual styles know no reverse, which is all that a cursor has without colours.
    if component and widget.get_component_styles(component).text_style.reverse:
        line = line.apply_style(RichStyle(reverse=True))
    return line


def in_lines(words: str, width: int) -> list[str]:
    """What is said in place of rows, in as many lines as it needs."""
    return [f" {line}" for line in wrap(words, max(1, width - 2))]
