"""How well a next token is told, beside the simplest methods on the same text."""

import math

import numpy as np

from jobs.tokens.ngrams import five_gram_losses, unigram_losses
from jobs.transformer.decoder.layout import Array
from jobs.transformer.generation.spec import TextLoss


def text_loss(loss: float, told: int, train: Array, watched: Array, vocabulary: int, size: int) -> TextLoss:
    """The figures of a model.

    Args:
        loss: nats a token.
        told: tokens that were to be told.
        train: what the n-grams count, (tokens,).
        watched: what they tell, (tokens,).
        vocabulary: tokens that there are.
        size: bytes of the text as UTF-8; 0 where answers alone are looked at.
    """
    unigram = float(np.mean(unigram_losses(train, watched, vocabulary)))
    return TextLoss(
        tokens=told,
        loss=loss,
        perplexity=math.exp(min(loss, 700.0)),
        bits_per_byte=loss * len(watched) / math.log(2) / size if size else None,
        unigram=unigram,
        five_gram=float(np.mean(five_gram_losses(train, watched, vocabulary)[1:])) if size else None,
    )
