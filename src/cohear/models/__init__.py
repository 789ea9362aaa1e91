"""Models: front ends (log-mel, or a pretrained encoder) and networks; one of each is a classifier."""

from cohear.models.log_mel import LogMel
from cohear.models.network import NETWORKS, FrontEnd, LogMelInput, Network, NetworkWithHead, build_network
from cohear.models.vgg import VGG

__all__ = [
    "NETWORKS",
    "VGG",
    "FrontEnd",
    "LogMel",
    "LogMelInput",
    "Network",
    "NetworkWithHead",
    "build_network",
]
