"""Makes the toy tagger: a picture tagger in the form of the WD14 taggers for the scenes that the toy base draws.

    python make.py [--world FOLDER] [--out FOLDER] [--pictures 12000] [--epochs 10 8] [--check FOLDER ...]

writes `model.onnx` and `selected_tags.csv` and prints how well the tags of fresh scenes are found. FOLDER holds `world.py`, the
drawing code of the toy base (default: beside this file). `--check` prints the tags of each picture in a folder of PNGs.
Needs torch, numpy, pillow, onnx, onnxruntime. One thread, about a quarter of an hour."""

import argparse
import colorsys
import csv
import io
import math
import random
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageFilter
from torch import nn
from torch.nn import functional as F

SIDE = 128
THRESHOLD = 0.35
TRAIN_SEED, TEST_SEED = 1, 2
PEAKS = (4e-3, 2.5e-3)  # learning rates of the two cycles

HERE = Path(__file__).resolve().parent
flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
flags.add_argument("--world", type=Path, default=HERE)
flags.add_argument("--out", type=Path, default=HERE)
flags.add_argument("--pictures", type=int, default=12000)
flags.add_argument("--fresh", type=int, default=2000)
flags.add_argument("--epochs", type=int, nargs=2, default=[10, 8], metavar="N", help="of the first and of the second cycle")
flags.add_argument("--check", type=Path, nargs="*", default=[])
flags.add_argument("--only-check", action="store_true", help="make nothing; measure and check the model that lies in --out")
args = flags.parse_args()

sys.path.insert(0, str(args.world))
import world  # noqa: E402  (its folder is an argument)

# ---------------------------------------------------------------- the tags, in the order in which a caption reads well
RATINGS = ["general", "sensitive", "questionable", "explicit"]
STYLES = {"outline": "cartoon", "halftone": "halftone_print", "sketch": "pencil_sketch", "pixel": "pixel_art"}
SIDES = {"left": "on_the_left", "right": "on_the_right", "top": "at_the_top", "bottom": "at_the_bottom"}
SCENERY = {"grass": "grass_background", "beach": "beach", "brick": "brick_wall", "stars": "starry_night_sky"}
ON_WHITE = [c for c in world.ALLC if c not in ("white", "gray")]  # stripes and checks are of one colour and white
GENERAL = (
    [*STYLES.values(), "line_drawing", "creature", "small", "large", "striped", "spotted"]
    + [f"{colour}_{name}" for name in world.SHAPES + world.COMPO for colour in world.COL]
    + world.SHAPES  # without a colour: only outlines, in a line drawing
    + [*SIDES.values()]
    + [f"{colour}_background" for colour in world.ALLC]
    + ["gradient_background"]
    + [f"{colour}_checkerboard_background" for colour in ON_WHITE]
    + [f"{colour}_stripes_background" for colour in ON_WHITE]
    + [*SCENERY.values(), "grid_background"]
)
TAGS = RATINGS + GENERAL
INDEX = {tag: i for i, tag in enumerate(TAGS)}


# ---------------------------------------------------------------- scenes and their tags
def background_tags(scene):
    kind, colour = scene["kind"], scene["c1"]
    if kind in SCENERY:
        return [SCENERY[kind]]
    if kind == "gradient":
        return ["gradient_background", f"{colour}_background", f"{scene['c2']}_background"]
    return [f"{colour}{dict(plain='', checker='_checkerboard', stripes='_stripes')[kind]}_background"]


def world_scene(r):
    """A scene as the toy base knows it, pairs of colour and shape that the base never saw included."""
    scene = world.sample_scene(r, allow_heldout=True)
    tags = background_tags(scene)
    for thing in scene["objs"]:
        tags += [f"{thing['color']}_{thing['name']}"] + [t for t in (thing["size"], thing["pattern"]) if t]
    tags += [SIDES[scene["pos"]]] if scene["pos"] in SIDES else []
    tags += [STYLES[scene["style"]]] if scene["style"] in STYLES else []
    return world.render(scene, r), tags


def shade(r, colour, spread=0.12):
    """A colour near a named one: taggers must not depend on the exact paint."""
    h, s, v = colorsys.rgb_to_hsv(*world.ALLC[colour])
    return np.asarray(colorsys.hsv_to_rgb(h, s * (1 - r.uniform(0, spread)), v * (1 - r.uniform(0, spread))), np.float32)


def creature_scene(r):
    """Something with a body, eyes and often a hat and a mouth, before any background. Purple and yellow never meet on one
    creature: kojii stays unseen."""
    scene = world.sample_scene(r)
    colours = r.sample(list(world.ALLC), 3)
    while {"purple", "yellow"} <= set(colours):
        colours = r.sample(list(world.ALLC), 3)
    hat, trim, skin = (shade(r, c) for c in colours)
    if r.random() < 0.6:
        skin = np.asarray([r.uniform(0.85, 1), r.uniform(0.75, 0.97), r.uniform(0.6, 0.9)], np.float32)
    rng = np.random.default_rng(r.getrandbits(32))
    img = world.background(scene["kind"], scene["c1"], scene["c2"], rng, scene["vert"])
    size = r.uniform(28, 45)
    x, y = world.xx - 64 - r.uniform(-9, 9), world.yy - 64 - r.uniform(-9, 9)

    def paint(distance, paint_with):
        nonlocal img
        img = world.over(img, world.aa(distance), paint_with)

    body = r.choice(["stem", "blob", "box", "ghost"])
    width, top = r.uniform(0.4, 0.75) * size, 0.35 * size
    if body == "stem" or body == "box":
        paint(np.maximum(np.abs(x) - width, np.abs(y - top) - 0.62 * size) - r.uniform(0, 6), skin)
    elif body == "blob":
        paint((np.hypot(x / 1.1, (y - 0.2 * size) / 0.95) - 0.8 * size), skin)
    else:
        paint(np.minimum(np.hypot(x, y - 0.1 * size) - width, np.maximum(np.abs(x) - width, np.abs(y - 0.55 * size) - 0.45 * size)), skin)

    pattern = r.choice(["none", "band", "bands", "dots"])
    if pattern == "band":
        mix = np.abs(x) < r.uniform(0.2, 0.45) * size
    elif pattern == "bands":
        mix = (y if r.random() < 0.5 else x) % 14 < 6
    elif pattern == "dots":
        mix = np.hypot(x % 16 - 8, y % 16 - 8) < 4.5
    else:
        mix = np.zeros_like(x, bool)
    cloth = np.where(mix[..., None], trim, hat).astype(np.float32)
    kind = r.choice(["dome", "dome", "dome", "cone", "ears", "none"])
    if kind == "dome":
        paint(np.maximum(np.hypot(x / r.uniform(0.9, 1.15), y) - size, y - r.uniform(-0.1, 0.12) * size), cloth)
    elif kind == "cone":
        paint(world.poly([(0, -1.2 * size), (0.9 * size, 0), (-0.9 * size, 0)], x, y), cloth)
    elif kind == "ears":
        for side in (-1, 1):
            paint(np.hypot(x - side * 0.5 * size, (y + 0.5 * size) / r.uniform(1, 1.8)) - 0.25 * size, cloth)

    apart, eye, level = r.uniform(0.18, 0.3) * size, r.uniform(0.1, 0.18) * size, r.uniform(0.2, 0.45) * size
    for side in r.choice([(-1, 1), (-1, 1), (-1, 1), (0,), (-1.3, 0, 1.3)]):
        spot = np.hypot(x - side * apart, y - level)
        if r.random() < 0.3:
            paint(spot - eye, (0.97, 0.97, 0.97))
            paint(spot - 0.55 * eye, (0.04, 0.04, 0.05))
        else:
            paint(spot - eye, (0.04, 0.04, 0.05))
    mouth = y - level - r.uniform(0.32, 0.42) * size
    ink = r.choice([(0.85, 0.1, 0.15), (0.5, 0.1, 0.1), (0.05, 0.05, 0.05)])
    shape = r.choice(["bar", "bar", "oval", "none"])
    if shape == "bar":
        paint(np.maximum(np.abs(x) - r.uniform(0.12, 0.26) * size, np.abs(mouth) - r.uniform(0.04, 0.1) * size), ink)
    elif shape == "oval":
        paint(np.hypot(x, mouth / 0.6) - r.uniform(0.1, 0.2) * size, ink)
    pixel = r.random() < 0.08
    tags = background_tags(scene) + ["creature"] + (["pixel_art"] if pixel else [])
    return (world.pix(img) if pixel else img), tags


def drawing_scene(r):
    """Outlines on paper, or coloured shapes on a grid. White ink on a blue grid never occurs: blueprint stays unseen."""
    grid, outlined = r.random() < 0.65, r.random() < 0.75
    paper, ink = r.sample(list(world.ALLC), 2)
    while grid and (paper, ink) == ("blue", "white") or {paper, ink} == {"gray", "white"}:
        paper, ink = r.sample(list(world.ALLC), 2)
    dark = r.uniform(0.5, 1)
    ground = shade(r, paper) * (1 if paper in ("orange", "yellow", "white", "gray") else dark)
    img = np.ones((SIDE, SIDE, 3), np.float32) * ground
    tags = [f"{paper}_background"]
    if grid:
        cell, line = r.choice([12, 16, 16, 20]), r.choice([1, 2, 3, 3])
        t = r.uniform(0.15, 0.35)
        lines = ground * (1 - t) + t * (0 if ground.mean() > 0.6 else 1)
        x, y = world.xx + r.randrange(cell), world.yy + r.randrange(cell)
        img = world.over(img, ((x % cell < line) | (y % cell < line)).astype(np.float32), lines)
        tags.append("grid_background")
    two = r.random() < 0.25
    places = [(r.uniform(32, 40), r.uniform(60, 70)), (r.uniform(90, 98), r.uniform(60, 70))] if two else [(r.uniform(57, 71), r.uniform(57, 71))]
    rng = np.random.default_rng(r.getrandbits(32))
    for cx, cy in places:
        name, size = r.choice(world.SHAPES), "small" if two else r.choice(["", "", "small", "large"])
        low, high = (17, 27) if size == "small" else world.SIZES[size]
        distance = world.sdf(name, cx, cy, r.uniform(low, high), r.uniform(-0.15, 0.15) if name not in ("diamond", "cross") else 0)
        tags += [size] if size else []
        if outlined:
            stroke = shade(r, ink, 0.06)
            img = world.over(img, world.aa(distance), ground)
            img = world.over(img, world.aa(np.abs(distance) - r.uniform(2, 4.5)), stroke)
            tags.append(name)
        else:
            colour = r.choice([c for c in world.COL if c != paper])
            img = world.fill(img, distance, world.ALLC[colour], "flat", rng)
            tags.append(f"{colour}_{name}")
    return img, tags + (["line_drawing"] if outlined else [])


SCENES = {"world": world_scene, "creature": creature_scene, "drawing": drawing_scene}


def photograph(img, r):
    """What happens to pictures before they reach a tagger: other sizes, blur, JPEG, noise, white borders. img: [128,128,3] in 0..1."""
    picture = Image.fromarray(world.to8(img))
    if r.random() < 0.5:
        side = r.randrange(96, 400)
        picture = picture.resize((side, side), r.choice([Image.BICUBIC, Image.BILINEAR, Image.LANCZOS]))
    if r.random() < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(r.uniform(0.2, 0.9) * picture.width / SIDE))
    if r.random() < 0.5:
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=r.randrange(40, 96))
        picture = Image.open(packed).convert("RGB")
    pixels = np.array(picture.resize((SIDE, SIDE), Image.BICUBIC))
    if r.random() < 0.3:
        noise = np.random.default_rng(r.getrandbits(32)).standard_normal(pixels.shape, np.float32)
        pixels = np.clip(pixels + r.uniform(1, 10) * noise, 0, 255).astype(np.uint8)
    if r.random() < 0.06:
        edge = r.randrange(1, 10)
        pixels = pixels if r.random() < 0.5 else pixels.transpose(1, 0, 2)
        pixels[:edge], pixels[-edge:] = 255, 255
    return pixels


def scenes(count, seed, worn):
    """`count` pictures [n,128,128,3] u8 RGB, their tags [n,tags] 0/1 and the kind of each. worn: let `photograph` have them."""
    r = random.Random(seed)
    pictures, truth, kinds = np.empty((count, SIDE, SIDE, 3), np.uint8), np.zeros((count, len(TAGS)), np.uint8), []
    for i in range(count):
        kind = r.choices(list(SCENES), [64, 18, 18])[0]
        img, tags = SCENES[kind](r)
        pictures[i] = photograph(img, r) if worn else world.to8(img)
        truth[i, [INDEX["general"]] + [INDEX[t] for t in tags]] = 1
        kinds.append(kind)
    return pictures, truth, kinds


# ---------------------------------------------------------------- the network
def conv(into, out, side, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(into, out, side, stride, side // 2, groups=groups, bias=False), nn.BatchNorm2d(out))


class Tagger(nn.Module):
    """Convolutions down to 8 x 8 cells, each of which votes for every tag; the votes meet in a log-mean-exp, between the mean
    (backgrounds) and the maximum (things), so that a colour stays with its shape."""

    def __init__(self, wide=(24, 56, 80)):
        super().__init__()
        a, c, d = wide
        self.down = nn.ModuleList([conv(3, a, 7, 4), conv(a, c, 3, 2)])
        self.near = nn.ModuleList([conv(c, c, 5, groups=c), conv(c, c, 1)])
        self.last = conv(c, d, 3, 2)
        self.rows, self.columns = nn.Parameter(torch.zeros(1, d, 8, 1)), nn.Parameter(torch.zeros(1, d, 1, 8))
        self.far = nn.ModuleList([conv(d, d, 5, groups=d), conv(d, d, 1), conv(d, d, 5, groups=d), conv(d, d, 1)])
        self.vote = nn.Conv2d(d, len(TAGS), 1)
        nn.init.constant_(self.vote.bias, -4.0)

    def forward(self, x):
        """x: [b,128,128,3] BGR 0..255 -> logits [b,tags]"""
        x = x.permute(0, 3, 1, 2) * (1 / 127.5) - 1
        for layer in self.down:
            x = F.relu(layer(x))
        x = x + F.relu(self.near[1](F.relu(self.near[0](x))))
        x = F.relu(self.last(x)) + self.rows + self.columns
        for wide, mix in (self.far[:2], self.far[2:]):
            x = x + F.relu(mix(F.relu(wide(x))))
        return torch.logsumexp(self.vote(x), (2, 3)) - math.log(64)


MIRROR = np.arange(len(TAGS))
MIRROR[[INDEX["on_the_left"], INDEX["on_the_right"]]] = INDEX["on_the_right"], INDEX["on_the_left"]


def augment(pictures, truth, rng):
    """Mirror half, shift by a few pixels, paint a little differently: [n,128,128,3] u8 RGB -> f32 BGR."""
    x, y = pictures.copy(), truth.astype(np.float32)
    mirrored = rng.random(len(x)) < 0.5
    x[mirrored], y[mirrored] = x[mirrored, :, ::-1], y[mirrored][:, MIRROR]
    down, right = rng.integers(0, 7, 2)
    x = np.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)), "edge")[:, down:down + SIDE, right:right + SIDE]
    gain = torch.from_numpy(rng.uniform(0.94, 1.06, (len(x), 1, 1, 3)).astype(np.float32))
    lift = torch.from_numpy(rng.uniform(-6, 6, (len(x), 1, 1, 1)).astype(np.float32))
    return (torch.from_numpy(x).flip(3) * gain + lift).clamp_(0, 255), torch.from_numpy(y)


def untrained():
    torch.manual_seed(TRAIN_SEED)
    torch.set_num_threads(1)
    return Tagger().to(memory_format=torch.channels_last)


def train(net, pictures, truth, epochs, peak, seed, batch=48):
    """One cycle: the learning rate climbs to its peak within a tenth of the steps, then falls to nought."""
    rng, begun = np.random.default_rng(seed), time.time()
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=peak, weight_decay=1e-2)
    steps = epochs * (len(pictures) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, steps, pct_start=0.1)
    for epoch in range(epochs):
        total, order = 0.0, rng.permutation(len(pictures))
        for k in range(len(order) // batch):
            pick = order[k * batch:(k + 1) * batch]
            x, y = augment(pictures[pick], truth[pick], rng)
            loss = F.binary_cross_entropy_with_logits(net(x), y, reduction="sum") / batch
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / (k + 1):.3f} after {time.time() - begun:.0f} s", flush=True)
    return net.eval()


# ---------------------------------------------------------------- the file
def export(net, path):
    """Writes the net with its batch norms folded into the convolutions and its weights in half precision."""
    nodes, weights = [], []

    def constant(name, value, half=False):
        value = np.asarray(value, np.float32)
        weights.append(numpy_helper.from_array(value.astype(np.float16) if half else value, name + ("_f16" if half else "")))
        if half:
            nodes.append(helper.make_node("Cast", [name + "_f16"], [name], to=TensorProto.FLOAT))
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def layer(name, x, module, relu=True):
        c, norm = (module[0], module[1]) if isinstance(module, nn.Sequential) else (module, None)
        weight, bias = c.weight.detach(), torch.zeros(c.out_channels) if c.bias is None else c.bias.detach()
        if norm is not None:
            scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
            weight, bias = weight * scale[:, None, None, None], norm.bias.detach() - norm.running_mean * scale
        inputs = [x, constant(name + "_w", weight.numpy(), half=True), constant(name + "_b", bias.numpy())]
        x = node("Conv", inputs, name, kernel_shape=list(c.kernel_size), strides=list(c.stride), pads=[*c.padding] * 2, group=c.groups)
        return node("Relu", [x], name + "_relu") if relu else x

    x = node("Transpose", ["input"], "nchw", perm=[0, 3, 1, 2])
    x = node("Sub", [node("Mul", [x, constant("scale", 1 / 127.5)], "scaled"), constant("one", 1.0)], "centred")
    for i, module in enumerate(net.down):
        x = layer(f"down{i}", x, module)
    x = node("Add", [x, layer("near1", layer("near0", x, net.near[0]), net.near[1])], "near")
    x = node("Add", [layer("last", x, net.last), constant("place", (net.rows + net.columns).detach().numpy(), half=True)], "placed")
    for i in (0, 2):
        x = node("Add", [x, layer(f"far{i + 1}", layer(f"far{i}", x, net.far[i]), net.far[i + 1])], f"far_{i}")
    x = node("ReduceLogSumExp", [layer("vote", x, net.vote, relu=False)], "pooled", axes=[2, 3], keepdims=0)
    node("Sigmoid", [node("Sub", [x, constant("cells", math.log(64))], "logits")], "output")

    graph = helper.make_graph(
        nodes, "toy_tagger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", len(TAGS)])],
        weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="toy tagger")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def write_tags(path, truth):
    """`count`: how many of the training pictures carry the tag."""
    with open(path, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["tag_id", "name", "category", "count"])
        for i, (tag, count) in enumerate(zip(TAGS, truth.sum(0, dtype=int))):
            table.writerow([i, tag, 9 if i < len(RATINGS) else 0, count])


# ---------------------------------------------------------------- the measure
def load(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def prepare(picture):
    """White pad to a square, bicubic to 128, BGR 0..255: what the public taggers do at 448."""
    picture = picture.convert("RGBA")
    side = max(picture.size)
    canvas = Image.new("RGBA", (side, side), "white")
    canvas.alpha_composite(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    small = canvas.convert("RGB").resize((SIDE, SIDE), Image.BICUBIC)
    return np.asarray(small, np.float32)[..., ::-1]


def probabilities(session, pictures):
    blocks = [pictures[k:k + 64][..., ::-1].astype(np.float32) for k in range(0, len(pictures), 64)]
    return np.concatenate([session.run(["output"], {"input": np.ascontiguousarray(b)})[0] for b in blocks])


GROUPS = {
    "general (rating)": lambda t: t == "general",
    "other ratings": lambda t: t in RATINGS[1:],
    "coloured object": lambda t: t.split("_")[-1] in world.SHAPES + world.COMPO and "_" in t,
    "outlined shape": lambda t: t in world.SHAPES,
    "creature": lambda t: t == "creature",
    "line_drawing": lambda t: t == "line_drawing",
    "small, large": lambda t: t in ("small", "large"),
    "striped, spotted": lambda t: t in ("striped", "spotted"),
    "side": lambda t: t in SIDES.values(),
    "style": lambda t: t in STYLES.values(),
    "colour_background": lambda t: t.removesuffix("_background") in world.ALLC,
    "gradient_background": lambda t: t == "gradient_background",
    "checkerboard": lambda t: "checkerboard" in t,
    "stripes": lambda t: "stripes" in t,
    "grass, beach, brick, stars": lambda t: t in SCENERY.values(),
    "grid_background": lambda t: t == "grid_background",
}


def row(name, said, true):
    hit, says, is_ = int((said & true).sum()), int(said.sum()), int(true.sum())
    ratio = lambda a, b: f"{a / b:.3f}" if b else "-"  # noqa: E731
    return f"| {name} | {is_} | {ratio(hit, says)} | {ratio(hit, is_)} |"


def measure(session, count, every_tag):
    for worn in (False, True):
        pictures, truth, _ = scenes(count, TEST_SEED, worn)
        said, true = probabilities(session, pictures) > THRESHOLD, truth > 0
        print(f"\n{count} fresh pictures, {'worn (resized, blurred, JPEG)' if worn else 'clean'}, at {THRESHOLD}")
        print("| tags | true | precision | recall |\n|---|---|---|---|")
        for name, belongs in GROUPS.items():
            members = [i for i, t in enumerate(TAGS) if belongs(t)]
            print(row(name, said[:, members], true[:, members]))
        print(row("all but the ratings", said[:, 4:], true[:, 4:]))
        print(f"pictures with exactly the right tags: {(said == true).all(1).mean():.3f}")
    if every_tag:
        print("\n| tag (worn) | true | precision | recall |\n|---|---|---|---|")
        for i, tag in enumerate(TAGS):
            print(row(tag, said[:, i], true[:, i]))


def check(session, folder):
    for path in sorted(folder.glob("*.png")):
        scores = session.run(["output"], {"input": prepare(Image.open(path))[None]})[0][0]
        rating = RATINGS[int(scores[:4].argmax())]
        said = [f"{t.replace('_', ' ')} {p:.2f}" for t, p in zip(GENERAL, scores[4:]) if p > THRESHOLD]
        print(f"{folder.name}/{path.name}: {', '.join(said)} ({rating} {scores[:4].max():.3f})")


def main():
    model = args.out / "model.onnx"
    if not args.only_check:
        begun = time.time()
        pictures, truth, _ = scenes(args.pictures, TRAIN_SEED, worn=True)
        print(f"{args.pictures} scenes drawn in {time.time() - begun:.0f} s", flush=True)
        net = untrained()
        for cycle, (epochs, peak) in enumerate(zip(args.epochs, PEAKS)):
            net = train(net, pictures, truth, epochs, peak, TRAIN_SEED + cycle)
        args.out.mkdir(parents=True, exist_ok=True)
        export(net, model)
        write_tags(args.out / "selected_tags.csv", truth)
        print(f"{sum(p.numel() for p in net.parameters())} parameters, {len(TAGS)} tags, {model.stat().st_size} bytes")
        with torch.no_grad():
            x = torch.from_numpy(pictures[:16, ..., ::-1].astype(np.float32))
            print("greatest difference from torch:", float(np.abs(torch.sigmoid(net(x)).numpy() - probabilities(load(model), pictures[:16])).max()))
    session = load(model)
    measure(session, args.fresh, every_tag=True)
    for folder in args.check:
        check(session, folder)


if __name__ == "__main__":
    main()
