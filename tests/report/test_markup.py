from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.report.chart import script_json
from sandbox.report.markup import Html, el, safe_label, table


def test_text_is_escaped_and_html_is_not() -> None:
    assert el("p", "<b>", el("i", "&")) == "<p>&lt;b&gt;<i>&amp;</i></p>"
    assert el("a", href='x"><script>') == '<a href="x&quot;&gt;&lt;script&gt;"></a>'
    assert el("br") == "<br>" and isinstance(el("br"), Html)


def test_table_marks_numbers_and_scrolls() -> None:
    text = table(("a", "<b>"), [["1", "2"]], numeric=(1,))
    assert text.startswith('<div class="scroll"') and "&lt;b&gt;" in text
    assert '<td class="num">2</td>' in text and "<td>1</td>" in text


@given(st.text())
def test_no_text_can_close_a_script_or_a_label(text: str) -> None:
    assert "<" not in script_json({"x": text})
    assert "<" not in safe_label(text)
