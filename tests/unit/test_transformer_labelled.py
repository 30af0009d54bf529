import json

import pytest

from jobs.errors import BadInput
from jobs.transformer.labelled import for_classes, of_file, of_texts


@pytest.fixture
def reviews(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text('text,label,stars\n"good, really",yes,5\nbad,no,1\n,no,1\nfine,yes,4\n')
    return path


def test_rows_with_a_text_and_a_label_are_numbered_by_class(reviews):
    found = of_file(reviews, "reviews", "text", "label", "refuse")
    assert found.texts == ["good, really", "bad", "fine"]
    assert found.class_names == ("no", "yes")
    assert found.labels.tolist() == [1, 0, 1]
    assert found.left_out == {"no text: empty": 1}


def test_labels_that_are_numbers_are_in_the_order_of_numbers(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"t": f"text {n}", "y": n}) + "\n" for n in (10, 9, -1)))
    found = of_file(path, "rows", "t", "y", "refuse")
    assert found.class_names == ("-1", "9", "10")
    assert found.labels.tolist() == [2, 1, 0]


def test_a_row_without_a_label_is_refused_or_left_out(tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_text("text\tlabel\none\ta\ntwo\t\nthree\tb\n")
    with pytest.raises(
        BadInput, match=r"row 2 of 'rows' has no label: fill in 'label', or say unlabelled='skip'"
    ):
        of_file(path, "rows", "text", "label", "refuse")
    found = of_file(path, "rows", "text", "label", "skip")
    assert (found.texts, found.left_out) == (["one", "three"], {"no label": 1})


def test_a_missing_column_is_named(reviews):
    with pytest.raises(BadInput, match=r"'rating'"):
        of_file(reviews, "reviews", "text", "rating", "refuse")


def test_a_file_without_a_row_of_use_is_refused(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n,a\n,b\n")
    with pytest.raises(BadInput, match=r"'rows' has no row with both a text and a label"):
        of_file(path, "rows", "text", "label", "refuse")


def test_texts_of_a_spec_have_their_labels():
    found = of_texts(("I love programming.", "I hate bugs."), ("good", "bad"))
    assert found.class_names == ("bad", "good")
    assert found.labels.tolist() == [1, 0]


def test_labels_that_a_model_has_no_class_for_are_refused_or_left_out(reviews):
    data = of_file(reviews, "reviews", "text", "label", "refuse")
    with pytest.raises(
        BadInput, match=r"no class for: 'no' \(1 rows\); its classes are maybe, yes; .*unknown='skip'"
    ):
        for_classes(data, "reviews", "refuse", ("maybe", "yes"))
    found = for_classes(data, "reviews", "skip", ("maybe", "yes"))
    assert (found.texts, found.labels.tolist()) == (["good, really", "fine"], [1, 1])
    assert found.left_out == {"no text: empty": 1, "unknown label: no": 1}
    with pytest.raises(BadInput, match=r"no class for.*: without them there are no rows left"):
        for_classes(data, "reviews", "skip", ("a", "b"))


def test_equal_texts_have_equal_digests_and_others_not():
    one, two, three = (
        of_texts(texts, ("1", "2")).digest for texts in (("ab", "c"), ("ab", "c"), ("a", "bc"))
    )
    assert one == two != three
