"""Corpora as tokens: vocabularies, packed shards, and the streams that trainings read.

corpus = corpus_of(name, context)                                   # jobs.datasets.corpora.named
parts = split(corpus, held_out, seed)                               # jobs.tokens.splitting
tokenizer = vocabulary_of(corpus, parts, Wanted("bpe", 8192, SPECIAL), context)
shards = packed(corpus, parts, tokenizer, end, context)             # tokenised once for all jobs
train = shards.stream(parts.train, context.folder / "train.tokens") # mapped, uint16 or uint32
held_out = shards.stream(parts.held_out, context.folder / "held-out.tokens")
"""
