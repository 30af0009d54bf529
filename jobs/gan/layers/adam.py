"""Adam whose update of a weight is one operation: many small weights make a dozen each with Keras's."""

from typing import Any

import keras
import tensorflow as tf


class FusedAdam(keras.optimizers.Adam):
    """Keras's Adam (Kingma and Ba 2014, https://arxiv.org/abs/1412.6980), with the same state."""

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """As Keras's; what is the same for all weights is calculated once."""
        step = tf.cast(tf.convert_to_tensor(self.iterations) + 1, tf.float32)
        self._powers = {
            f"beta{n}_power": tf.pow(beta, step) for n, beta in ((1, self.beta_1), (2, self.beta_2))
        }
        try:
            return super().apply(grads, trainable_variables)
        finally:
            del self._powers

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        """As Keras's, of a dense gradient."""
        number = self._get_variable_index(variable)
        weight = variable.value if isinstance(variable, keras.Variable) else variable
        tf.raw_ops.ResourceApplyAdam(
            var=weight.handle,
            m=self._momentums[number].value.handle,
            v=self._velocities[number].value.handle,
            **self._powers,
            lr=tf.cast(tf.convert_to_tensor(learning_rate), tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
