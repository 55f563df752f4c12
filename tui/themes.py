"""The two themes of hvdsweep, in the colours of the charts; Textual brings others."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="hvdsweep-dark",
    primary="#4ea8ff",
    secondary="#56d4e8",
    accent="#ffb347",
    success="#3ddc97",
    warning="#ffb347",
    error="#ff6b6b",
    foreground="#d5dce3",
    background="#0f1419",
    surface="#151b22",
    panel="#1d252e",
    dark=True,
    variables={
        "border": "#2c3742",
        "border-blurred": "#2c3742",
        "footer-key-foreground": "#ffb347",
        "block-cursor-background": "#24476b",
        "block-cursor-foreground": "#f2f4f8",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#1d2c3b",
        "block-cursor-blurred-foreground": "#d5dce3",
        "input-selection-background": "#4ea8ff 35%",
    },
)

LIGHT = Theme(
    name="hvdsweep-light",
    primary="#0b62c4",
    secondary="#007890",
    accent="#b25a00",
    success="#0a7d4f",
    warning="#b25a00",
    error="#c22032",
    foreground="#20262c",
    background="#fbfcfd",
    surface="#f1f4f7",
    panel="#e5eaef",
    dark=False,
    variables={
        "border": "#c5ced6",
        "border-blurred": "#c5ced6",
        "footer-key-foreground": "#b25a00",
        "block-cursor-background": "#cfe3fa",
        "block-cursor-foreground": "#101418",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#e2ebf4",
        "block-cursor-blurred-foreground": "#20262c",
    },
)

OURS = (DARK, LIGHT)
DEFAULT = DARK.name
