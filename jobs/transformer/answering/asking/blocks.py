"""Questions by the block: tokenised ahead, each document once, and answered by the best of all windows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from jobs.pretrained.pairs import Pairs, Pieces
from jobs.transformer.answering.asking.answerer import Answerer
from jobs.transformer.answering.asking.asked import Asked, Questions, blocks
from jobs.transformer.answering.documents.spans import Span, best_spans
from jobs.transformer.answering.documents.windows import Layout, Rows, rows_of
from jobs.transformer.bulk.windows import ahead

#: What there is to say of a question of which the first tokens alone are read.
CUT = "question cut"
#: What there is to say where nothing can be asked.
NO_QUESTION, NO_DOCUMENT = "no question", "no document"


@dataclass(frozen=True, eq=False)
class Block:
    """Rows, one after the other, ready to be computed.

    Attributes:
        first: the number of the first row.
        asked: the rows.
        remarks: what there is to say of each; empty for most.
        answerable: numbers, within the block, of the rows that have a question and a document with tokens.
        rows: their tokens, the first of `answerable` being question 0.
        documents: tokens of their documents, by number.
    """

    first: int
    asked: list[Asked]
    remarks: list[str]
    answerable: list[int]
    rows: Rows
    documents: dict[int, Pieces]

    @property
    def end(self) -> int:
        """The number of the row after the last one."""
        return self.first + len(self.asked)


def answered(
    model: Answerer,
    found: Questions,
    batch_size: int,
    count: int,
    first: int,
    go_on: Callable[[int], bool],
) -> Iterator[tuple[Block, list[list[Span]]]]:
    """Each block with the best spans for each of its rows; none for rows that cannot be asked.

    Args:
        model: computes.
        found: all rows, from the very first on.
        batch_size: windows in a batch.
        count: spans of a row at most.
        first: the row to begin with.
        go_on: called after each batch with the rows done so far; False ends the work, and what is computed
            of the block is left out.
    """
    layout, done = model.reading.layout, 0
    for block in ahead(_blocks(found, model.pairs, layout, batch_size, first)):
        size, total = len(block.asked), max(1, len(block.rows))
        before = done

        def told(rows: int, before: int = before, size: int = size, total: int = total) -> bool:
            return go_on(before + size * rows // total)

        logits = model.logits(block.rows, batch_size, told)
        if logits is None:
            return
        done += size
        on = [block.asked[number].document for number in block.answerable]
        best = best_spans(logits, block.rows, block.documents, on, layout.max_answer, count)
        spans: list[list[Span]] = [[] for _ in block.asked]
        for number, each in zip(block.answerable, best, strict=True):
            spans[number] = each
        yield block, spans


def _blocks(found: Questions, pairs: Pairs, layout: Layout, batch_size: int, first: int) -> Iterator[Block]:
    held: dict[int, Pieces] = {}
    for asked in blocks(islice(iter(found), first, None), batch_size):
        block = _block(first, asked, pairs, layout, held)
        last = asked[-1].document  # which the next block may go on with
        held = {last: block.documents[last]} if last in block.documents else {}
        yield block
        first = block.end


def _block(first: int, asked: list[Asked], pairs: Pairs, layout: Layout, held: dict[int, Pieces]) -> Block:
    """One block; of documents whose tokens are held from the block before, none is tokenised again."""
    remarks = [row.remark for row in asked]
    texts = {row.document: row.context for row in asked if row.context is not None}
    new = {number: text for number, text in texts.items() if number not in held}
    documents = {number: pieces for number, pieces in held.items() if number in texts}
    documents |= dict(zip(new, pairs.pieces(list(new.values())), strict=True))
    there = [number for number, row in enumerate(asked) if row.question is not None]
    pieces = dict(zip(there, pairs.pieces([asked[number].question or "" for number in there]), strict=True))
    answerable = []
    for number, row in enumerate(asked):
        if number not in pieces:
            _add(remarks, number, NO_QUESTION)
        elif row.document not in documents or not len(documents[row.document]):
            _add(remarks, number, NO_DOCUMENT)
        else:
            answerable.append(number)
            if len(pieces[number]) > layout.max_question:
                _add(remarks, number, CUT)
    rows = rows_of(pairs, layout, [(pieces[n], asked[n].document) for n in answerable], documents)
    return Block(first, asked, remarks, answerable, rows, documents)


def _add(remarks: list[str], number: int, remark: str) -> None:
    remarks[number] = f"{remarks[number]}, {remark}" if remarks[number] else remark
