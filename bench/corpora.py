"""What text of any size costs: upload, vocabulary and tokens, in processor seconds and peak memory.

    python -m bench.corpora [MEGABYTES [KIND ...]]

Makes up so much text (100 MB by default) of words with Zipf's frequencies in documents of a few sentences,
takes it in, makes the vocabulary, and packs it; then packs it again, and once more after a kill in the
middle. Each step runs in a process of its own, whose peak is its own.
"""

import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from jobs.datasets.corpora.corpus import Corpus
from jobs.datasets.corpora.intake import Dividing, take_corpus
from jobs.local import LocalContext
from jobs.tokens.packing import packed
from jobs.tokens.splitting import split
from jobs.tokens.vocabulary import Vocabulary, Wanted, vocabulary_of

KINDS: dict[str, Vocabulary] = {"bpe": "bpe", "bytes": "bytes", "characters": "characters"}
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
WORDS = 50_000
STATUS = Path("/proc/self/status")
#: Words that are drawn at once.
BLOCK = 1_000_000


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] in ("take", "pack"):
        measured(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
        return
    size = float(sys.argv[1]) if len(sys.argv) > 1 else 100.0
    with tempfile.TemporaryDirectory(prefix="triptych-bench-") as name:
        folder = Path(name)
        made = write(folder / "text.txt", int(size * 1e6))
        print(f"made up {made / 1e6:.0f} MB of text")
        print(f"taken in: {step('take', folder)}")
        for kind in sys.argv[2:] or ("bpe",):
            print(f"{kind}, vocabulary and tokens: {step('pack', folder, kind, 'first')}")
            print(f"{kind}, a second job: {step('pack', folder, kind, 'second')}")
            killed(folder, kind)
            print(f"{kind}, after a kill in the middle: {step('pack', folder, kind, 'third')}")


def write(path: Path, size: int) -> int:
    """Text of made-up words, until there is enough."""
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxzéüß"))
    shares = 1 / np.arange(1, len(letters) + 1)
    words = ["".join(rng.choice(letters, 2 + rng.poisson(4), p=shares / shares.sum())) for _ in range(WORDS)]
    frequencies = 1 / np.arange(1, WORDS + 1)
    ends = [". ", ".\n\n", ", ", " "]
    done = 0
    with path.open("w", encoding="utf-8") as file:
        while done < size:
            drawn = rng.choice(WORDS, BLOCK, p=frequencies / frequencies.sum())
            breaks = rng.choice(4, BLOCK, p=(0.06, 0.02, 0.06, 0.86))
            text = "".join(f"{words[word]}{ends[end]}" for word, end in zip(drawn, breaks, strict=True))
            done += file.write(text[: size - done])
    return path.stat().st_size


def step(*arguments: object) -> str:
    """What a step of its own process has measured."""
    found = subprocess.run(
        [sys.executable, "-m", "bench.corpora", *map(str, arguments)], check=True, stdout=subprocess.PIPE
    )
    return found.stdout.decode().strip()


def killed(folder: Path, kind: str) -> None:
    """Packs from the beginning in a folder of its own, and kills that once half of the shards are there."""
    shards = folder / "jobs/.triptych-cache/shards"
    (whole,) = shards.iterdir()
    paths = sorted(whole.iterdir())
    for path in paths:
        path.unlink()
    process = subprocess.Popen([sys.executable, "-m", "bench.corpora", "pack", folder, kind, "killed"])
    while len(list(whole.iterdir())) < len(paths) // 2 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


def measured(what: str, folder: Path, kind: str = "", job: str = "") -> None:
    """Does a step, and prints what it took."""
    before, about, watch = resource.getrusage(resource.RUSAGE_SELF), "", Own()
    if what == "take":
        (folder / "corpus").mkdir()
        corpus = take_corpus(folder / "text.txt", folder / "corpus", Dividing("blank-line"))
        about = f"{len(corpus)} documents"
    else:
        with LocalContext(folder / f"jobs/{job}") as context:
            corpus = Corpus.open(folder / "corpus")
            parts = split(corpus, 0.1, 0)
            wanted = Wanted(KINDS[kind], 8192, SPECIAL)
            tokenizer = vocabulary_of(corpus, parts, wanted, context)
            shards = packed(corpus, parts, tokenizer, 2, context)
            stream = shards.stream(parts.train, context.folder / "train.tokens")
            size = shards.count * np.dtype(tokenizer.type).itemsize
            about = (
                f"{shards.count} tokens, {size / corpus.characters:.2f} bytes a character, "
                f"{shards.made} shards made, {len(stream)} tokens to train on"
            )
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = after.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    rate = corpus.bytes / 1e6 / seconds
    own = f" ({watch.most / 1e6:.0f} without mapped files)" if watch.most else ""
    print(f"{seconds:.1f} processor s, {rate:.1f} MB/s of text, peak {peak:.0f} MB{own}, {about}")


class Own:
    """The largest memory that is the process's own, looked at ten times a second; 0 where Linux is not.

    What is mapped of files counts to a process's peak, too, and is the system's to take back.
    """

    def __init__(self) -> None:
        self.most = 0
        if STATUS.exists():
            threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            (line,) = (each for each in STATUS.read_text().splitlines() if each.startswith("RssAnon"))
            self.most = max(self.most, int(line.split()[1]) * 1024)
            time.sleep(0.1)


if __name__ == "__main__":
    main()
