"""Schedules: one job a tick, whoever dies and whatever the clock does."""

import json
import multiprocessing
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from triptych_trial.spec import Echo, Fail, Look, Steps

from jobs.errors import InvalidSpec
from scheduler import Client, JobState
from scheduler.errors import StillNeeded, TickTaken, UnknownDataSet, UnknownSchedule
from scheduler.keys import JobKeys, schedule_key
from scheduler.rebuild import rebuild
from scheduler.schedules.schedule import Schedule, Tick
from scheduler.schedules.ticking import Ticking, run
from scheduler.settings import RedisSettings, StoreSettings
from tests import clock
from tests.servers import wait_until

DAY = 24 * 3600.0


@pytest.fixture
def client(
    redis_settings: RedisSettings, store_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> Client:
    clock.follow_the_key(monkeypatch)
    built = Client(redis_settings, store_settings)
    built.records.redis.flushdb()
    for folder in ("schedules/", "jobs/"):
        built.store.delete_all([item.key for item in built.store.under(folder)])
    return built


@pytest.fixture
def ticking(client: Client) -> Ticking:
    return Ticking(client, 1.0)


def ahead(client: Client, seconds: float) -> None:
    """Puts Redis's clock so far from the true one."""
    clock.put(client.records.redis, ahead=seconds)


def a_scheduler(redis: RedisSettings, store: StoreSettings) -> None:
    """Deals with ticks until it is killed."""
    clock.follow_the_key(pytest.MonkeyPatch())
    run(partial(Client, redis, store), 0.2, Event())


def test_a_schedule_a_second_has_one_job_a_tick_though_schedulers_are_killed(
    client: Client, redis_settings: RedisSettings, store_settings: StoreSettings
) -> None:
    # Forked from a process that has imported everything: started from scratch, each would take a second.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["scheduler.schedules.ticking", "tests.clock"])

    def start() -> multiprocessing.process.BaseProcess:
        process = context.Process(target=a_scheduler, args=(redis_settings, store_settings), daemon=True)
        process.start()
        return process

    schedulers = [start(), start()]
    wait_until(lambda: bool(client.records.redis.exists("triptych:leader:schedules")))
    clock.put(client.records.redis, speed=5)
    schedule = client.schedules.add("often", "* * * * * *", Echo())
    last = int(schedule.since) + 200
    killed = 0
    try:
        while client.schedules.get("often").last < last:
            Event().wait(2)
            schedulers[killed % 2].kill()
            schedulers[killed % 2].join()
            schedulers[killed % 2] = start()
            killed += 1
    finally:
        for process in schedulers:
            process.kill()
            process.join()
    assert killed > 5
    ticks = [record.tick for record in client.records.newest(limit=1000) if record.tick]
    assert sorted(tick for tick in ticks if tick <= last) == list(range(last - 199, last + 1))
    jobs = {record.id for record in client.records.newest(limit=1000)}
    ours = [
        spec["id"]
        for item in client.store.under("jobs/")
        if item.key.endswith("/spec.json")
        and (spec := client.store.get_json(item.key)).get("schedule", {}).get("id") == schedule.id
    ]
    # A scheduler that died between the two has left at most the next tick, which the next one would take.
    assert [job_id for job_id in ours if job_id not in jobs] in (
        [],
        [Tick("often", schedule.id, last + 1).job_id],
    )


def test_the_job_of_a_tick_is_what_the_first_scheduler_has_stored(client: Client, tmp_path: Path) -> None:
    texts = tmp_path / "rows.csv"
    texts.write_text("text\nan old row\n")
    client.datasets.upload("clicks", texts)
    schedule = client.schedules.add("nightly", "0 2 * * *", Look(dataset="digits"))
    moment = schedule.following(client.now())[0]
    job_id = Tick("nightly", schedule.id, moment).job_id
    first = client.schedules.submit(schedule, moment)
    assert first.id == job_id
    # Another one, slower, which finds the tick taken: the same job, and its spec stays in the store.
    assert client.schedules.submit(schedule, moment).id == job_id
    # One that died after the store and before the record.
    later = moment + 1
    dead = client.store.get_json(JobKeys(job_id).spec) | {"id": Tick("nightly", schedule.id, later).job_id}
    dead["spec"]["seed"] = 7
    dead["schedule"]["moment"] = later
    client.store.put_json(JobKeys(dead["id"]).spec, dead)
    assert client.schedules.submit(schedule, later).record.spec["seed"] == 7
    # And one that comes after its tick was dealt with, when its job is not there.
    with pytest.raises(TickTaken):
        client.schedules.submit(schedule, moment - 1)
    assert not client.store.exists(JobKeys(Tick("nightly", schedule.id, moment - 1).job_id).spec)
    assert len(client.list()) == 2


def test_what_was_missed_while_all_was_down_runs_once_or_not_at_all(client: Client, ticking: Ticking) -> None:
    client.schedules.add("once", "0 * * * *", Echo(text="once"))
    client.schedules.add("skip", "0 * * * *", Echo(text="skip"), missed="skip")
    ticking.step()
    assert client.list() == []
    ahead(client, 10 * DAY + 300)
    for _ in range(3):
        ticking.step()
    assert [job.record.schedule for job in client.list()] == ["once"]
    assert client.list()[0].record.tick == client.schedules.get("once").last
    assert client.schedules.get("skip").note == "missed while no scheduler was up"


def test_a_clock_that_jumps_back_and_forth_makes_no_second_job_and_silences_nothing(
    client: Client, ticking: Ticking
) -> None:
    schedule = client.schedules.add("hourly", "0 * * * *", Echo())
    tick = schedule.following(client.now())[0] - client.now() + 1
    ahead(client, tick)
    ticking.step()
    ahead(client, 365 * DAY + tick)
    ticking.step()
    assert len(client.list()) == 2
    ahead(client, 0)
    ticking.step()
    ticking.step()
    ahead(client, tick)
    ticking.step()
    assert len(client.list()) == 2, "that tick has its job"
    ahead(client, tick + 3600)
    ticking.step()
    assert len(client.list()) == 3, "the next one has not"


@pytest.mark.parametrize(("overlap", "states"), [("allow", 2), ("skip", 1), ("cancel", 2)])
def test_a_tick_while_an_earlier_job_has_not_ended(
    client: Client, ticking: Ticking, overlap: str, states: int
) -> None:
    client.schedules.add("hourly", "0 * * * *", Steps(), overlap=overlap)
    for hour in (1, 2):
        ahead(client, hour * 3600.0)
        ticking.step()
    found = [job.state for job in client.list()]
    assert len(found) == states
    assert (found[-1] is JobState.CANCELLED) == (overlap == "cancel")
    if overlap == "skip":
        assert client.schedules.get("hourly").note == f"job {client.list()[0].id} had not ended"
        client.list()[0].cancel()
        ahead(client, 3 * 3600.0)
        ticking.step()
        assert len(client.list()) == 2, "it has ended, so the next one begins"


def test_a_data_set_is_what_its_name_stands_for_at_the_tick(
    client: Client, ticking: Ticking, tmp_path: Path
) -> None:
    import numpy as np

    def upload(value: int) -> str:
        np.savez(tmp_path / "images.npz", images=np.full((2, 4, 4, 1), value, np.uint8))
        return client.datasets.upload("clicks", tmp_path / "images.npz").digest

    old = upload(1)
    client.schedules.add("hourly", "0 * * * *", Look(dataset="clicks"))
    ahead(client, 3600)
    ticking.step()
    new = upload(2)
    ahead(client, 2 * 3600)
    ticking.step()
    assert [job.record.inputs["clicks"] for job in client.list()] == [new, old]
    for item in [*client.store.under("datasets/clicks/")]:
        client.store.delete(item.key)
    ahead(client, 3 * 3600)
    ticking.step()
    assert len(client.list()) == 2
    assert "there is no data set 'clicks'" in client.schedules.get("hourly").note
    upload(1)
    ahead(client, 4 * 3600)
    ticking.step()
    assert len(client.list()) == 3
    assert client.schedules.get("hourly").note == ""


def test_a_paused_schedule_submits_nothing_and_does_not_make_up_for_it(
    client: Client, ticking: Ticking
) -> None:
    client.schedules.add("hourly", "0 * * * *", Echo())
    assert client.schedules.pause("hourly").paused
    ahead(client, DAY)
    ticking.step()
    assert client.schedules.get("hourly").following(client.now()) == []
    assert not client.schedules.resume("hourly").paused
    ticking.step()
    assert client.list() == []
    ahead(client, DAY + 3600)
    ticking.step()
    assert len(client.list()) == 1


def test_schedules_come_back_when_redis_has_lost_its_data(client: Client, ticking: Ticking) -> None:
    client.schedules.add(
        "hourly", "0 * * * *", Steps(), timezone="Europe/Berlin", missed="skip", overlap="skip", priority=2
    )
    client.schedules.pause(client.schedules.add("paused", "0 2 * * *", Echo()).name)
    client.schedules.add("rested", "0 * * * *", Steps(), timezone="Europe/Berlin", overlap="skip")
    client.schedules.add("removed", "0 2 * * *", Echo())
    client.schedules.remove("removed")
    tick = client.schedules.get("hourly").following(client.now())[0] - client.now() + 1
    ahead(client, tick)
    ticking.step()
    client.schedules.pause("rested")
    before = client.schedules.list()
    assert [schedule.last_job != "" for schedule in before] == [True, False, True]
    client.records.redis.flushdb()
    rebuild(client.records, client.store)
    rebuild(client.records, client.store)
    assert client.schedules.list() == before
    ahead(client, tick)
    ticking.step()
    hourly = [job for job in client.list(limit=1000) if job.record.schedule == "hourly"]
    assert [job.id for job in hourly] == [before[0].last_job], "that tick has its job"
    client.schedules.resume("rested")
    ahead(client, tick + 3600)
    ticking.step()
    for schedule in (before[0], before[2]):
        assert client.schedules.get(schedule.name).note == f"job {schedule.last_job} had not ended"


def test_a_job_may_be_wanted_at_once(client: Client, ticking: Ticking) -> None:
    client.schedules.pause(client.schedules.add("nightly", "0 2 * * *", Echo(), priority=1).name)
    first, second = client.schedules.run("nightly"), client.schedules.run("nightly")
    assert first.id != second.id
    assert (first.record.priority, first.record.schedule, first.record.tick) == (1, "nightly", None)
    assert client.schedules.get("nightly").last_job == second.id


def test_what_would_be_refused_at_every_tick_is_refused_when_it_is_added(client: Client) -> None:
    failed = client.submit(Fail())
    failed.cancel()
    with pytest.raises(UnknownDataSet, match="no-such-set"):
        client.schedules.add("one", "0 2 * * *", Look(dataset="no-such-set"))
    with pytest.raises(InvalidSpec, match="takes a job of kind"):
        client.schedules.add("one", "0 2 * * *", Echo(after_model=failed.id))
    with pytest.raises(InvalidSpec, match="missed is 'twice'; allowed are once, skip"):
        client.schedules.add("one", "0 2 * * *", Echo(), missed="twice")
    with pytest.raises(InvalidSpec, match="overlap is 'no'; allowed are allow, skip, cancel"):
        client.schedules.add("one", "0 2 * * *", Echo(), overlap="no")
    with pytest.raises(InvalidSpec, match="is not a name"):
        client.schedules.add("../one", "0 2 * * *", Echo())
    with pytest.raises(InvalidSpec, match="priority is 10"):
        client.schedules.add("one", "0 2 * * *", Echo(), priority=10)
    assert client.schedules.list() == []
    assert not client.store.exists(schedule_key("one"))


def test_a_name_has_one_schedule_and_an_unknown_one_is_said_to_be_so(client: Client) -> None:
    first = client.schedules.add("nightly", "0 2 * * *", Echo())
    with pytest.raises(InvalidSpec, match="there is a schedule 'nightly' already"):
        client.schedules.add("nightly", "0 3 * * *", Echo())
    assert client.store.get_json(schedule_key("nightly")) == json.loads(
        json.dumps(first.definition().to_json())
    )
    with pytest.raises(UnknownSchedule, match="no schedule 'weekly'; there are: nightly"):
        client.schedules.pause("weekly")
    client.schedules.remove("nightly")
    with pytest.raises(UnknownSchedule, match="there are: none"):
        client.schedules.remove("nightly")
    assert client.schedules.add("nightly", "0 3 * * *", Echo()).id != first.id


def test_a_tick_of_a_schedule_that_was_added_anew_is_not_one_of_the_former(client: Client) -> None:
    old = client.schedules.add("nightly", "0 2 * * *", Echo())
    client.schedules.remove("nightly")
    client.schedules.add("nightly", "0 2 * * *", Echo())
    with pytest.raises(TickTaken):
        client.schedules.submit(old, old.following(client.now())[0])
    assert client.list() == []


def test_what_a_schedule_refers_to_is_not_deleted_while_it_is_there(client: Client, tmp_path: Path) -> None:
    import numpy as np

    np.savez(tmp_path / "images.npz", images=np.zeros((2, 4, 4, 1), np.uint8))
    client.datasets.upload("clicks", tmp_path / "images.npz")
    client.schedules.add("nightly", "0 2 * * *", Look(dataset="clicks"))
    with pytest.raises(StillNeeded, match="nightly"):
        client.datasets.delete("clicks")
    client.records.redis.flushdb()
    rebuild(client.records, client.store)
    with pytest.raises(StillNeeded, match="nightly"):
        client.datasets.delete("clicks")
    client.schedules.remove("nightly")
    client.datasets.delete("clicks")


def test_a_schedule_that_cannot_be_dealt_with_does_not_keep_the_others_waiting(
    client: Client, ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.schedules.add("bad", "0 * * * *", Echo(text="bad"))
    client.schedules.add("good", "0 * * * *", Echo(text="good"))
    submit = client.schedules.submit

    def submit_or_break(schedule: Schedule, moment: int | None) -> object:
        if schedule.name == "bad":
            raise KeyError("a bug")
        return submit(schedule, moment)

    monkeypatch.setattr(client.schedules, "submit", submit_or_break)
    ahead(client, 3600)
    ticking.step()
    assert [job.record.schedule for job in client.list()] == ["good"]
    monkeypatch.setattr(client.schedules, "submit", submit)
    ticking.step()
    assert sorted(job.record.schedule for job in client.list()) == ["bad", "good"]


def test_a_kind_that_is_not_installed_any_more_is_said_in_a_note(client: Client, ticking: Ticking) -> None:
    client.schedules.add("hourly", "0 * * * *", Echo())
    key = "triptych:schedule:hourly"
    definition = str(client.records.redis.hget(key, "definition"))
    client.records.redis.hset(key, "definition", definition.replace("trial.echo", "gone.echo"))
    ahead(client, 3600)
    ticking.step()
    assert "gone.echo" in client.schedules.get("hourly").note
    assert client.list() == []
