"""What computes the logits of images: OpenVINO on a CPU, or TensorFlow."""
