"""An event file of TensorBoard, written record by record: length, its checksum, content, its checksum."""

import struct

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c


def event_file(scalars, steps=None):
    """Tag → its values; at the steps 0, 1, 2 … where none are given."""
    events = [Event(file_version="brain.Event:2")]
    for tag, values in scalars.items():
        for step, value in zip(steps or range(len(values)), values, strict=True):
            events.append(Event(step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)])))
    return b"".join(map(record, events))


def record(event):
    content = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    return length + struct.pack("<I", masked_crc32c(length)) + content + struct.pack("<I", masked_crc32c(content))
