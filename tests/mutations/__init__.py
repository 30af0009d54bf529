"""Valid inputs of every reader, changed at random by a seed: each ends in a result or in one sentence.

`python -m tests.mutations 500` tries so many and prints the tally; the suite tries what there is time for.
"""
