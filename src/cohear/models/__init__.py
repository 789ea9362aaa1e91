"""Models: the front end (log-mel) and the network (VGG); both together are a classifier."""

from cohear.models.log_mel import LogMel
from cohear.models.vgg import VGG

__all__ = ["VGG", "LogMel"]
