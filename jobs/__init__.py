"""What can run: specs, families and the one training loop."""

from jobs.gan.spec import GanResult, GenerateImages, ImagesResult, TrainGan

__all__ = ["GanResult", "GenerateImages", "ImagesResult", "TrainGan"]
