"""What a training leaves: the model as others read it, how it reads, and its figures."""

import json
from importlib.metadata import version
from pathlib import Path

from jobs.context import JobContext
from jobs.pretrained.card import Card
from jobs.pretrained.files import TOKENIZER
from jobs.pretrained.pairs import Pairs
from jobs.pretrained.sources import MODEL
from jobs.pretrained.spans import LoadedSpans, export_spans
from jobs.transformer.answering.documents.reading import READING, Reading
from jobs.transformer.answering.spec import DEFAULT_PRETRAINED, TrainAnswering, TrainingOfAnswers

LIBRARIES = ("tensorflow", "keras", "keras-hub", "transformers")
_USE = """```python
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("folder")
model = AutoModelForQuestionAnswering.from_pretrained("folder")
```

Its outputs are logits of each token to begin an answer, and to end one.
"""


def leave_model(
    loaded: LoadedSpans,
    spec: TrainAnswering,
    source: Path,
    pairs: Pairs,
    result: TrainingOfAnswers,
    context: JobContext,
) -> None:
    """Saves `model/` (a Hugging Face folder, with `answering.json` beside) and `metrics.json`.

    Args:
        loaded: trained.
        spec: of the training.
        source: the folder of the checkpoint that it began with.
        pairs: that checkpoint's tokenizer.
        result: of the training.
        context: keeps the files.
    """
    folder = context.folder / MODEL
    export_spans(loaded, source, folder, _card(spec, result))
    if not (folder / TOKENIZER).is_file():
        pairs.save(folder)
    (folder / READING).write_text(Reading.of_training(spec, result.threshold).text())
    for path in sorted(folder.iterdir()):
        context.save_artifact(f"{MODEL}/{path.name}", path)
    context.save_artifact("metrics.json", json.dumps(result.model_dump(mode="json"), indent=2).encode())


def _card(spec: TrainAnswering, result: TrainingOfAnswers) -> Card:
    scores = result.test or result.validation
    metrics = {} if scores is None else {"exact match, %": scores.all.exact_match, "F1, %": scores.all.f1}
    base = f"job {spec.model}" if spec.model else spec.pretrained or DEFAULT_PRETRAINED
    threshold = (
        "It gives an answer to every question."
        if result.threshold is None
        else f"An answer is given if the sum of its two logits exceeds that of the first token by more than "
        f"{result.threshold:.4g}."
    )
    return Card(
        base=base,
        data=spec.dataset,
        rows=result.questions,
        class_names=(),
        metrics=metrics,
        settings=spec.to_wire(),
        versions={library: version(library) for library in LIBRARIES},
        max_length=spec.max_length,
        task="question-answering",
        about="It finds the words of a document that answer a question. A row of tokens is a question and a "
        f"window of the document, {spec.max_length} tokens together, windows {spec.stride} tokens apart. "
        f"{threshold}",
        use=_USE,
    )
