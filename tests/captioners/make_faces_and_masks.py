"""Writes the tiny random models of `sface`, `centerface`, `isnet` and `clipseg`, and what Python makes of them.

Each model has the inputs and outputs of the public export and weights of no meaning, so the cases prove how pictures go in and
numbers come out, not that anything is recognised. What is expected comes from OpenCV (`FaceRecognizerSF`), transformers
(CLIPSeg in torch, before its export) or a decoding in numpy below; nothing of it comes from the Rust code under test. (`yunet` and `u2net` hold older cases of the same kind, made with
OpenCV 5.0.0 and with rembg's recipe on Pillow 12.0; they stay as they are.)

    pip install numpy pillow onnx onnxruntime opencv-python-headless torch transformers onnxscript
    python make_faces_and_masks.py [FOLDER]
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).parent
IMAGENET = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def drawn(width, height, seed):
    """A soft picture with a few bright spots: something for a detector to be sure of, and small as a PNG."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (width, height), (40, 50, 70))
    pen = ImageDraw.Draw(picture)
    for _ in range(7):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.06, 0.2) * min(width, height)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=tuple(int(v) for v in rng.integers(60, 256, 3)))
    return picture.filter(ImageFilter.GaussianBlur(3))


def save(path, nodes, weights, inputs, outputs, listed=False):
    """`listed`: weights also stand among the graph's inputs, as exports of before 2020 have them."""
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32 if np.asarray(v).dtype.kind == "f" else np.int64), k)
               for k, v in weights.items()]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs]
    if listed:
        values += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in tensors]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs]
    graph = helper.make_graph(nodes, path.parent.name, values, ends, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def write(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def sface(folder):
    """`face_recognition_sface_2021dec`: `data` [1,3,112,112] -> `fc1` [1,128]."""
    rng = np.random.default_rng(11)
    weights = {
        "mean": np.array(127.5),
        "w1": rng.normal(0, 0.004, (4, 3, 16, 16)),
        "b1": rng.normal(0, 0.2, 4),
        "w2": rng.normal(0, 0.3, (128, 196)),
        "b2": rng.normal(0, 0.1, 128),
    }
    nodes = [
        helper.make_node("Sub", ["data", "mean"], ["centred"]),
        helper.make_node("Conv", ["centred", "w1", "b1"], ["c"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Tanh", ["c"], ["t"]),
        helper.make_node("Flatten", ["t"], ["f"]),
        helper.make_node("Gemm", ["f", "w2", "b2"], ["fc1"], transB=1),
    ]
    path = folder / "sface" / "face_recognition_sface_2021dec.onnx"
    save(path, nodes, weights, [("data", [1, 3, 112, 112])], [("fc1", [1, 128])])
    picture = drawn(240, 200, 5)
    picture.save(folder / "sface" / "picture.png", optimize=True)
    bgr = np.ascontiguousarray(np.array(picture)[:, :, ::-1])
    recogniser = cv2.FaceRecognizerSF.create(str(path), "")
    # Upright, turned, mirrored, small, and partly outside the picture.
    landmarks = {
        "upright": [[80, 70], [140, 72], [112, 105], [86, 140], [136, 139]],
        "turned": [[150, 60], [190, 110], [150, 115], [110, 105], [145, 150]],
        "upside_down": [[150, 150], [90, 148], [118, 112], [144, 80], [92, 82]],
        "small": [[150.5, 60.25], [168, 61], [159, 70], [152, 80], [167, 80.5]],
        "outside": [[-20, 20], [40, 15], [12, 50], [-15, 90], [35, 88]],
    }
    cases, features = [], {}
    for name, points in landmarks.items():
        row = np.array([[0, 0, 10, 10, *np.array(points, np.float32).ravel(), 0.9]], np.float32)
        crop = recogniser.alignCrop(bgr, row)
        feature = recogniser.feature(crop).copy()
        features[name] = feature
        Image.fromarray(np.ascontiguousarray(crop[:, :, ::-1])).save(folder / "sface" / f"{name}.png", optimize=True)
        unit = feature[0] / np.linalg.norm(feature[0])
        cases.append({"name": name, "landmarks": points, "embedding": [float(v) for v in unit]})
    first = features["upright"]
    cosines = {n: recogniser.match(first.copy(), f.copy(), cv2.FaceRecognizerSF_FR_COSINE) for n, f in features.items()}
    write(folder / "sface" / "expected.json", {"opencv": cv2.__version__, "cases": cases, "cosine_to_upright": cosines})


def greedy(boxes, scores, limit=0.3):
    """Indices that remain when each box, best first, removes what covers it by `limit` or more."""
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        def overlap(k):
            low, high = np.maximum(boxes[i][:2], boxes[k][:2]), np.minimum(boxes[i][2:], boxes[k][2:])
            inter = np.prod(np.maximum(high - low, 0))
            return inter / (np.prod(boxes[i][2:] - boxes[i][:2]) + np.prod(boxes[k][2:] - boxes[k][:2]) - inter)
        if all(overlap(k) < limit for k in kept):
            kept.append(i)
    return kept


def centerface(folder):
    """`input.1` RGB 0-255 -> heat, ln(size / 4), offset, landmarks, a quarter of the size each.

    As in the public file, the shapes that are declared ([10,3,32,32]) are only those of the export.
    """
    rng = np.random.default_rng(23)
    weights = {}
    nodes = []
    heads = {"537": (1, 0.0), "538": (2, 1.9), "539": (2, 0.0), "540": (10, 0.4)}
    for name, (channels, bias) in heads.items():
        scale = 0.0006 if name != "537" else 0.0
        kernel = rng.normal(0, scale, (channels, 3, 4, 4)) if scale else np.full((1, 3, 4, 4), 0.002)
        weights["w" + name] = kernel
        weights["b" + name] = np.full(channels, bias if name != "537" else -12.5)
        end = name if name != "537" else "logit"
        nodes.append(helper.make_node("Conv", ["input.1", "w" + name, "b" + name], [end], kernel_shape=[4, 4], strides=[4, 4]))
    nodes.append(helper.make_node("Sigmoid", ["logit"], ["537"]))
    path = folder / "centerface" / "centerface.onnx"
    ends = [(n, [10, c, 8, 8]) for n, (c, _) in heads.items()]
    save(path, nodes, weights, [("input.1", [10, 3, 32, 32])], ends, listed=True)

    picture = drawn(192, 128, 8)
    picture.save(folder / "centerface" / "picture.png", optimize=True)
    model = onnx.load(path)
    for value in [model.graph.input[0], *model.graph.output]:
        for place in (0, 2, 3):
            value.type.tensor_type.shape.dim[place].dim_param = f"{value.name}_{place}"
    free = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = np.array(picture, np.float32).transpose(2, 0, 1)[None]
    heat, size, offset, points = (v[0] for v in free.run(["537", "538", "539", "540"], {"input.1": pixels}))
    width, height = picture.size
    rows, boxes = [], []
    for r, c in zip(*np.where(heat[0] > 0.5)):
        h, w = np.exp(size[:, r, c]) * 4
        x = np.clip((c + offset[1, r, c] + 0.5) * 4 - w / 2, 0, width)
        y = np.clip((r + offset[0, r, c] + 0.5) * 4 - h / 2, 0, height)
        right, bottom = min(x + w, width), min(y + h, height)
        marks = [[points[2 * k + 1, r, c] * w + x, points[2 * k, r, c] * h + y] for k in range(5)]
        rows.append([x, y, right - x, bottom - y, *np.ravel(marks), heat[0, r, c]])
        boxes.append([x, y, right, bottom])
    rows, boxes = np.array(rows), np.array(boxes)
    kept = greedy(boxes, rows[:, 14])
    write(folder / "centerface" / "expected.json", {"candidates": len(rows), "faces": rows[kept].tolist()})


def isnet(folder):
    """`isnet-general-use`: `input` [1,3,1024,1024] -> the mask (0 to 1) first, then side outputs of other sizes."""
    rng = np.random.default_rng(31)
    weights = {
        "w1": rng.normal(0, 0.15, (6, 3, 16, 16)),
        "b1": rng.normal(0, 0.3, 6),
        "w2": rng.normal(0, 0.6, (6, 1, 16, 16)) * np.hanning(16)[:, None] * np.hanning(16)[None, :],
        "w3": rng.normal(0, 1, (1, 6, 1, 1)),
        "b3": np.zeros(1),
    }
    nodes = [
        helper.make_node("Conv", ["input", "w1", "b1"], ["c"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Tanh", ["c"], ["t"]),
        helper.make_node("ConvTranspose", ["t", "w2"], ["up"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Sigmoid", ["up"], ["output"]),
        helper.make_node("Conv", ["t", "w3", "b3"], ["side"], kernel_shape=[1, 1]),
        helper.make_node("Sigmoid", ["side"], ["1895"]),
    ]
    path = folder / "isnet" / "isnet-general-use.onnx"
    ends = [("output", [1, 1, 1024, 1024]), ("1895", [1, 1, 64, 64])]
    save(path, nodes, weights, [("input", [1, 3, 1024, 1024])], ends)
    net = session(path)
    for number, (width, height) in enumerate([(150, 100), (64, 120)]):
        picture = drawn(width, height, 40 + number)
        picture.save(folder / "isnet" / f"picture{number}.png", optimize=True)
        pixels = np.array(picture.resize((1024, 1024), Image.LANCZOS)).astype(np.float64)
        pixels = (pixels / pixels.max() - 0.5).astype(np.float32).transpose(2, 0, 1)[None]
        raw = net.run(None, {"input": pixels})[0][0, 0]
        raw = (raw - raw.min()) / (raw.max() - raw.min())
        mask = Image.fromarray((raw * 255).astype(np.uint8)).resize(picture.size, Image.LANCZOS)
        mask.save(folder / "isnet" / f"mask{number}.png", optimize=True)


WORDS = """a photo of the red cup on a table, a person's face and hair; two cats, three dogs! the blue bicycle in front of
a house. woman man child hat glasses shirt tree lamp bottle sculpture 1 2 3 4 5 6 7 8 9 0"""


def learnt_merges(words, count):
    """Byte pair encoding in its simplest form; ties go by the alphabet, so that each run gives the same."""
    words = [[*word[:-1], word[-1] + "</w>"] for word in words]
    merges = []
    for _ in range(count):
        pairs = Counter(pair for word in words for pair in zip(word, word[1:]))
        if not pairs:
            break
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append((left, right))
        for word in words:
            place = 0
            while place + 1 < len(word):
                if (word[place], word[place + 1]) == (left, right):
                    word[place:place + 2] = [left + right]
                place += 1
    return merges


def clip_tokenizer(path):
    """A tokenizer.json built like CLIP's, with a vocabulary of a few hundred entries."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    special = ["<|startoftext|>", "<|endoftext|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = learnt_merges(re.findall("[a-z]+", WORDS.lower()), 80)
    entries = [*alphabet, *(letter + "</w>" for letter in alphabet), *map("".join, merges), *special]
    vocabulary = {entry: number for number, entry in enumerate(dict.fromkeys(entries))}
    tokenizer = Tokenizer(models.BPE(
        vocabulary, merges, unk_token=special[1], continuing_subword_prefix="", end_of_word_suffix="</w>"))
    tokenizer.add_special_tokens(special)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(words), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    start, end = (tokenizer.token_to_id(s) for s in special)
    tokenizer.post_processor = processors.RobertaProcessing((special[1], end), (special[0], start), False, False)
    tokenizer.save(str(path), pretty=False)
    return tokenizer


def clipseg(folder):
    """`input_ids`, `attention_mask`, `pixel_values` -> `logits` [n,352,352]; transformers' own model is what is expected."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    place = folder / "clipseg"
    place.mkdir(parents=True, exist_ok=True)
    tokenizer = clip_tokenizer(place / "tokenizer.json")
    start, end = tokenizer.token_to_id("<|startoftext|>"), tokenizer.token_to_id("<|endoftext|>")
    tokenizer.enable_truncation(77)
    tokenizer.enable_padding(length=77, pad_id=end, pad_token="<|endoftext|>")
    torch.manual_seed(47)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPSegConfig(
        text_config={**small, "vocab_size": tokenizer.get_vocab_size(), "bos_token_id": start, "eos_token_id": end,
                     "pad_token_id": end, "max_position_embeddings": 77},
        vision_config={**small, "image_size": 352, "patch_size": 16},
        projection_dim=16, extract_layers=[0, 1], reduce_dim=8, decoder_num_attention_heads=2,
        decoder_intermediate_size=16, initializer_factor=1.0, use_complex_transposed_convolution=False)
    config._attn_implementation = "eager"
    model = CLIPSegForImageSegmentation(config).eval()
    with torch.no_grad():
        # Fresh weights answer the same to everything; these answer differently to each picture and each text.
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "norm" not in name:
                parameter.copy_(torch.randn_like(parameter) * 1.5 / parameter[0].numel() ** 0.5)
        decoder = model.decoder.transposed_convolution
        decoder.weight.copy_(torch.randn(8, 1, 1, 1) + 0.1 * torch.randn_like(decoder.weight))

    class Export(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, pixel_values):
            return self.model(input_ids=input_ids, attention_mask=attention_mask, pixel_values=pixel_values).logits

    def pixels(picture):
        squashed = np.array(picture.resize((352, 352), Image.BILINEAR)).astype(np.float64) / 255
        return torch.tensor(((squashed - IMAGENET[0]) / IMAGENET[1]).transpose(2, 0, 1)[None].astype(np.float32))

    pictures = [drawn(200, 150, 61), drawn(400, 120, 62)]
    texts = ["the red cup", "A Person's   face", "hair, hat, glasses", "一个 cat é", "a very long text " * 30, ""]
    cases, images = [], [pixels(p) for p in pictures]
    ids = lambda text: tuple(torch.tensor([v]) for v in (tokenizer.encode(text).ids, tokenizer.encode(text).attention_mask))
    with torch.no_grad():
        # Logits around the threshold, so that masks are neither empty nor full.
        logits = torch.cat([Export()(*ids(texts[0]), image) for image in images])
        decoder.weight.mul_(2 / logits.std())
        decoder.bias.sub_(2 * logits.mean() / logits.std() + 3)
    torch.onnx.export(
        Export(), (*ids(texts[0]), images[0]), str(place / "model.onnx"), opset_version=17, dynamo=False,
        input_names=["input_ids", "attention_mask", "pixel_values"], output_names=["logits"])
    exported = session(place / "model.onnx")
    for number, picture in enumerate(pictures):
        picture.save(place / f"picture{number}.png", optimize=True)
    for number, text in enumerate(texts):
        which = number % len(pictures)
        tokens, attention = ids(text)
        with torch.no_grad():
            logits = Export()(tokens, attention, images[which])
            again = exported.run(None, {"input_ids": tokens.numpy(), "attention_mask": attention.numpy(),
                                        "pixel_values": images[which].numpy()})[0]
        assert np.abs(again - logits.numpy()).max() < 1e-3, "the export differs from the model"
        soft = torch.sigmoid(logits.reshape(1, 1, 352, 352))
        name = f"soft{number}.png"
        # In 8 bits and back to the picture's size as Pillow does it.
        grey = Image.fromarray((soft[0, 0].numpy() * 255 + 0.5).astype(np.uint8))
        grey.resize(pictures[which].size, Image.BILINEAR).save(place / name, optimize=True)
        width, height = pictures[which].size
        pool = lambda x, r, f: f(torch.nn.functional.pad(x, (r, r, r, r), mode="replicate"), 2 * r + 1, 1)
        hard = pool(soft, 5, torch.nn.functional.avg_pool2d)
        hard = torch.nn.functional.interpolate(hard, (height, width), mode="bilinear", antialias=True)
        hard = pool((hard > 0.3).float(), 10, torch.nn.functional.max_pool2d)
        Image.fromarray((hard[0, 0].numpy() * 255).astype(np.uint8)).save(place / f"hard{number}.png", optimize=True)
        cases.append({"picture": f"picture{which}.png", "text": text, "ids": tokens[0].tolist(),
                      "attention": attention[0].tolist(), "soft": name, "hard": f"hard{number}.png",
                      "covered": float((hard > 0).float().mean())})
    write(place / "expected.json", {"cases": cases})


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for make in (sface, centerface, isnet, clipseg):
        (target / make.__name__).mkdir(parents=True, exist_ok=True)
        make(target)
