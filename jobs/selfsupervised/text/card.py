"""The model card of an encoder that was trained on masked words."""

import json
from importlib.metadata import version

from jobs.datasets.readable import one_line
from jobs.selfsupervised.text.spec import TextTraining, TrainText

_LIBRARIES = ("tensorflow", "keras", "keras-hub", "transformers", "tokenizers")
_USE = """```python
from transformers import AutoModelForMaskedLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("folder")
model = AutoModelForMaskedLM.from_pretrained("folder")
```
"""


def card_of(spec: TrainText, result: TextTraining) -> str:
    """What a person who finds the exported folder wants to know, as Markdown."""
    base = spec.pretrained or "nothing"
    versions = "\n".join(f"| {name} | {version(name)} |" for name in _LIBRARIES)
    scores = result.held_out
    table = (
        ""
        if scores is None
        else "\n".join(
            f"| {name} | {value:.4g} |"
            for name, value in (
                ("perplexity of hidden tokens", scores.perplexity),
                ("of the unigram", scores.unigram),
                ("of a 5-gram filler", scores.five_gram),
                ("share of hidden tokens that are told", scores.accuracy),
            )
        )
    )
    settings = json.dumps(
        {name: value for name, value in spec.to_wire().items() if name != "sentences"}, indent=2
    )
    return "\n".join(
        [
            "---\nlibrary_name: transformers\npipeline_tag: fill-mask\n---\n",
            f"# An encoder, trained from {one_line(base)} on {spec.dataset}\n",
            "It fills in masked words, and is a beginning for classifiers and embeddings.\n",
            *(["| metric, on held-out text | |\n|---|---|", table, ""] if table else []),
            "Trained by Triptych with this specification; it gives the same weights, bit for bit:\n",
            f"```json\n{settings}\n```\n",
            f"| library | version |\n|---|---|\n{versions}\n",
            _USE,
        ]
    )
