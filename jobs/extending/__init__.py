"""Trainings that go on from other trainings: what their specs say, without the computation."""
