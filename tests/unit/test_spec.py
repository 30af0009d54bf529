import json

import pytest

from jobs import FineTune, GanResult, GenerateImages, TrainAnswering, TrainGan, TrainSelfSupervised
from jobs.errors import InvalidSpec
from jobs.gan.spec import DEMO
from jobs.spec import JobSpec, Limits


def test_a_spec_with_nothing_but_defaults_is_complete() -> None:
    assert TrainGan().dataset == "mnist-5k"
    assert DEMO.dataset == "mnist-5k"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"epoch": 3}, r"gan\.train: unknown field 'epoch'; its fields are .*epochs"),
        ({"epochs": 0}, r"field 'epochs' should be greater than or equal to 1, received 0"),
        ({"epochs": "3"}, r"field 'epochs' should be a valid integer, received \"3\""),
        ({"epochs": True}, r"field 'epochs' should be a valid integer, received true"),
        ({"batch_size": 1}, r"'batch_size' should be greater than or equal to 2"),
        ({"learning_rate": float("nan")}, r"'learning_rate'"),
        ({"generator_units": []}, r"'generator_units' should have at least 1 item, received \[\]$"),
        (
            {"generator_units": [1.5]},
            r"train: field 'generator_units\.0' should be a valid integer, received 1.5$",
        ),
        ({"generator_units": 5}, r"'generator_units' should be a list in square brackets, received 5$"),
        (
            {"limits": 5},
            r"'limits' should be an object with some of the fields attempts, stall_seconds, wall_seconds",
        ),
        ({"limits": {"attempts": "x"}}, r"'limits\.attempts' should be a valid integer"),
        ({"generator_units": [0]}, r"'generator_units\.0' should be greater than or equal to 1"),
        ({"activation": "step"}, r"'activation' should be .*'relu'.*received \"step\""),
        ({"dataset": "../secret"}, r"'dataset'"),
        ({"pool": "tpu"}, r"'pool' should be 'cpu', 'gpu' or 'any'"),
        ({"seed": -1}, r"'seed'"),
    ],
)
def test_a_wrong_field_is_refused_in_one_sentence(fields: dict[str, object], text: str) -> None:
    with pytest.raises(InvalidSpec, match=text) as refusal:
        TrainGan(**fields)  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(Exception, match="frozen"):
        TrainGan().epochs = 3  # type: ignore[misc]


def test_a_spec_knows_its_data_sets_and_its_parents() -> None:
    assert list(TrainGan(dataset="faces").named_sets()) == [("dataset", "faces", "images")]
    assert list(GenerateImages(model="job-1").parents()) == [("model", "job-1", ("gan.train",))]


def test_a_job_handle_stands_for_its_id() -> None:
    class Handle:
        id = "job-1"

    assert GenerateImages(model=Handle()).model == "job-1"  # type: ignore[arg-type]


def test_a_spec_knows_its_kind_and_its_result() -> None:
    assert TrainGan.kind == "gan.train"
    assert TrainGan.result_type is GanResult


def test_the_wire_form_is_json_with_the_kind() -> None:
    wire = TrainGan(architecture="mlp", generator_units=(3, 4), limits=Limits(attempts=2)).to_wire()
    assert json.loads(json.dumps(wire)) == wire
    assert (wire["kind"], wire["generator_units"], wire["limits"]["attempts"]) == ("gan.train", [3, 4], 2)


def test_a_base_class_has_no_kind() -> None:
    assert JobSpec.kind == ""


@pytest.mark.parametrize("kind", [TrainSelfSupervised, FineTune, TrainAnswering])
def test_a_part_of_the_data_has_a_largest_number_of_rows(kind: type[JobSpec]) -> None:
    assert kind(validation=1e9).validation == 1e9
    with pytest.raises(
        InvalidSpec, match=r"'validation' should be less than .* 1000000000, received 1e\+300"
    ):
        kind(validation=1e300)
