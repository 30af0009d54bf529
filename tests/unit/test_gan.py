import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tensorflow")

import tensorflow as tf

from jobs import GanResult, GenerateImages, ImagesResult, TrainGan
from jobs.datasets.images.image_set import ImageSet
from jobs.errors import BadInput
from jobs.gan.layers.objectives import cross_entropy
from jobs.gan.models import Gan, build_gan
from jobs.gan.recipes import recipe
from jobs.gan.train import rows_of_a_step
from jobs.local import run_locally
from jobs.training.draws import normal

SPEC = TrainGan(
    architecture="mlp",
    dataset="tiny",
    epochs=3,
    batch_size=8,
    latent_dim=5,
    generator_units=(7,),
    sample_every=2,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GanResult]:
    """A finished training in colour, as others generate from it."""
    home = tmp_path_factory.mktemp("home")
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 5, 3), dtype=np.uint8)
    ImageSet(images).write(home / "tiny.npz")
    return home / "trained", run_locally(SPEC, home / "trained", {"tiny": home / "tiny.npz"})


def size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


def test_training_leaves_model_pictures_curves_and_metrics(finished: tuple[Path, GanResult]) -> None:
    folder, result = finished
    assert {path.name for path in (folder / "artifacts").iterdir()} == {
        "generator.keras",
        "generator.safetensors",
        "samples.png",
        "losses.png",
        "discriminator.png",
        "filmstrip.gif",
    }
    assert [path.name for path in sorted((folder / "samples").iterdir())] == [
        "000000000006.png",
        "000000000009.png",
    ]
    assert (folder / "samples/000000000009.png").read_bytes() == (
        folder / "artifacts/samples.png"
    ).read_bytes()
    assert (result.steps, result.epochs, len(result.state_sha256)) == (9, 3, 64)
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert (last["step"], last["stage"], last["d_loss"]) == (9, "epoch 3/3", result.d_loss)


def test_the_keras_file_and_the_safetensors_file_are_the_same_generator(
    finished: tuple[Path, GanResult],
) -> None:
    import keras

    folder, _ = finished
    from jobs.gan.generate import load_generator
    from jobs.local import LocalContext

    model = keras.models.load_model(folder / "artifacts/generator.keras", safe_mode=True, compile=False)
    with LocalContext(folder.parent / "probe") as context:
        rebuilt = load_generator("trained", context)
    latents = np.ones((2, rebuilt.spec.latent_dim), np.float32)
    np.testing.assert_array_equal(np.asarray(model(latents)), np.asarray(rebuilt.network(latents)))


def test_generated_images_are_the_same_for_a_seed_and_differ_between_seeds(
    finished: tuple[Path, GanResult],
) -> None:
    folder, _ = finished
    home = folder.parent
    result: ImagesResult = run_locally(GenerateImages(model="trained", count=70), home / "a")
    assert result == ImagesResult(count=70, height=6, width=5, channels=3)
    artifacts = home / "a/artifacts"
    images = ImageSet.read(artifacts / "images.npz").images
    assert images.shape == (70, 6, 5, 3)
    assert len(list((artifacts / "images").iterdir())) == 70
    np.testing.assert_array_equal(np.asarray(Image.open(artifacts / "images/0069.png")), images[69])
    assert size((artifacts / "grid.png").read_bytes())[0] >= 512
    assert len(np.unique(images.reshape(70, -1), axis=0)) > 60

    run_locally(GenerateImages(model="trained", count=3), home / "b")
    fewer = ImageSet.read(home / "b/artifacts/images.npz").images
    np.testing.assert_array_equal(fewer, images[:3])
    run_locally(GenerateImages(model="trained", count=3, seed=1), home / "c")
    assert (ImageSet.read(home / "c/artifacts/images.npz").images != fewer).any()


def test_a_model_that_is_no_gan_is_refused(finished: tuple[Path, GanResult]) -> None:
    home = finished[0].parent
    run_locally(GenerateImages(model="trained", count=1), home / "images")
    with pytest.raises(BadInput, match=r"job images is a gan\.generate, and images are generated from"):
        run_locally(GenerateImages(model="images"), home / "refused")


def test_damaged_weights_are_refused(finished: tuple[Path, GanResult], tmp_path: Path) -> None:
    job = tmp_path / "trained"
    (job / "artifacts").mkdir(parents=True)
    (job / "spec.json").write_bytes((finished[0] / "spec.json").read_bytes())
    with pytest.raises(BadInput, match=r"no artifact 'generator\.safetensors'; has it finished"):
        run_locally(GenerateImages(model="trained"), tmp_path / "a")
    (job / "artifacts/generator.safetensors").write_bytes(b"half")
    with pytest.raises(BadInput, match=r"weights of job trained cannot be read .*train it again"):
        run_locally(GenerateImages(model="trained"), tmp_path / "b")


def test_a_small_data_set_is_one_batch_and_a_single_image_is_refused(tiny_images: ImageSet) -> None:
    assert rows_of_a_step(TrainGan(architecture="mlp", batch_size=8), tiny_images) == 8
    assert rows_of_a_step(TrainGan(architecture="mlp", batch_size=128), tiny_images) == 50
    with pytest.raises(BadInput, match="'mnist-5k' has one image; a GAN needs at least 2"):
        rows_of_a_step(TrainGan(), ImageSet(tiny_images.images[:1]))


def test_cross_entropy_is_what_the_paper_says() -> None:
    logits = np.array([[-2.0], [0.5], [3.0]], np.float32)
    probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    np.testing.assert_allclose(cross_entropy(logits, real=True), -np.log(probability).mean(), rtol=1e-6)
    np.testing.assert_allclose(cross_entropy(logits, real=False), -np.log(1 - probability).mean(), rtol=1e-6)


def test_one_step_is_one_adam_update_of_each_network_in_turn(tiny_images: ImageSet) -> None:
    """Against the mathematics written out in NumPy: the first Adam step is lr * sign(gradient), nearly."""
    spec = SPEC.model_copy(update={"average": 0.5})
    model = build_gan(spec, tiny_images.shape)
    before = {name: [np.asarray(w) for w in weights(model, name)] for name in NETWORKS}
    batch = {"images": tf.constant(tiny_images.images[:8])}
    step = tf.function(model.one_step, jit_compile=True)
    metrics = step(batch, tf.constant(0, tf.int64))

    latents = [np.asarray(draw(spec, number)) for number in (0, 1)]
    real = tiny_images.images[:8].astype(np.float64) / 127.5 - 1
    fake = generate(before["generator"], latents[0]).reshape(real.shape)
    d_loss = (bce(before["discriminator"], real, 1) + bce(before["discriminator"], fake, 0)) / 2
    np.testing.assert_allclose(metrics["d_loss"], d_loss, rtol=1e-4)
    after = [np.asarray(w) for w in weights(model, "discriminator")]
    g_loss = bce(after, generate(before["generator"], latents[1]).reshape(real.shape), 1)
    np.testing.assert_allclose(metrics["g_loss"], g_loss, rtol=1e-4)
    for network in ("generator", "discriminator"):
        for old, new in zip(before[network], weights(model, network), strict=True):
            moved = np.abs(np.asarray(new) - old)
            assert moved.max() == pytest.approx(recipe(spec).learning_rate, rel=0.01)
    # At step 0 a tenth of the running average stays, whatever `average` says.
    for old, new, mean in zip(
        before["average"], weights(model, "generator"), weights(model, "average"), strict=True
    ):
        np.testing.assert_allclose(np.asarray(mean), 0.1 * old + 0.9 * np.asarray(new), atol=1e-6)


NETWORKS = ("generator", "discriminator", "average")


def weights(model: Gan, network: str) -> list[Any]:
    return [tf.identity(weight.value) for weight in getattr(model, network).weights]


def draw(spec: TrainGan, number: int) -> Any:
    shape, seed = (8, spec.latent_dim), tf.constant([spec.seed, number], tf.int64)
    return tf.function(lambda: normal(shape, seed), jit_compile=True)()


def dense(x: Any, kernel: Any, bias: Any) -> Any:
    return x @ kernel.astype(np.float64) + bias


def leaky(x: Any) -> Any:
    return np.where(x > 0, x, 0.2 * x)


def generate(network: list[Any], latents: Any) -> Any:
    return np.tanh(dense(leaky(dense(latents, *network[:2])), *network[2:]))


def bce(network: list[Any], images: Any, label: int) -> float:
    logits = dense(leaky(dense(images.reshape(len(images), -1), *network[:2])), *network[2:])
    probability = 1 / (1 + np.exp(-logits))
    return float(-np.log(probability if label else 1 - probability).mean())


def test_normal_draws_are_normal_and_follow_from_their_seed() -> None:
    @tf.function(jit_compile=True)
    def sample(seed: tf.Tensor) -> tf.Tensor:
        return normal((200, 500), seed)

    first = np.asarray(sample(tf.constant([1, 2], tf.int64))).astype(np.float64)
    np.testing.assert_array_equal(first, np.asarray(sample(tf.constant([1, 2], tf.int64))))
    other = np.asarray(sample(tf.constant([1, 3], tf.int64)))
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.02
    assert np.isfinite(first).all()
    moments = [(first**power).mean() for power in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.06)
