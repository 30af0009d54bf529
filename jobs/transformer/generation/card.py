"""The model card of a model that writes texts."""

import json
from importlib.metadata import version

from jobs.datasets.readable import one_line
from jobs.transformer.generation.spec import GenerationTraining, TrainGeneration

_LIBRARIES = ("tensorflow", "keras", "transformers", "tokenizers")
_USE = """```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("folder")
model = AutoModelForCausalLM.from_pretrained("folder")
```
"""


def card_of(spec: TrainGeneration, result: GenerationTraining) -> str:
    """What a person who finds the exported folder wants to know, as Markdown."""
    base = one_line(spec.pretrained or "nothing")
    data = one_line(spec.dataset or spec.instructions or "")
    versions = "\n".join(f"| {name} | {version(name)} |" for name in _LIBRARIES)
    scores = result.held_out
    figures = {} if scores is None else {"loss, nats a token": scores.loss, "perplexity": scores.perplexity}
    if scores is not None:
        figures |= {"loss of a unigram": scores.unigram}
        figures |= {"loss of a 5-gram": scores.five_gram} if scores.five_gram is not None else {}
    lines = [f"| {name} | {value:.4g} |" for name, value in figures.items()]
    settings = {name: value for name, value in spec.to_wire().items() if name != "prompts"}
    return "\n".join(
        [
            "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags: [triptych]\n---\n",
            f"# A model that writes texts, trained from {base} on {data}\n",
            *(["| on held-out text | |\n|---|---|", *lines, ""] if lines else []),
            "Trained by Triptych with this specification; it gives the same weights, bit for bit:\n",
            f"```json\n{json.dumps(settings, indent=2)}\n```\n",
            f"| library | version |\n|---|---|\n{versions}\n",
            _USE,
        ]
    )
