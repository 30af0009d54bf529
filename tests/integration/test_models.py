"""Names for models: who gives them, what they stand for, and when that is decided."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from triptych_trial.spec import Echo, Steps

from jobs.errors import InvalidSpec
from scheduler import Client, Job, JobState, UnknownJob, UnknownModel
from scheduler.keys import JobKeys
from scheduler.rebuild import rebuild
from scheduler.settings import RedisSettings, StoreSettings


@pytest.fixture
def client(redis_settings: RedisSettings, store_settings: StoreSettings) -> Client:
    built = Client(redis_settings, store_settings)
    built.records.redis.flushdb()
    built.store.ensure_bucket()
    for item in list(built.store.under("models/")):
        built.store.delete(item.key)
    return built


def done(client: Client, text: str = "hello") -> Job[object]:
    """A job that has succeeded, with no worker up."""
    job = client.submit(Echo(text=text))
    assert client.records.claim(job.id, "a-worker", 60.0)
    client.records.settle(job.id, 1, JobState.SUCCEEDED)
    return job  # type: ignore[return-value]


def test_a_name_stands_for_the_version_it_had_when_a_job_was_submitted(client: Client) -> None:
    first, second = done(client, "one"), done(client, "two")
    assert str(client.name("digits", first, alias="production")) == "digits@1"
    before = client.submit(Echo(after_model="digits@production"))
    assert str(client.name("digits", second, alias="production")) == "digits@2"
    after = client.submit(Echo(after_model="digits@production"))
    named = [client.submit(Echo(after_model=name)) for name in ("digits", "digits@1", "digits@2")]
    assert [job.record.spec["after_model"] for job in (before, after, *named)] == [
        *(first.id, second.id, second.id, first.id, second.id)
    ]
    # Both are told: what was asked for, and what it was.
    told = {"after_model": "digits@production, digits@1 then"}
    assert before.record.names == told
    assert named[1].record.names == {"after_model": "digits@1"}
    assert client.store.get_json(JobKeys(before.id).spec)["names"] == told
    client.records.redis.flushdb()
    rebuild(client.records, client.store)
    assert before.record.names == told
    assert client.get("digits@production").id == second.id


def test_versions_and_aliases_are_listed_with_their_history(client: Client) -> None:
    jobs = [done(client, str(number)) for number in range(3)]
    for job in jobs:
        client.name("digits", job)
    assert str(client.name("digits", jobs[2])) == "digits@3"  # is that already
    for number in (1, 3, 2):
        client.models.alias("digits", "production", number)
    client.models.alias("digits", "newest")
    found = client.models.history("digits")
    assert [(version.number, version.job, version.aliases) for version in found] == [
        (1, jobs[0].id, ()),
        (2, jobs[1].id, ("production",)),
        (3, jobs[2].id, ("newest",)),
    ]
    assert [number for number, _ in client.models.moves("digits", "production")] == [1, 3, 2]
    assert client.models.jobs() == {job.id: f"digits@{number}" for number, job in enumerate(jobs, 1)}
    client.models.unname("digits@production")
    with pytest.raises(UnknownModel, match="'digits' has no alias 'production': it has newest"):
        client.get("digits@production")
    assert list(client.models.unname("digits")) == [job.id for job in jobs]
    assert client.models.list() == []
    with pytest.raises(UnknownModel, match="no model has the name 'digits': known are none"):
        client.models.history("digits")


def test_of_many_who_name_at_once_none_is_lost(
    client: Client, redis_settings: RedisSettings, store_settings: StoreSettings
) -> None:
    jobs = [done(client, str(number)) for number in range(12)]
    clients = [Client(redis_settings, store_settings) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda pair: clients[pair[0] % 4].name("digits", pair[1], "best"), enumerate(jobs)))
    found = client.models.history("digits")
    assert [version.number for version in found] == list(range(1, 13))
    assert {version.job for version in found} == {job.id for job in jobs}
    assert len(client.models.moves("digits", "best")) == 12


def test_what_cannot_have_a_name_or_be_one_is_refused_in_a_sentence(client: Client) -> None:
    job, waiting = done(client), client.submit(Echo())
    with pytest.raises(InvalidSpec, match=f"job {waiting.id} is QUEUED, and only jobs that have succeeded"):
        client.name("digits", waiting)
    with pytest.raises(InvalidSpec, match="'beef' could be the beginning of a job's id"):
        client.name("beef", job)
    with pytest.raises(InvalidSpec, match="model name 'a/b' is not a name"):
        client.name("a/b", job)
    with pytest.raises(InvalidSpec, match="alias '3' is a number"):
        client.name("digits", job, alias="3")
    assert client.models.list() == []
    client.name("digits", job)
    steps = client.submit(Steps())
    assert client.records.claim(steps.id, "a-worker", 60.0)
    client.records.settle(steps.id, 1, JobState.SUCCEEDED)
    with pytest.raises(
        InvalidSpec, match=r"'digits' stands for jobs of kind trial\.echo, and job .* trial\.steps"
    ):
        client.name("digits", steps)
    with pytest.raises(UnknownModel, match="'digits' has no version 7: it has 1 to 1"):
        client.get("digits@7")
    with pytest.raises(InvalidSpec, match="'after_model': no model has the name 'nothing': known are digits"):
        client.submit(Echo(after_model="nothing@production"))
    with pytest.raises(UnknownJob, match="there is no job 'nothing', and no model of that name"):
        client.get("nothing")
    with pytest.raises(InvalidSpec, match="field 'after_model'"):
        Echo(after_model="digits@@production")
    with pytest.raises(InvalidSpec, match="versions stay as they are"):
        client.models.unname("digits@1")
