"""A model with every type that sessions carry, 16-bit floats among them, and its weights in a file beside it: session/.

Needs onnx, onnxruntime and numpy:
    python make_session.py
"""

import json
from pathlib import Path

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def main():
    folder = Path(__file__).parent / "session"
    generator = numpy.random.default_rng(7)
    weights = numpy_helper.from_array(generator.normal(size=(3, 40)).astype(numpy.float16), "weights")
    nodes = [
        helper.make_node("MatMul", ["halves", "weights"], ["products"]),
        helper.make_node("Not", ["truth"], ["lie"]),
        helper.make_node("Add", ["numbers", "numbers"], ["doubled"]),
        helper.make_node("Cast", ["halves"], ["wide"], to=TensorProto.DOUBLE),
    ]
    info = helper.make_tensor_value_info
    inputs = [
        info("halves", TensorProto.FLOAT16, ["rows", 3]),
        info("truth", TensorProto.BOOL, [1]),
        info("numbers", TensorProto.INT64, ["count"]),
    ]
    outputs = [
        info("products", TensorProto.FLOAT16, ["rows", 40]),
        info("lie", TensorProto.BOOL, [1]),
        info("doubled", TensorProto.INT64, ["count"]),
        info("wide", TensorProto.DOUBLE, ["rows", 3]),
    ]
    graph = helper.make_graph(nodes, "session", inputs, outputs, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for path in folder.glob("model.onnx*"):
        path.unlink()
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="model.onnx_data", size_threshold=0)

    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    halves = generator.normal(size=(2, 3)).astype(numpy.float32)
    feeds = {"halves": halves.astype(numpy.float16), "truth": numpy.array([True]), "numbers": numpy.array([3, -4])}
    products = session.run(["products"], feeds)[0].astype(numpy.float32)
    expected = {"halves": halves.ravel().tolist(), "products": products.ravel().tolist()}
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
