"""One place for colours: CSS variables for the page, and the palette that charts are painted with.

Charts name colours by token (``"$oracle"``); the page's script paints them for light or dark.
Series colours follow Okabe and Ito (2008), adjusted for contrast, so that they stay apart for
colour-blind readers; no meaning hangs on colour alone.
"""

from __future__ import annotations

from typing import Any

__all__ = ["DARK", "LIGHT", "css_variables", "incident_colour", "paint"]

LIGHT = {
    "page": "#ffffff", "panel": "#f7f8f9", "ink": "#1b2026", "muted": "#5b6670",
    "line": "#dfe3e8", "grid": "#eceff2", "good": "#00735c", "bad": "#b8430a", "warn": "#8a6400",
    "oracle": "#0a66a8", "observed": "#d55e00", "estimated": "#009271", "baseline": "#8a939c",
    "gold": "#d19a00", "purple": "#9a5b9f", "sky": "#4aa5dc",
    "concept": "rgba(213,94,0,.11)", "covariate": "rgba(0,146,113,.11)",
    "prior": "rgba(154,91,159,.13)", "fault": "rgba(209,154,0,.15)",
    "stack": "rgba(91,102,112,.13)",
    "heat0": "#f4f6f8", "heat1": "#d5e2ee", "heat2": "#9dbfdc", "heat3": "#4f8fc2",
    "heat4": "#0b4a80",
    "hot0": "#fbd0a8", "hot1": "#ee8641", "hot2": "#8f2d00",
}  # fmt: skip
DARK = {
    "page": "#14181c", "panel": "#1b2026", "ink": "#e7eaed", "muted": "#a0aab4",
    "line": "#333b44", "grid": "#262d34", "good": "#4fd0ad", "bad": "#ff9a66", "warn": "#e8c14a",
    "oracle": "#62b4ee", "observed": "#ff9350", "estimated": "#3fcfa8", "baseline": "#8f99a3",
    "gold": "#e6bc45", "purple": "#cf9ad3", "sky": "#8fd0f7",
    "concept": "rgba(255,147,80,.15)", "covariate": "rgba(63,207,168,.13)",
    "prior": "rgba(207,154,211,.16)", "fault": "rgba(230,188,69,.16)",
    "stack": "rgba(160,170,180,.17)",
    "heat0": "#1d242b", "heat1": "#22384d", "heat2": "#285a85", "heat3": "#3c8cc9",
    "heat4": "#a5d8fb",
    "hot0": "#8a4318", "hot1": "#e77a33", "hot2": "#ffd9b8",
}  # fmt: skip

_KINDS = {
    "concept": ("concept", "observed"), "covariate": ("covariate", "estimated"),
    "prior": ("prior", "purple"), "label_delay": ("prior", "purple"), "fault": ("fault", "gold"),
}  # fmt: skip


def css_variables(palette: dict[str, str]) -> str:
    """Return the palette as CSS custom properties."""
    return "".join(f"--{name}:{value};" for name, value in palette.items())


def incident_colour(kind: str) -> tuple[str, str]:
    """Return the tokens (band tint, solid colour) of a kind such as ``concept drift``."""
    for word in kind.split():
        if word in _KINDS:
            return _KINDS[word]
    return "stack", "muted"


def paint(node: Any, palette: dict[str, str]) -> Any:
    """Return a figure with its colour tokens replaced, as the page's script does it."""
    if isinstance(node, str):
        return palette.get(node[1:], node) if node.startswith("$") else node
    if isinstance(node, dict):
        return {key: paint(value, palette) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [paint(value, palette) for value in node]
    return node
