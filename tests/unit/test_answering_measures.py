"""The official measures of answers, the simplest methods, and the threshold for giving an answer."""

import itertools

import pytest

from jobs.transformer.answering.scoring.baselines import first_noun, most_words, sentences
from jobs.transformer.answering.scoring.kinds import kind_of, length_of
from jobs.transformer.answering.scoring.measures import best, exact, f1, normalised
from jobs.transformer.answering.scoring.scores import Answered, figures_of, scores_of, threshold_of


@pytest.mark.parametrize(
    ("answer", "right", "exactly", "overlap"),
    [
        ("   Rock    n  Roll.", "rock n roll", 1.0, 1.0),
        ("rock", "rock n roll", 0.0, 0.5),
        ("dreadnought battleships, and ocean liners", "ocean liners", 0.0, 4 / 7),
        ("The Broncos", "broncos", 1.0, 1.0),
        ("a cat and a cat", "cat", 0.0, 0.5),
        ("cat cat dog", "dog cat cat", 0.0, 1.0),
        ("1976", "1976", 1.0, 1.0),
        ("Levi's Stadium in Santa Clara", "Santa Clara, California", 0.0, 0.5),
        ("", "", 1.0, 1.0),
        ("", "cat", 0.0, 0.0),
        ("the", "", 1.0, 1.0),
        ("theatre", "atre", 0.0, 0.0),
        ("24–10", "24-10", 0.0, 0.0),
    ],
)
def test_exact_match_and_f1_are_those_of_the_official_scripts(
    answer: str, right: str, exactly: float, overlap: float
) -> None:
    assert exact(answer, right) == exactly
    assert f1(answer, right) == pytest.approx(overlap)
    assert f1(right, answer) == pytest.approx(overlap)


def test_the_nearest_of_several_right_answers_counts() -> None:
    rights = ("Santa Clara, California", "Levi's Stadium", "in Santa Clara")
    assert best("Levi's Stadium", rights) == (1.0, 1.0)
    assert best("Stadium", rights) == (0.0, pytest.approx(2 / 3))
    assert best("", ()) == (1.0, 1.0)
    assert best("Santa", ()) == (0.0, 0.0)
    assert best("", ("the", "...")) == (1.0, 1.0)


def test_what_is_normalised_is_told_by_the_definition() -> None:
    assert normalised("The  «Ünïted» States' A-team, an AN the.") == "«ünïted» states ateam"


def test_figures_are_means_in_per_cent() -> None:
    figures = figures_of([(1.0, 1.0), (0.0, 0.5), (0.0, 0.0)])
    assert (figures.questions, figures.exact_match, figures.f1) == (3, pytest.approx(100 / 3), 50.0)


def test_sentences_end_at_marks_and_lines_and_keep_their_places() -> None:
    text = "One is. Two was! 3.5 is three\nFour 。五。 six"
    assert [text[a:b] for a, b in sentences(text)] == [
        "One is.",
        "Two was!",
        "3.5 is three",
        "Four 。",
        "五。",
        "six",
    ]
    assert sentences(" \n ") == []


def test_the_simplest_methods_find_the_sentence_and_the_noun_that_they_are_to_find() -> None:
    text = "Anna was born in 1950. She lives with Boris Bell in Riga. They sing."
    begin, end = most_words("Where does Anna live in?", text)
    assert text[begin:end] == "Anna was born in 1950."
    assert text[slice(*most_words("Who lives in Riga?", text))] == "She lives with Boris Bell in Riga."
    assert text[slice(*first_noun("When was Anna born?", text))] == "1950"
    assert text[slice(*first_noun("Who was born in 1950?", text))] == "Boris Bell"
    assert first_noun("who", "who sings") == (4, 9)
    assert first_noun("sings who", "who sings") == (0, 3)
    assert first_noun("?", "...") == (0, 3)


@pytest.mark.parametrize(
    ("rights", "kind"),
    [
        ((), "no answer"),
        (("308",), "number"),
        (("on 7 February 2016",), "number"),
        (("Denver Broncos",), "name"),
        (("University of the North",), "name"),
        (("golden anniversary",), "phrase"),
        (("to save the 12 people of it",), "clause"),
        (("北京",), "phrase"),
    ],
)
def test_kinds_of_answers_are_told_by_their_form(rights: tuple[str, ...], kind: str) -> None:
    assert kind_of(rights) == kind


def test_lengths_are_in_groups_without_gaps() -> None:
    found = [length_of("x" * size) for size in (0, 499, 500, 999, 1_000, 1_999, 2_000, 9_999, 10_000)]
    assert found == [
        *["below 500"] * 2,
        *["500 to 999"] * 2,
        *["1,000 to 1,999"] * 2,
        *["2,000 to 9,999"] * 2,
        "10,000 or more",
    ]


def asked(score: float, span: str, *rights: str) -> Answered:
    return Answered("who?", "Anna sings.", rights, span, score, span)


def test_the_threshold_is_the_best_of_all_that_could_be_chosen() -> None:
    scores, rights = (-1.0, 0.0, 0.0, 2.0, 3.0), ((), ("Anna",))
    for chosen in itertools.product(rights, repeat=5):
        told = [asked(score, "Anna", *right) for score, right in zip(scores, chosen, strict=True)]

        def mean(bound: float, told: list[Answered] = told) -> float:
            return figures_of(best(t.span if t.score > bound else "", t.rights) for t in told).f1

        found = threshold_of(told)
        assert mean(found) == max(mean(bound) for bound in (-2.0, *scores))


def test_scores_are_told_by_kind_and_length_beside_the_simplest_methods() -> None:
    told = [
        asked(1.0, "Anna", "Anna"),
        asked(0.5, "sings", "Anna"),
        asked(
            0.1,
            "",
        ),
        asked(0.1, "Anna"),
    ]
    scores = scores_of(told)
    assert scores.all.exact_match == 50.0
    assert {kind: figures.exact_match for kind, figures in scores.by_answer.items()} == {
        "name": 50.0,
        "no answer": 50.0,
    }
    assert scores.by_length.keys() == {"below 500"}
    assert scores.baselines["no answer"].f1 == 50.0
    assert scores.baselines["sentence with most words in common"].f1 == pytest.approx(100 / 3)
    assert scores.unanswered == 1
