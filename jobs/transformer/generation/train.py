"""Trains a model that writes texts, and leaves it as a Hugging Face folder, with figures and samples."""

import json
import math
from collections.abc import Mapping

import numpy as np

from jobs.context import JobContext
from jobs.pictures import curves
from jobs.training import Start, Trained, train
from jobs.training.best import Best
from jobs.training.pace import Pace
from jobs.training.state import restore
from jobs.transformer.decoder import folders
from jobs.transformer.decoder.generating import Generator
from jobs.transformer.generation import samples
from jobs.transformer.generation.card import card_of
from jobs.transformer.generation.held import MODEL
from jobs.transformer.generation.learner import Learner
from jobs.transformer.generation.preparing import Prepared, prepare
from jobs.transformer.generation.scoring import text_loss
from jobs.transformer.generation.spec import GenerationTraining, TextLoss, TrainGeneration

#: A held-out loss that has risen by more than this since its best epoch is said to be overfitting, in nats.
RISEN = 0.01
#: A loss of less than this share of the unigram's says that something was learnt from what was before.
LEARNT = 0.97


def run(spec: TrainGeneration, context: JobContext) -> GenerationTraining:
    """Trains, and saves `model/` (a Hugging Face folder), adapters, metrics, curves and samples.

    Raises:
        BadInput: corpus, pairs or model cannot be loaded, or are not fit for it; the text says why.
        Diverged: a loss is not finite.
        Stopped: asked to stop; the checkpoint is saved.
    """
    start = Start.of(context, spec)
    prepared = prepare(spec, context)
    batch_size = min(spec.batch_size, len(prepared.train))
    passes = start.passes(len(prepared.train), batch_size)
    model = Learner(spec, prepared.decoder, spec.epochs * passes.steps)
    watches = prepared.held_out.told() > 0
    before = _figures(model, prepared) if watches and spec.pretrained is not None else None
    generator = Generator.of(model.layout, model.weights_by_name, model.kind, prepared.texts)
    most = max(1, spec.max_length - spec.sample_tokens)
    asked = samples.prompts_of(generator, spec.prompts, prepared.watched, most)
    shown = [prepared.texts.decoded(tokens.tolist()) for tokens in asked]
    tokens = max(1, min(spec.sample_tokens, model.layout.positions - max(map(len, asked), default=0)))

    def judge(epoch: int, step: int) -> Mapping[str, float] | None:
        if asked:
            said = samples.written(generator, asked, spec.seed, tokens)
            context.save_sample(step, samples.picture(shown, said, f"epoch {epoch}"))
        return {"validation_loss": model.teller.mean(prepared.held_out)} if watches else None

    trained = train(
        model,
        {
            "tokens": prepared.train.tokens,
            "first": prepared.train.first,
            "end": prepared.train.end,
        },
        spec,
        context,
        epochs=spec.epochs,
        batch_size=batch_size,
        checkpoint_seconds=spec.checkpoint_seconds,
        jit=False,
        pace=Pace(steps=1, seconds=0),
        at_epoch_end=judge,
        judged=("validation_loss",) if watches else (),
        best=Best("validation_loss", "min") if watches else None,
        patience=spec.patience if watches else None,
        start=start,
    )
    if trained.best is not None:
        restore(model, trained.best)
    said = samples.written(generator, asked, spec.seed, tokens) if asked else []
    after = _figures(model, prepared) if watches else None
    epochs = math.ceil(trained.steps / passes.steps)
    weights = sum(math.prod(array.shape) for array in prepared.decoder.weights.values())
    result = GenerationTraining(
        rows={"train": len(prepared.train), "held_out": len(prepared.held_out)},
        tokens=dict(prepared.tokens),
        left_out=dict(prepared.left_out),
        vocabulary=model.layout.vocabulary,
        parameters=weights,
        trained_parameters=sum(array.size for array in model.adapters().values()),
        notes=[*prepared.notes, *_overfitting(trained, epochs), *_unlearnt(after)],
        steps=trained.steps,
        epochs=epochs,
        best_epoch=trained.best_step // passes.steps if trained.best_step else None,
        loss=float(trained.history["loss"][epochs - 1]),
        before=before,
        held_out=after,
        samples=said,
        seconds=trained.seconds,
        tokens_per_second=trained.steps_per_second * batch_size * spec.max_length,
        precision=model.precision,
        state_sha256=trained.state_sha256,
    )
    if asked:
        context.save_artifact("samples.png", samples.picture(shown, said, "with the weights that were kept"))
    _leave(spec, prepared, model, trained, result, context)
    return result


def _figures(model: Learner, prepared: Prepared) -> TextLoss:
    rows = prepared.held_out
    vocabulary = model.layout.vocabulary
    return text_loss(
        model.teller.mean(rows), rows.told(), prepared.counted, prepared.watched, vocabulary, prepared.bytes
    )


def _overfitting(trained: Trained, epochs: int) -> list[str]:
    """What to say where the held-out text was told better some epochs ago."""
    losses = trained.judged.get("validation_loss")
    if losses is None:
        return []
    losses = losses[:epochs]
    best = int(np.nanargmin(losses))
    if losses[-1] < losses[best] + RISEN:
        return []
    return [
        f"overfitting: the held-out loss rose from {losses[best]:.3f} after epoch {best + 1} to "
        f"{losses[-1]:.3f} at the end; the weights of epoch {best + 1} are kept: more text, fewer epochs or "
        "a smaller model will do"
    ]


def _unlearnt(scores: TextLoss | None) -> list[str]:
    """What to say of a model that has learnt no more than how frequent tokens are."""
    if scores is None or scores.loss < LEARNT * scores.unigram:
        return []
    return [
        f"the loss of {scores.loss:.3f} is about a unigram's, {scores.unigram:.3f}: the model has not "
        "learnt to look at what was before; train for more epochs, at another rate, or on more text"
    ]


def _leave(
    spec: TrainGeneration,
    prepared: Prepared,
    model: Learner,
    trained: Trained,
    result: GenerationTraining,
    context: JobContext,
) -> None:
    folder = context.folder / MODEL
    config = folders.config_of(prepared.folder)
    folders.write(model.decoder(prepared.decoder), config, folder, prepared.folder)
    prepared.texts.complete(folder)
    (folder / "README.md").write_text(card_of(spec, result), encoding="utf-8")
    for path in sorted(folder.iterdir()):
        context.save_artifact(f"{MODEL}/{path.name}", path)
    if spec.adapters is not None:
        from safetensors.numpy import save_file

        path = context.folder / "adapters.safetensors"
        save_file(model.adapters(), path)
        context.save_artifact(path.name, path)
    losses = {"training": trained.history["loss"][: result.epochs]}
    if (validation := trained.judged.get("validation_loss")) is not None and result.held_out is not None:
        losses["held out"] = validation[: result.epochs]
        for name, level in (("unigram", result.held_out.unigram), ("5-gram", result.held_out.five_gram)):
            if level is not None:
                losses[name] = np.full(result.epochs, level, np.float32)
    context.save_artifact(
        "losses.png", curves(losses, x_label="epoch", y_label="cross-entropy, nats a token")
    )
    context.save_artifact("metrics.json", json.dumps(result.model_dump(mode="json"), indent=2).encode())
