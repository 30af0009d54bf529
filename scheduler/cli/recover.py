"""`triptych recover`: the records again, from the store, when Redis has lost its data."""

from scheduler.cli.output import note, show_rows


def recover() -> None:
    """Enter every job of the store that Redis does not know: ended ones as ended, all others to go on.

    Harmless while workers run, and when run twice: what Redis knows stays as it is.
    """
    from scheduler.client import Client
    from scheduler.rebuild import rebuild

    client = Client()
    entered = rebuild(client.records, client.store)
    if not entered:
        note("Redis knows every job that is in the store; nothing was changed")
        return
    show_rows(("entered again", ""), [(state, str(count)) for state, count in sorted(entered.items())])
    if any(not state.final for state in entered):
        note("those that have not ended go on from their checkpoints, once a scheduler and a worker are up")
