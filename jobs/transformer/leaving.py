"""What a fine-tuning leaves: the model as others read it, and its figures."""

import json
import logging
import warnings
from importlib.metadata import version
from pathlib import Path

from jobs.context import JobContext
from jobs.pretrained.card import Card
from jobs.pretrained.export import export
from jobs.pretrained.families import FAMILIES
from jobs.pretrained.files import TOKENIZER
from jobs.pretrained.sources import MODEL
from jobs.pretrained.tokens import Tokenizer
from jobs.transformer.finetuning import FineTuning
from jobs.transformer.labelled import Labelled
from jobs.transformer.spec import DEFAULT_PRETRAINED, FineTune, FineTuneResult

logger = logging.getLogger(__name__)

LIBRARIES = ("tensorflow", "keras", "keras-hub", "transformers")


def leave_model(
    model: FineTuning,
    spec: FineTune,
    source: Path,
    tokenizer: Tokenizer,
    data: Labelled,
    result: FineTuneResult,
    context: JobContext,
) -> None:
    """Saves `model/` (a Hugging Face folder), `classifier.keras` and `metrics.json`.

    Args:
        model: trained.
        spec: of the training.
        source: the folder of the checkpoint that it began with.
        tokenizer: that checkpoint's.
        data: what it was trained on.
        result: of the training.
        context: keeps the files.
    """
    folder = context.folder / MODEL
    export(model.classifier, source, folder, data.class_names, _card(spec, data, result))
    if not (folder / TOKENIZER).is_file():
        tokenizer.save(folder)
    for path in sorted(folder.iterdir()):
        context.save_artifact(f"{MODEL}/{path.name}", path)
    if model.classifier.backbone.embeddings_layer_norm.epsilon == FAMILIES[model.family].epsilon:
        _leave_keras(model, context)
    else:
        logger.warning("classifier.keras is left out: Keras's own encoder has another layer_norm_eps")
    context.save_artifact("metrics.json", json.dumps(result.model_dump(mode="json"), indent=2).encode())


def _leave_keras(model: FineTuning, context: JobContext) -> None:
    keras_file = context.folder / "classifier.keras"
    with warnings.catch_warnings():
        # Keras converts a tf.Variable in a way that NumPy 2 announces the end of.
        warnings.simplefilter("ignore", DeprecationWarning)
        model.classifier.save(keras_file)
    context.save_artifact("classifier.keras", keras_file)


def _card(spec: FineTune, data: Labelled, result: FineTuneResult) -> Card:
    scores = result.test or result.validation
    metrics = (
        {}
        if scores is None
        else {
            "accuracy": scores.accuracy,
            "macro F1": scores.macro_f1,
            "loss": scores.loss,
            "expected calibration error": scores.calibration_error,
        }
    )
    base = f"job {spec.model}" if spec.model else spec.pretrained or DEFAULT_PRETRAINED
    return Card(
        base=base,
        data=spec.source,
        rows=result.rows,
        class_names=data.class_names,
        metrics=metrics,
        settings={name: value for name, value in spec.to_wire().items() if name not in ("texts", "labels")},
        versions={library: version(library) for library in LIBRARIES},
        max_length=spec.max_length,
    )
