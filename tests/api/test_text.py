import pytest

from airflow_provider_renderbus.api.text import MAX_CHARS, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("余额不足", "余额不足"),
        ("  two\n\tlines\r\n", "two lines"),
        ("a\x1b[2Jb\x00c\x7f", "a\ufffd[2Jb\ufffdc\ufffd"),
        ("\u202eevil\u2066\u200b\ufeff", "\ufffdevil\ufffd\ufffd\ufffd"),
        ("line\u2028paragraph\u2029next\x85x\x0by", "line paragraph next x y"),
        ("\ud800", "\ufffd"),
    ],
)
def test_printable_returns_one_line_of_printable_text(text, expected):
    assert printable(text) == expected
    assert printable(text).isprintable()


@pytest.mark.parametrize("text", ["x" * 10_000_000, "\n" * 5000 + "x", "x" * (MAX_CHARS + 1), " x" * 5000])
def test_printable_of_long_text_is_cut(text):
    result = printable(text)
    assert len(result) <= MAX_CHARS
    assert result.endswith("…")


def test_printable_of_text_of_exactly_the_limit_is_whole():
    assert printable("x" * MAX_CHARS) == "x" * MAX_CHARS
