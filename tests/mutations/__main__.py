"""`python -m tests.mutations [COUNT] [SEED]`: tries changed inputs, by default 500, and says how they end."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from tests.mutations.trial import tried

words = sys.argv[1:3]
count = int(words[0]) if words else 500
seed = int(words[1]) if len(words) > 1 else 15
tally = tried(count, seed)
for fault in tally.faults:
    print(fault, "", sep="\n")
print(tally)
sys.exit(bool(tally.faults))
