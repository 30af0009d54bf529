"""Sweeps: what is asked for, by whom, and that nothing is lost or doubled; trials are done by hand."""

import json
from collections.abc import Sequence
from typing import Any

import optuna
import pytest
from triptych_trial.bowl import run as bowl
from triptych_trial.spec import Bowl, Climb

from jobs import catalog
from jobs.errors import BadInput, InvalidSpec
from scheduler import Client, FailureCause, JobFailed, JobState
from scheduler.errors import Unreachable
from scheduler.keys import JobKeys, SweepKeys
from scheduler.rebuild import rebuild
from scheduler.settings import RedisSettings, StoreSettings
from scheduler.sweeps.running import Running
from scheduler.sweeps.spaces import choice, integers, log_uniform, uniform
from scheduler.sweeps.stored import StoredSweep, rebuild_sweeps
from scheduler.sweeps.sweep import job_of
from scheduler.sweeps.sweeps import Sweep
from tests.servers import wait_until

SPACE = {"x": uniform(-10, 10), "y": uniform(-10, 10)}


@pytest.fixture
def client(redis_settings: RedisSettings, store_settings: StoreSettings) -> Client:
    built = Client(redis_settings, store_settings)
    built.records.redis.flushdb()
    built.store.ensure_bucket()
    for item in list(built.store.under("sweeps/")):
        built.store.delete(item.key)
    return built


def work(client: Client, most: int = 10**6) -> list[str]:
    """Does jobs that are queued, in the order of their ids, which is no order at all."""
    done = []
    queued = [
        job for kind in ("trial.bowl", "trial.climb") for job in client.list(JobState.QUEUED, kind, 1000)
    ]
    for job in sorted(queued, key=lambda job: job.id)[:most]:
        record = client.records.claim(job.id, "a-worker", 60.0)
        assert record is not None
        spec = catalog.parse(record.spec)
        try:
            result = climbed(client, spec) if isinstance(spec, Climb) else bowl(spec, None).model_dump()
        except BadInput as error:
            client.records.settle(job.id, record.attempt, JobState.FAILED, FailureCause.BAD_INPUT, str(error))
        else:
            client.store.put_json(JobKeys(job.id).result, {"attempt": record.attempt, "result": result})
            client.records.settle(job.id, record.attempt, JobState.SUCCEEDED)
        done.append(job.id)
    return done


def climbed(client: Client, spec: Climb) -> dict[str, Any]:
    return {"epochs": spec.epochs, "height": abs(spec.rate - 0.3) / spec.epochs, "digest": ""}


def run(client: Client, sweep: Sweep, running: Running | None = None) -> list[list[str]]:
    """Moves a sweep on to its end; the jobs of each round."""
    running = running or Running(client, 1.0)
    rounds: list[list[str]] = []

    def ended() -> bool:  # not after so many rounds: one before it may lead for some seconds yet
        running.step()
        if sweep.state != "RUNNING":
            return True
        rounds.append(work(client))
        return False

    wait_until(ended)
    return rounds


def table(sweep: Sweep) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "job"} for row in sweep.table()]


def test_a_sweep_asks_for_what_optunas_own_loop_would_ask_for(client: Client) -> None:
    space = {"y": uniform(-10, 10), "x": uniform(-10, 10)}  # in an order that is not that of the alphabet
    sweep = client.sweep(Bowl(x=0), space, metric="height", direction="min", trials=25, seed=3)
    rounds = run(client, sweep)
    assert [len(jobs) for jobs in rounds] == [1] * 25
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3))
    distributions = {name: optuna.distributions.FloatDistribution(-10, 10) for name in space}
    for row in sweep.table():
        trial = study.ask(distributions)
        assert {name: row[name] for name in space} == trial.params
        study.tell(trial, row["height"])
    assert sweep.best().result().height == study.best_value
    assert sweep.wait().spec.x == study.best_params["x"]
    assert len(client.list(limit=1000)) == 25


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_sweep_comes_to_the_same_whoever_moves_it_on(client: Client, sampler: str) -> None:
    def begin() -> Sweep:
        return client.sweep(
            Bowl(x=0),
            {**SPACE, "shape": choice("round", "steep")},
            metric="height",
            direction="min",
            trials=22,
            at_once=4,
            sampler=sampler,
            seed=1,
        )

    undisturbed = begin()
    rounds = run(client, undisturbed)
    assert [len(jobs) for jobs in rounds] == [4, 4, 4, 4, 4, 2]
    disturbed = begin()
    for step in range(2000):
        Running(client, 0.0).step()  # each time another one, which knows nothing
        client.records.redis.delete("triptych:leader:sweeps")
        if disturbed.state != "RUNNING":
            break
        work(client, most=1 + step % 3)
    assert table(disturbed) == table(undisturbed)
    assert len(client.list(limit=1000)) == 44


def test_two_schedulers_at_once_and_a_redis_that_lost_its_data_double_no_trial(client: Client) -> None:
    sweep = client.sweep(Bowl(x=0), SPACE, metric="height", direction="min", trials=9, at_once=3, seed=2)
    one, two = Running(client, 1.0), Running(client, 1.0)
    one._leader.leads = two._leader.leads = lambda: True  # type: ignore[method-assign]
    for step in range(100):
        for running in (one, two):
            running.step()
        if sweep.state != "RUNNING":
            break
        work(client, most=2)
        if step == 2:
            client.records.redis.flushdb()
            assert rebuild_sweeps(client.records, client.store) == 1
            rebuild(client.records, client.store)
    assert [row["trial"] for row in sweep.table()] == list(range(9))
    again = client.sweep(Bowl(x=0), SPACE, metric="height", direction="min", trials=9, at_once=3, seed=2)
    run(client, again)
    assert table(again) == table(sweep)


def test_halving_lets_the_best_third_go_on_and_does_no_epoch_twice(client: Client) -> None:
    sweep = client.sweep(
        Climb(),
        {"rate": uniform(0.01, 1.0)},
        metric="height",
        direction="min",
        trials=12,
        at_once=5,
        rungs=(1, 3, 9),
        seed=4,
    )
    run(client, sweep)
    trials = sweep.trials()
    assert [len(trial.outcomes) for trial in trials].count(1) == 8
    assert [len(trial.outcomes) for trial in trials].count(2) == 3
    assert [len(trial.outcomes) for trial in trials].count(3) == 1
    first = sorted(trials, key=lambda trial: (trial.value(0), trial.number))
    assert all(len(trial.outcomes) > 1 for trial in first[:4])
    best = sweep.best()
    assert isinstance(best.spec, Climb)
    assert best.spec.epochs == 9
    assert best.spec.extends is not None
    assert client.get(best.spec.extends).spec.epochs == 3
    assert sweep.ranking()[0].number == next(trial.number for trial in trials if len(trial.outcomes) == 3)


def test_an_asynchronous_sweep_keeps_its_places_busy_and_ends(client: Client) -> None:
    sweep = client.sweep(
        Climb(),
        {"rate": uniform(0.01, 1.0)},
        metric="height",
        direction="min",
        trials=12,
        at_once=4,
        rungs=(1, 3),
        seed=4,
        asynchronous=True,
    )
    running = Running(client, 1.0)
    for _ in range(200):
        running.step()
        if sweep.state != "RUNNING":
            break
        under_way = len(client.list(state=JobState.QUEUED, limit=1000))
        assert under_way <= 4
        work(client, most=1)
    assert sweep.state == "SUCCEEDED"
    assert len(sweep.trials()) == 12
    assert sum(len(trial.outcomes) == 2 for trial in sweep.trials()) >= 4


def test_trials_that_fail_are_no_values_and_three_in_a_row_end_the_sweep(client: Client) -> None:
    some = client.sweep(
        Bowl(x=0, breaks_above=60),
        SPACE,
        metric="height",
        direction="min",
        trials=12,
        seed=1,
        sampler="random",
    )
    run(client, some)
    failed = [trial for trial in some.trials() if trial.failed]
    assert some.state == "SUCCEEDED", some.message
    assert failed
    assert {trial.cause for trial in failed} == {"BAD_INPUT"}
    assert some.best().result().height < 60
    none = client.sweep(
        Bowl(x=0, breaks_above=-1), SPACE, metric="height", direction="min", trials=12, at_once=2
    )
    run(client, none)
    assert (none.state, len(none.trials())) == ("FAILED", 4)
    assert none.message == "3 trials in a row failed with: BAD_INPUT"
    with pytest.raises(JobFailed, match="ended as FAILED: 3 trials in a row failed with: BAD_INPUT"):
        none.wait()


def test_a_cancelled_sweep_cancels_its_trials_and_asks_for_no_more(client: Client) -> None:
    sweep = client.sweep(Bowl(x=0), SPACE, metric="height", direction="min", trials=9, at_once=3)
    running = Running(client, 1.0)
    running.step()
    work(client, most=1)
    assert sweep.cancel() == "CANCELLED"
    assert client.list(state=JobState.QUEUED) == []
    for _ in range(3):
        running.step()
    assert len(client.list(limit=100)) == 3
    assert client.store.get_json(SweepKeys(sweep.id).result)["best"]["number"] in range(3)


def test_its_page_shows_all_trials_and_what_mattered(client: Client) -> None:
    space = {**SPACE, "shape": choice("round", "steep")}
    sweep = client.sweep(
        Bowl(x=0), space, metric="height", direction="min", trials=16, sampler="random", seed=1
    )
    assert "0 of 16 trials have ended" in sweep.report()
    run(client, sweep)
    shares = sweep.importances()
    assert shares is not None
    assert shares.keys() == space.keys()
    assert sum(shares.values()) == pytest.approx(1)
    page = sweep.report()
    assert page.count('<polyline class="trial') == 16
    assert page.count('<polyline class="trial good"') == 6
    for said in ("height by trial", "best so far", "uniform(-10,10)", "choice(round,steep)", sweep.best().id):
        assert said in page


def test_a_store_that_fails_while_trials_are_asked_for_changes_none_of_them(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin() -> Sweep:
        return client.sweep(Bowl(x=0), SPACE, metric="height", direction="min", trials=8, at_once=3, seed=6)

    calm, struck = begin(), begin()
    run(client, calm)
    enter, calls = StoredSweep.enter, iter(range(100))

    def failing(self: StoredSweep, *arguments: Any) -> Any:
        if next(calls) % 3 == 1:
            raise Unreachable("the S3 server does not answer")
        return enter(self, *arguments)

    monkeypatch.setattr(StoredSweep, "enter", failing)
    run(client, struck, Running(client, 0.0))
    assert table(struck) == table(calm)


def test_a_sweep_that_cannot_be_moved_on_keeps_no_other_waiting_and_is_tried_again(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, whole = (
        client.sweep(Bowl(x=0), SPACE, metric="height", direction="min", trials=3, seed=seed)
        for seed in (1, 2)
    )
    submit = Client.submit

    def refuse(self: Client, spec: Any, **fields: Any) -> Any:
        if fields["job_id"] == job_of(broken.id, 0, 0):
            raise RuntimeError("what nobody thought of")
        return submit(self, spec, **fields)

    monkeypatch.setattr(Client, "submit", refuse)
    running = Running(client, 0.0)
    run(client, whole, running)
    assert (whole.state, broken.state) == ("SUCCEEDED", "RUNNING")
    assert f"sweep {broken.id} cannot go on" in caplog.messages
    monkeypatch.undo()
    run(client, broken, running)
    assert [row["trial"] for row in broken.table()] == [0, 1, 2]


def test_a_grid_tries_every_combination_once(client: Client) -> None:
    space = {"x": choice(0.0, 1.0), "y": choice(-2.0, 2.0), "seed": integers(0, 2)}
    sweep = client.sweep(
        Bowl(x=0), space, metric="height", direction="min", trials=12, sampler="grid", at_once=5
    )
    run(client, sweep)
    assert len({json.dumps({name: row[name] for name in space}) for row in sweep.table()}) == 12
    assert (sweep.best().spec.x, sweep.best().spec.y) == (1.0, -2.0)


@pytest.mark.parametrize(
    ("space", "fields", "said"),
    [
        ({"z": uniform(0, 1)}, {}, "trial.bowl has no field 'z' to search; its fields are "),
        ({"x": uniform(0, 11)}, {}, "'x' should be less than or equal to 10, received 11"),
        ({"x": choice(0, "much")}, {}, "'x' should be a valid number, received \"much\""),
        (
            {"x": uniform(0, 1)},
            {"metric": "depth"},
            "result of trial.bowl has no number 'depth' to go by; it has height",
        ),
        ({"x": uniform(0, 1)}, {"direction": "up"}, "field 'direction'"),
        ({"x": uniform(0, 1)}, {"trials": 0}, "field 'trials'"),
        (
            {"x": uniform(0, 1)},
            {"rungs": (1, 3)},
            "'rungs' need a kind that can be extended, and trial.bowl cannot",
        ),
        ({"x": uniform(0, 1)}, {"sampler": "grid"}, "'grid' takes integers and choices, and 'x' is uniform"),
        ({}, {}, "field 'space'"),
    ],
)
def test_what_cannot_be_searched_is_refused_at_once(
    client: Client, space: dict[str, Any], fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidSpec, match=said.replace("(", r"\(")):
        client.sweep(Bowl(x=0), space, **{"metric": "height", "direction": "min", "trials": 3, **fields})
    assert client.sweeps.list() == []


def test_ranges_are_refused_or_read_as_they_are_written() -> None:
    from scheduler.sweeps.spaces import parse

    assert parse("log(1e-5, 1e-2)") == log_uniform(1e-5, 1e-2)
    assert parse("int(16,64,16)") == integers(16, 64, 16)
    assert parse("int(1,100,log)") == integers(1, 100, log=True)
    assert parse('choice(dcgan,"a,b",[1,2],3,null)') == choice("dcgan", "a,b", [1, 2], 3, None)
    assert parse("0.5") is parse("logical(1)") is None
    written: Sequence[str] = [
        "log(0,1)",
        "uniform(2,1)",
        "int(1,4,2)",
        "int(1.5,2)",
        "choice()",
        "uniform(0,1",
        "log(1)",
        "uniform(a,b)",
    ]
    for text in written:
        with pytest.raises(InvalidSpec):
            parse(text)
