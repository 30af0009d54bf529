"""`triptych recover`: the records again, from the store, when Redis has lost its data."""

from scheduler.cli.output import note, show_rows


def recover() -> None:
    """Rebuild the jobs, schedules and sweeps that Redis has lost from the store; queue unfinished jobs.

    Safe while workers run, and safe to repeat: records that Redis still has are not changed.
    """
    from scheduler.client import Client
    from scheduler.rebuild import rebuild

    client = Client()
    rebuilt = rebuild(client.records, client.store)
    if rebuilt.schedules:
        note(f"schedules entered again: {rebuilt.schedules}")
    if rebuilt.sweeps:
        note(f"sweeps entered again: {rebuilt.sweeps}")
    if not any((rebuilt.jobs, rebuilt.schedules, rebuilt.sweeps)):
        note("Redis knows every job that is in the store; nothing was changed")
    if not rebuilt.jobs:
        return
    show_rows(("entered again", ""), [(state, str(count)) for state, count in sorted(rebuilt.jobs.items())])
    if any(not state.final for state in rebuilt.jobs):
        note("those that have not ended go on from their checkpoints, once a scheduler and a worker are up")
