"""The shell of a self-contained page: everything inlined, nothing loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from sandbox.report.chart import Chart, chart_json, script_json
from sandbox.report.markup import Html, el
from sandbox.report.theme import DARK, LIGHT, css_variables

__all__ = ["Section", "page"]

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""No byte may come from elsewhere: the browser itself refuses it."""


@dataclass(frozen=True)
class Section:
    """One part of a page, with its entry in the table of contents."""

    name: str
    title: str
    body: Html


def page(title: str, header: Html, sections: Sequence[Section], charts: Sequence[Chart]) -> str:
    """Return the whole document.

    Parameters
    ----------
    title
        For the window; plain text.
    charts
        Every chart that the sections show, each with a name of its own.

    Raises
    ------
    ValueError
        If two charts share a name.
    """
    if len({c.name for c in charts}) != len(charts):
        raise ValueError("two charts share a name")
    contents = el("nav", *(el("a", s.title, href=f"#{s.name}") for s in sections),
                  aria_label="Contents")  # fmt: skip
    body = [el("section", el("h2", s.title), s.body, id=s.name, class_="part") for s in sections]
    quiet = el("noscript", el("p", "Charts need JavaScript; all tables and numbers work without.",
                              class_="banner"))  # fmt: skip
    main = el("main", header, quiet, contents, *body)
    return "<!doctype html>\n" + el("html", _head(title), el("body", main, *_scripts(charts)),
                                    lang="en") + "\n"  # fmt: skip


def _head(title: str) -> Html:
    variables = (
        f":root{{color-scheme:light dark;{css_variables(LIGHT)}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{css_variables(DARK)}}}}}"
    )
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width,initial-scale=1"),
        el("title", title),
        el("style", Html(variables + _asset("report.css"))),
    )


def _scripts(charts: Sequence[Chart]) -> list[Html]:
    if not charts:
        return []
    from plotly.offline import get_plotlyjs  # slow to import; only a page with charts needs it

    themes = Html(script_json({"light": LIGHT, "dark": DARK}))
    return [
        el("script", themes, type="application/json", id="themes"),
        el("script", chart_json(charts), type="application/json", id="figures"),
        el("script", Html(get_plotlyjs())),
        el("script", Html(_asset("report.js"))),
    ]


def _asset(name: str) -> str:
    return (resources.files("sandbox.report") / "assets" / name).read_text(encoding="utf-8")
