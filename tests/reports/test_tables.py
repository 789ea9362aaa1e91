from cohear.reports.tables import Table, to_html, to_markdown, to_text

TABLE = Table("Scores", ("Name", "n"), (("a | <b>", "1"), ("a long name of five words", "12")), ("A note & more.",))


def test_a_terminal_table_wraps_names_to_the_width():
    assert to_text(TABLE, width=20).splitlines() == [
        "Scores",
        "",
        "Name               n",
        "--------------------",
        "a | <b>            1",
        "a long name of    12",
        "five words",
        "",
        "A note & more.",
    ]


def test_in_markdown_a_name_is_but_a_name():
    assert to_markdown(TABLE).splitlines()[2:6] == [
        "| Name | n |",
        "|---|---:|",
        "| a \\| \\<b> | 1 |",
        "| a long name of five words | 12 |",
    ]


def test_notes_keep_their_code_and_lose_the_markup_of_names():
    note = "Over `combination_x`, p < 0.05: <script>x</script> [y](z) *w* &lt; v."
    text = to_markdown(Table("A", ("Name",), (("a",),), (note,))).splitlines()[-1]
    assert text == r"Over `combination_x`, p < 0.05: \<script>x\</script> \[y\](z) \*w\* \&lt; v."


def test_html_escapes_every_cell():
    html = to_html(TABLE)
    assert "<th>a | &lt;b&gt;</th><td>1</td>" in html
    assert "A note &amp; more." in html


def test_a_narrow_terminal_tears_no_word():
    table = Table("", ("Model", "n"), (("Combination-BDA", "1"), ("No Augmentation", "2")), ())
    assert to_text(table, 10).splitlines()[2:] == [
        "Model            n",
        "------------------",
        "Combination-BDA  1",
        "No Augmentation  2",
    ]
