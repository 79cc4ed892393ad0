"""The Florence-2 cases' models with 16-bit floats everywhere, inputs and outputs too: florence2_fp16/onnx/*_fp16.onnx.

Needs onnx and numpy:
    python make_half.py
"""

from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, numpy_helper

LARGEST = 65504


def halved(tensor):
    """The same constant in 16 bits; what they can't hold becomes the largest number that they can."""
    if tensor.data_type == TensorProto.FLOAT:
        values = numpy.clip(numpy_helper.to_array(tensor), -LARGEST, LARGEST)
        tensor.CopyFrom(numpy_helper.from_array(values.astype(numpy.float16), tensor.name))


def halve(graph):
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                halve(attribute.g)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
            if attribute.name == "value" and attribute.HasField("t"):
                halved(attribute.t)
    for tensor in graph.initializer:
        halved(tensor)
    for value in [*graph.input, *graph.output, *graph.value_info]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.FLOAT16


def main():
    here = Path(__file__).parent
    out = here / "florence2_fp16" / "onnx"
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted((here / "florence2" / "onnx").glob("*.onnx")):
        model = onnx.load(path)
        halve(model.graph)
        onnx.save(model, out / f"{path.stem}_fp16.onnx")


if __name__ == "__main__":
    main()
