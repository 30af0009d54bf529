"""`triptych recover`: the records again, from the store, when Redis has lost its data."""

from scheduler.cli.output import note, show_rows


def recover() -> None:
    """Rebuild the jobs, schedules and sweeps that Redis has lost from the store; queue unfinished jobs.

    Safe while workers run, and safe to repeat: records that Redis still has are not changed.
    """
    from scheduler.client import Client
    from scheduler.rebuild import rebuild
    from scheduler.schedules.schedules import rebuild_schedules
    from scheduler.sweeps.stored import rebuild_sweeps

    client = Client()
    schedules = rebuild_schedules(client.records, client.store)
    sweeps = rebuild_sweeps(client.records, client.store)
    entered = rebuild(client.records, client.store)
    if schedules:
        note(f"schedules entered again: {schedules}")
    if sweeps:
        note(f"sweeps entered again: {sweeps}")
    if not entered and not schedules and not sweeps:
        note("Redis knows every job that is in the store; nothing was changed")
    if not entered:
        return
    show_rows(("entered again", ""), [(state, str(count)) for state, count in sorted(entered.items())])
    if any(not state.final for state in entered):
        note("those that have not ended go on from their checkpoints, once a scheduler and a worker are up")
