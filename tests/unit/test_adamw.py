import keras
import numpy as np
import pytest
import tensorflow as tf

from jobs.transformer.encoder.adamw import AdamW

RATES = [1e-2, 7e-3, 3e-3, 1e-3]


def _variables():
    random = np.random.default_rng(0)
    shapes = {"kernel": (4, 3), "bias": (3,), "gamma": (3,), "embeddings": (6, 2)}
    return [
        keras.Variable(random.standard_normal(shape).astype(np.float32), name=name)
        for name, shape in shapes.items()
    ]


def _gradients(step):
    random = np.random.default_rng(step + 1)
    rows = np.array([4, 1, 4])  # one of them twice
    return [*(random.standard_normal(shape) for shape in ((4, 3), (3,), (3,))), (rows, random.random((3, 2)))]


def _to_tensors(gradients):
    *dense, (rows, values) = gradients
    slices = tf.IndexedSlices(tf.constant(values, tf.float32), tf.constant(rows), tf.constant((6, 2)))
    return [*(tf.constant(gradient, tf.float32) for gradient in dense), slices]


def _dense(gradients):
    *dense, (rows, values) = gradients
    whole = np.zeros((6, 2))
    np.add.at(whole, rows, values)
    return [*dense, whole]


def _trained(optimizer):
    variables = _variables()
    optimizer.build(variables)
    update = tf.function(lambda gradients, share: optimizer.update(gradients, share))
    norms = [
        float(update(_to_tensors(_gradients(step)), tf.constant(rate / RATES[0], tf.float32)))
        for step, rate in enumerate(RATES)
    ]
    return [np.asarray(variable) for variable in variables], norms


@pytest.mark.parametrize("clip_norm", [0.5, None])
def test_a_step_is_that_of_the_paper_written_out(clip_norm):
    decay, beta_1, beta_2, epsilon = 0.1, 0.8, 0.95, 1e-3
    weights = [np.asarray(variable, np.float64) for variable in _variables()]
    means, squares = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
    norms = []
    for step, rate in enumerate(RATES):
        gradients = _dense(_gradients(step))
        norms.append(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))
        scale = min(1.0, clip_norm / norms[-1]) if clip_norm else 1.0
        for number, gradient in enumerate(gradients):
            scaled = gradient * scale
            means[number] = beta_1 * means[number] + (1 - beta_1) * scaled
            squares[number] = beta_2 * squares[number] + (1 - beta_2) * scaled**2
            mean = means[number] / (1 - beta_1 ** (step + 1))
            square = squares[number] / (1 - beta_2 ** (step + 1))
            if number in (0, 3):  # the kernel and the embeddings
                weights[number] = weights[number] - rate * decay * weights[number]
            weights[number] = weights[number] - rate * mean / (np.sqrt(square) + epsilon)
    ours, our_norms = _trained(AdamW(RATES[0], decay, beta_1, beta_2, epsilon, clip_norm))
    np.testing.assert_allclose(our_norms, norms, rtol=1e-5)
    for left, right in zip(ours, weights, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_a_step_is_that_of_keras():
    theirs, variables = (
        keras.optimizers.AdamW(RATES[0], 0.1, epsilon=1e-12, global_clipnorm=0.5),
        _variables(),
    )
    theirs.exclude_from_weight_decay(var_names=["bias", "gamma"])
    theirs.build(variables)
    for step, rate in enumerate(RATES):
        theirs.learning_rate = rate
        theirs.apply([tf.constant(each, tf.float32) for each in _dense(_gradients(step))], variables)
    ours, _ = _trained(AdamW(RATES[0], 0.1, epsilon=1e-12, clip_norm=0.5))
    for left, right in zip(ours, variables, strict=True):
        np.testing.assert_allclose(left, np.asarray(right), atol=1e-6)


def test_what_the_optimizer_knows_is_in_its_variables():
    optimizer = AdamW(1e-3)
    optimizer.build(_variables())
    names = [variable.path.split("/")[-1] for variable in optimizer.variables]
    assert len(names) == 2 + 2 * 4 and names[:2] == ["iteration", "learning_rate"]
