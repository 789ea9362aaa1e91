"""Models: the front end (log-mel) and the networks; both together are a classifier."""

from cohear.models.log_mel import LogMel
from cohear.models.network import NETWORKS, LogMelInput, Network, NetworkWithHead, build_network
from cohear.models.vgg import VGG

__all__ = ["NETWORKS", "VGG", "LogMel", "LogMelInput", "Network", "NetworkWithHead", "build_network"]
