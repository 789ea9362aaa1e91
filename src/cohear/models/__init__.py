"""Models: the front end (log-mel) and the networks; both together are a classifier."""

from cohear.models.encoder import Encoder, EncoderFacts
from cohear.models.encoder_facts import read_facts
from cohear.models.front_end import FrontEnd
from cohear.models.log_mel import LogMel
from cohear.models.network import NETWORKS, LogMelInput, Network, NetworkWithHead, build_network
from cohear.models.onnx_files import OpenModel, open_bytes, open_file
from cohear.models.vgg import VGG

__all__ = [
    "NETWORKS",
    "VGG",
    "Encoder",
    "EncoderFacts",
    "FrontEnd",
    "LogMel",
    "LogMelInput",
    "Network",
    "NetworkWithHead",
    "OpenModel",
    "build_network",
    "open_bytes",
    "open_file",
    "read_facts",
]
