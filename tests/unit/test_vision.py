"""Vision Transformers: training, and what it is made of."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput, InvalidSpec
from jobs.local import LocalContext, run_locally
from jobs.selfsupervised.spec import TrainSelfSupervised
from jobs.transformer.vision.augmenting.changes import GEOMETRY, Geometry, changed, moved, strengths
from jobs.transformer.vision.augmenting.mixing import beta, cutmix_mask, mixed
from jobs.transformer.vision.beginning import begun
from jobs.transformer.vision.learner import class_weights, rows_of, trained_groups
from jobs.transformer.vision.networks.network import Network
from jobs.transformer.vision.networks.plan import Plan, default_convolutions, default_patch
from jobs.transformer.vision.spec import ImageTraining, TrainImageClassifier
from jobs.transformer.vision.train import flips, parts_of

Array = np.ndarray[Any, Any]
SMALL: dict[str, Any] = {"width": 8, "depth": 1, "batch_size": 64, "precision": "float32"}


def bars(count: int, shape: tuple[int, int, int] = (8, 8, 1), classes: int = 2) -> ImageSet:
    """Images with a bright bar: class 0 has it in a row, class 1 in a column, and further ones are noise."""
    random = np.random.default_rng(0)
    images = random.integers(0, 60, (count, *shape), dtype=np.uint8)
    labels = np.arange(count) % classes
    for image, label in zip(images, labels, strict=True):
        place = random.integers(min(shape[:2]))
        if label == 0:
            image[place] = 255
        elif label == 1:
            image[:, place] = 255
    return ImageSet(images, labels, ("row", "column", "noise")[:classes])


def trained(data: ImageSet, folder: Path, **fields: Any) -> ImageTraining:
    folder.mkdir(parents=True, exist_ok=True)
    data.write(folder / "data.npz")
    spec = TrainImageClassifier.model_validate({"dataset": "bars", **SMALL, **fields})
    return run_locally(spec, folder / "job", {"bars": folder / "data.npz"})


def seed(step: int = 1) -> tf.Tensor:
    return tf.constant([7, step], tf.int64)


def test_a_network_learns_what_tells_classes_apart(tmp_path: Path) -> None:
    found = trained(bars(400), tmp_path, epochs=25, test=100.0, learning_rate=0.01)
    assert found.test is not None
    assert found.majority == 0.5
    assert found.test.accuracy > 0.9
    left = {path.name for path in (tmp_path / "job/artifacts").iterdir()}
    assert left == {
        *("model.safetensors", "metrics.json", "losses.png", "accuracy.png", "confusion.png"),
        *("calibration.png", "attention.png"),
    }
    assert 10 <= len(list((tmp_path / "job/samples").iterdir())) <= 16


def test_a_network_comes_back_from_its_file_with_the_same_logits(tmp_path: Path) -> None:
    plan = Plan("vit", (9, 7, 3), ("a", "b"), 8, depth=2, heads=2, inner=12, patch=3)
    network = Network(plan, seed=5)
    (tmp_path / "model").write_bytes(network.to_bytes("abc"))
    read, digest = Network.read(tmp_path / "model", "job 1")
    images = tf.random.stateless_uniform((4, 9, 7, 3), (1, 2))
    assert (read.plan, digest) == (plan, "abc")
    np.testing.assert_array_equal(read.logits(images), network.logits(images))
    (tmp_path / "model").write_bytes(network.to_bytes()[:-9])
    with pytest.raises(BadInput, match="weights of job 1 cannot be read"):
        Network.read(tmp_path / "model", "job 1")


def gelu(values: Array) -> Array:
    from scipy.special import erf

    return np.asarray(0.5 * values * (1 + erf(values / np.sqrt(2))))


def normed(values: Array, layer: Any) -> Array:
    centred = values - values.mean(-1, keepdims=True)
    scaled = centred / np.sqrt(centred.var(-1, keepdims=True) + layer.epsilon)
    return np.asarray(scaled * layer.gamma.numpy() + layer.beta.numpy())


def dense(values: Array, layer: Any) -> Array:
    return np.asarray(values @ layer.kernel.numpy() + layer.bias.numpy())


def softmax(values: Array) -> Array:
    powers = np.exp(values - values.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def through_blocks(encoder: Any, tokens: Array, heads: int) -> Array:
    """Equations 2 and 3 of Dosovitskiy et al., one head after the other."""
    for block in encoder.blocks:
        compared = dense(normed(tokens, block.attention_norm), block.compare)
        query, key, value = np.split(compared, 3, axis=1)
        parts = [np.split(each, heads, axis=1) for each in (query, key, value)]
        mixed = [softmax(q @ k.T / np.sqrt(q.shape[1])) @ v for q, k, v in zip(*parts, strict=True)]
        tokens = tokens + dense(np.concatenate(mixed, axis=1), block.merge)
        tokens = tokens + dense(gelu(dense(normed(tokens, block.dense_norm), block.widen)), block.narrow)
    return normed(tokens, encoder.last)


def shaken(plan: Plan) -> Network:
    """A network none of whose weights is 0 or 1."""
    network = Network(plan, seed=1)
    random = np.random.default_rng(1)
    for each in network.weights:
        each.assign(each.numpy() + random.normal(0, 0.2, each.shape))
    return network


def test_the_plain_transformer_is_that_of_the_paper() -> None:
    network = shaken(Plan("vit", (5, 6, 1), ("a", "b", "c"), 6, depth=2, heads=3, inner=7, patch=3))
    encoder, image = network.encoder, np.random.default_rng(0).random((5, 6, 1)).astype(np.float32)
    padded = np.zeros((6, 6))
    padded[:5] = (image[..., 0] - 0.5) / 0.5
    patches = [padded[y : y + 3, x : x + 3].reshape(-1) for y in (0, 3) for x in (0, 3)]
    tokens = [encoder.first.numpy()[0], *(dense(each, encoder.tokens.project) for each in patches)]
    hidden = through_blocks(encoder, np.stack(tokens) + encoder.positions.numpy(), heads=3)
    np.testing.assert_allclose(
        network.logits(tf.constant(image[np.newaxis]))[0], dense(hidden[0], network.head), atol=1e-5
    )
    looks = encoder.attention(network.standardised(tf.constant(image[np.newaxis])))
    assert looks.shape == (1, 2, 2)
    np.testing.assert_allclose(tf.reduce_sum(looks), 1.0, rtol=1e-6)


def test_the_compact_transformer_is_that_of_the_paper() -> None:
    network = shaken(Plan("cct", (6, 4, 1), ("a", "b"), 6, depth=1, heads=2, inner=7, filters=(6,)))
    encoder, image = network.encoder, np.random.default_rng(0).random((6, 4, 1)).astype(np.float32)
    kernel = encoder.tokens.convolutions[0].kernel.numpy()[:, :, 0]  # (3, 3, filters)
    padded = np.pad((image[..., 0] - 0.5) / 0.5, 1)
    found = np.zeros((6, 4, 6))
    for y in range(6):
        for x in range(4):
            window = padded[y : y + 3, x : x + 3, np.newaxis]
            found[y, x] = np.maximum((window * kernel).sum((0, 1)), 0)
    pooled = [found[y : y + 3, x : x + 3].max((0, 1)) for y in (0, 2, 4) for x in (0, 2)]
    hidden = through_blocks(encoder, np.stack(pooled) + encoder.positions.numpy(), heads=2)
    weights = softmax(dense(hidden, encoder.pool)[:, 0])
    np.testing.assert_allclose(
        network.logits(tf.constant(image[np.newaxis]))[0], dense(weights @ hidden, network.head), atol=1e-5
    )
    looks = encoder.attention(network.standardised(tf.constant(image[np.newaxis])))
    np.testing.assert_allclose(np.reshape(looks, -1), weights, atol=1e-6)


def test_gradients_of_the_fused_halves_are_those_of_the_plain_formula() -> None:
    from jobs.transformer.encoder.prenorm import add_norm, norm

    random = np.random.default_rng(0)
    shapes = ((5, 4), (4,), (5, 4), (5, 1), (4,), (4,))
    inputs = [tf.constant(random.normal(size=shape), tf.float32) for shape in shapes]
    asked = [tf.constant(random.normal(size=(5, 4)), tf.float32) for _ in range(3)]

    def plain(values: Any, bias: Any, residual: Any, share: Any, scale: Any, offset: Any) -> Any:
        total = residual + share * (values + bias)
        mean, variance = tf.nn.moments(total, 1, keepdims=True)
        return total, (total - mean) / tf.sqrt(variance + 1e-6) * scale + offset

    def differences(function: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total, normed = function(*inputs)
            again = norm(total, inputs[4], inputs[5], 1e-6, tf.float32)
            loss = tf.reduce_sum(total * asked[0] + normed * asked[1] + again * asked[2])
        return total, normed, *tape.gradient(loss, [*inputs[:3], *inputs[4:]])

    for mine, theirs in zip(
        differences(lambda *given: add_norm(*given, 1e-6)), differences(plain), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_changes_are_a_function_of_seed_and_step() -> None:
    images = tf.random.stateless_uniform((6, 9, 9, 3), (1, 2))
    one, two, other = (changed(images, seed(step), 0.2, True, 2, 7.0) for step in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    assert float(tf.reduce_min(one)) >= 0
    assert float(tf.reduce_max(one)) <= 1
    np.testing.assert_array_equal(changed(images, seed(), 0.0, False, 0, 7.0), images)


def test_a_map_of_nothing_but_a_mirror_or_a_crop_reads_the_pixels_it_should() -> None:
    images = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    zero, one = tf.zeros((1,)), tf.ones((1,))
    mirror = Geometry(zero, zero, zero, zero, zero, tall=one, wide=-one)
    np.testing.assert_allclose(moved(images, mirror), images[:, :, ::-1], atol=1e-5)
    shift = Geometry(zero, zero, zero, right=one / 4, down=zero, tall=one, wide=one)
    np.testing.assert_allclose(moved(images, shift)[:, :, :3], images[:, :, 1:], atol=1e-5)
    half = Geometry(zero, zero, zero, zero, zero, tall=one / 3, wide=one / 3)
    np.testing.assert_allclose(moved(images, half)[0, ::3, ::3, 0], [[5, 6], [9, 10]], atol=1e-5)


def test_each_operation_is_drawn_as_often_as_the_others() -> None:
    drawn = strengths(4_000, seed(), 1, 10.0, {"identity": 0.0, **GEOMETRY})
    shares = [float(tf.reduce_mean(tf.cast(drawn[name] != 0, tf.float32))) for name in GEOMETRY]
    np.testing.assert_allclose(shares, 1 / 6, atol=0.02)
    assert {round(abs(float(each)), 4) for each in drawn["shear_x"]} == {0.0, 0.3}


def test_mixtures_have_both_images_and_both_classes_in_equal_shares() -> None:
    images = tf.stack([tf.zeros((8, 8, 1)), tf.ones((8, 8, 1))])
    targets = tf.one_hot([0, 1], 2)
    for mixup, cutmix in ((0.5, 0.0), (0.0, 1.0), (0.5, 1.0)):
        found, shares = mixed(images, targets, seed(), mixup, cutmix)
        np.testing.assert_allclose(tf.reduce_mean(found, axis=(1, 2, 3)), shares[:, 1], atol=1e-6)
        np.testing.assert_allclose(tf.reduce_sum(shares, axis=1), 1.0, atol=1e-6)
        again, _ = mixed(images, targets, seed(), mixup, cutmix)
        np.testing.assert_array_equal(found, again)
    assert mixed(images, targets, seed(), 0.0, 0.0)[0] is images


def test_shares_of_mixtures_are_of_the_beta_distribution() -> None:
    for a in (0.2, 1.0, 4.0):
        drawn = np.asarray(beta((20_000,), seed(), a))
        assert abs(drawn.mean() - 0.5) < 0.01
        assert abs(drawn.var() - 1 / (4 * (2 * a + 1))) < 0.005
    mask = np.asarray(cutmix_mask((50, 16, 16), seed(), 1.0))
    for image in 1 - mask[..., 0]:  # each a box
        np.testing.assert_array_equal(image, np.outer(image.max(1), image.max(0)))


@pytest.mark.parametrize(("method", "network"), [("masked", "masked"), ("contrastive", "convolutional")])
def test_a_training_begins_with_the_encoder_of_a_self_supervised_job(
    method: str, network: str, tmp_path: Path
) -> None:
    bars(64).write(tmp_path / "data.npz")
    data = {"bars": tmp_path / "data.npz"}
    pretext = TrainSelfSupervised.model_validate(
        {
            "dataset": "bars",
            "method": method,
            "embedding_dim": 16,
            "filters": (4, 6),
            "depth": 1,
            "epochs": 1,
            "batch_size": 32,
        }
    )
    run_locally(pretext, tmp_path / "pretext", data)
    spec = TrainImageClassifier.model_validate(
        {"dataset": "bars", "start": "pretext", "epochs": 1, **SMALL, "frozen_layers": 1}
    )
    from jobs.selfsupervised.methods.building import load

    with LocalContext(tmp_path / "look", data) as context:
        begins, theirs = begun(spec, bars(64), context), load("pretext", context)
        images = bars(8).images
        features = begins.encoder.features(tf.cast(images, tf.float32) / 255.0, tf.float32, False)
        np.testing.assert_allclose(features, theirs.embed(images), atol=1e-5)
        with pytest.raises(BadInput, match="leave one of them out"):
            begun(spec.model_copy(update={"network": "vit"}), bars(64), context)
        with pytest.raises(BadInput, match="takes 8 x 8; upload them with --size 8x8"):
            begun(spec, bars(64, (9, 9, 1)), context)
    found = run_locally(spec, tmp_path / "job", data)
    assert found.network == network
    with LocalContext(tmp_path / "after", data) as context:
        after, _ = Network.read(context.artifact_of("job", "model.safetensors"), "job")
    groups = [[np.asarray(each) for each in group] for group in after.groups()]
    before = [[np.asarray(each) for each in group] for group in begins.groups()]
    same = [all(map(np.array_equal, one, two)) for one, two in zip(before, groups, strict=True)]
    assert same[:2] == [True, True]
    assert not any(same[2:])


def test_an_autoencoder_is_no_beginning(tmp_path: Path) -> None:
    bars(64).write(tmp_path / "data.npz")
    data = {"bars": tmp_path / "data.npz"}
    run_locally(TrainSelfSupervised(dataset="bars", epochs=1, embedding_dim=4), tmp_path / "pretext", data)
    spec = TrainImageClassifier.model_validate({"dataset": "bars", "start": "pretext", **SMALL})
    with pytest.raises(BadInput, match=r"trained by 'autoencoder', .* takes masked, contrastive, vicreg"):
        run_locally(spec, tmp_path / "job", data)


def test_a_training_begins_with_the_weights_of_another(tmp_path: Path) -> None:
    trained(bars(64), tmp_path, epochs=1)
    fields = {"dataset": "bars", "start": "job", "epochs": 1, **SMALL}
    data = {"bars": tmp_path / "data.npz"}
    found = run_locally(TrainImageClassifier.model_validate(fields), tmp_path / "second", data)
    assert found.steps == 1
    with pytest.raises(BadInput, match="the model of job job is another one"):
        run_locally(TrainImageClassifier.model_validate({**fields, "width": 12}), tmp_path / "third", data)


def test_images_of_one_pixel_are_one_token_and_a_class_without_images_is_told(tmp_path: Path) -> None:
    images = np.arange(60, dtype=np.uint8).reshape(60, 1, 1, 1) * 4
    data = ImageSet(images, np.arange(60) // 30, ("dark", "bright", "neither"))
    found = trained(data, tmp_path, epochs=1, class_weights="balanced")
    assert found.notes == ["no image of the class 'neither' to train on: it is hardly ever predicted"]
    assert found.test is not None
    assert found.test.classes["neither"].count == 0
    assert default_patch((1, 1, 3)) == default_convolutions((1, 1, 3)) == 1


def test_images_that_are_too_large_are_refused(tmp_path: Path) -> None:
    images = np.zeros((4, 400, 30, 1), np.uint8)
    with pytest.raises(BadInput, match="400 x 30 pixels, and a side may have 384; upload them with --size"):
        trained(ImageSet(images, np.arange(4) % 2, ("a", "b")), tmp_path)


def test_images_without_labels_or_of_one_class_are_refused(tmp_path: Path) -> None:
    data = bars(20)
    with pytest.raises(BadInput, match="have no labels; upload a folder with one sub-folder for each class"):
        trained(ImageSet(data.images), tmp_path / "one")
    with pytest.raises(BadInput, match="all 20 images of 'bars' are of the class 'row'"):
        trained(ImageSet(data.images, np.zeros(20, np.int64), data.class_names), tmp_path / "two")


def test_digits_and_letters_are_not_mirrored_by_default() -> None:
    spec = TrainImageClassifier()
    assert not flips(spec, bars(4))
    assert flips(spec, bars(4, (8, 8, 3)))
    lettered = ImageSet(bars(4, (8, 8, 3)).images, np.arange(4) % 2, ("a", "horse"))
    assert not flips(spec, lettered)
    assert flips(TrainImageClassifier(flip=True), lettered)


def test_training_rows_are_drawn_from_what_validation_and_test_leave() -> None:
    labels = np.asarray(bars(90, classes=3).labels)
    spec = TrainImageClassifier(train_rows=12, balanced=True, test=30.0)
    parts, notes = parts_of(spec, labels, ("row", "column", "noise"))
    assert [len(rows) for rows in (parts.train, parts.validation, parts.test)] == [12, 9, 30]
    assert len({*parts.train, *parts.validation, *parts.test}) == 51
    assert np.bincount(labels[parts.train]).tolist() == [4, 4, 4]
    assert notes == []
    with pytest.raises(BadInput, match="train_rows is 60, and validation and test leave 51 rows"):
        parts_of(spec.model_copy(update={"train_rows": 60}), labels, ("row", "column", "noise"))


def test_larger_images_are_computed_fewer_at_a_time() -> None:
    assert [rows_of((side, side, 3)) for side in (1, 28, 96, 224, 384)] == [256, 256, 128, 16, 8]


def test_balanced_weights_are_1_in_the_mean_over_the_rows() -> None:
    labels = np.array([0, 0, 0, 2])
    weights = class_weights("balanced", labels, 3)
    np.testing.assert_allclose(weights[labels].mean(), 1.0)
    assert weights[2] == 3 * weights[0]
    np.testing.assert_array_equal(class_weights("none", labels, 3), np.ones(3))


def test_more_layers_than_there_are_cannot_be_frozen() -> None:
    network = Network(Plan("vit", (4, 4, 1), ("a", "b"), 4, depth=2, inner=4, patch=2))
    assert [above for above, _ in trained_groups(network, 0)] == [4, 3, 2, 1, 0]
    assert [above for above, _ in trained_groups(network, 1)] == [2, 1, 0]
    with pytest.raises(BadInput, match="frozen_layers is 4, and the encoder has 3"):
        trained_groups(network, 4)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"width": 10, "heads": 3}, "'heads' should divide 'width', received 3 and 10"),
        ({"test": 1.5}, "'test' should be a share below 1 or a whole number of rows, received 1.5"),
        ({"balanced": True}, "'balanced' is about the rows that 'train_rows' draws"),
        ({"crop": 1.0}, "'crop' should be less than 1"),
        ({"network": "resnet"}, "'network' should be 'cct' or 'vit'"),
    ],
)
def test_fields_that_do_not_fit_are_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidSpec, match=text):
        TrainImageClassifier.model_validate(fields)
