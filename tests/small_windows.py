"""Windows, blocks and shards so small that a small job has several of them."""

#: Module, name, value. The smaller, the more cuts and checkpoints has a job of a moment.
SMALL: tuple[tuple[str, str, int], ...] = (
    ("jobs.transformer.bulk.windows", "BATCHES", 2),
    ("jobs.transformer.bulk.windows", "MOST_CHARACTERS", 60),
    ("jobs.transformer.answering.asking.asked", "BATCHES", 2),
    ("jobs.transformer.answering.asking.asked", "MOST_CHARACTERS", 200),
    ("jobs.transformer.bulk.tables", "GROUP", 25),
    ("jobs.transformer.generation.prompts", "BATCHES", 2),
    ("jobs.transformer.vision.asking", "BLOCK", 8),
    ("jobs.selfsupervised.encode", "BLOCK", 8),
    ("jobs.selfsupervised.series.fill", "BLOCK", 37),
    ("jobs.selfsupervised.series.fill", "LEAST", 1),
    ("jobs.selfsupervised.series.forecast", "BLOCK", 1),
    ("jobs.selfsupervised.series.forecast", "LEAST", 1),
    ("jobs.gan.generate", "BATCH", 4),
    ("jobs.gan.generate", "LEAST", 1),
    ("jobs.gan.style.apply", "BLOCK", 4),
    ("jobs.gan.style.apply", "LEAST", 1),
)
