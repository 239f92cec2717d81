"""Writes the image files of test/fixtures/images and what torchvision's transform on Pillow makes of them.

    python make_image_golden.py --photos DIR                 # the fixtures
    python make_image_golden.py --photos DIR --large N --out DIR   # N cuts of photographs at full size, to compare by hand

DIR holds astronaut.png (NASA, public domain), chelsea.png and coffee.png (both CC0), as scikit-image ships them
(Debian: python3-skimage). `jpegtran` of libjpeg-turbo must be in the path. cases.json lists per case the file, the
transform and either where its pixels are in expected.bin (uint8, H x W x C) or why it must be refused.
"""

import argparse
import hashlib
import io
import json
import pathlib
import struct
import subprocess
import zlib

import numpy as np
import PIL
import torchvision
from PIL import Image, features
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from image_kinds import avifs, bmps, gifs, tiffs

Image.MAX_IMAGE_PIXELS = None
rng = np.random.default_rng(7)


class Golden:
    """The files, the cases and the expected pixels, of which only hashes are kept where they are many."""

    def __init__(self, out, hashes):
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        for old in out.iterdir():
            old.unlink()
        self.hashes = hashes
        self.cases, self.pixels = [], []

    def add(self, name, content, expect=((12, 8, "bilinear"),), channels=3, tolerance=None, about=None):
        """One case for each (resize, crop, interpolation) of `expect`; crop may be (height, width)."""
        (self.out / name).write_bytes(content)
        image = Image.open(io.BytesIO(content)).convert("RGB" if channels == 3 else "L")
        for resize, crop, interpolation in expect:
            crop = (crop, crop) if isinstance(crop, int) else crop
            steps = [] if resize is None else [Resize(resize, InterpolationMode(interpolation))]
            pixels = np.asarray(Compose([*steps, CenterCrop(crop)])(image)).reshape(*crop, channels)
            case = dict(file=name, channels=channels, resize=resize, crop=crop, interpolation=interpolation)
            if self.hashes and pixels.size > 4096:
                case["sha256"] = hashlib.sha256(pixels.tobytes()).hexdigest()
            else:
                case["at"] = sum(map(len, self.pixels))
                self.pixels.append(pixels.tobytes())
            if tolerance:
                case["tolerance"] = tolerance
            if about:
                case["about"] = about
            self.cases.append(case)

    def refuse(self, name, content, reason):
        (self.out / name).write_bytes(content)
        self.cases.append(dict(file=name, error=reason))

    def write(self):
        versions = dict(pillow=PIL.__version__, torchvision=torchvision.__version__, numpy=np.__version__)
        versions |= {name: features.version(name) for name in ("libjpeg_turbo", "webp", "libtiff", "avif")}
        # One case a line, for readable differences.
        lines = ",\n".join(json.dumps(case) for case in self.cases)
        (self.out / "cases.json").write_text(f'{{"versions": {json.dumps(versions)},\n"cases": [\n{lines}\n]}}\n')
        (self.out / "expected.bin").write_bytes(b"".join(self.pixels))
        size = sum(path.stat().st_size for path in self.out.iterdir())
        print(f"{len(list(self.out.iterdir())) - 2} files, {len(self.cases)} cases, {size / 1000:.0f} kB")


def saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def jpegtran(content, *options):
    return subprocess.run(["jpegtran", *options], input=content, stdout=subprocess.PIPE, check=True).stdout


def png(kind, depth, rows, *chunks, interlaced=False):
    """A PNG of the colour type and bits that Pillow cannot write itself; `rows` are bytes."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    (height, length), samples = rows.shape, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    header = struct.pack(">IIBBBBB", length * 8 // (samples * depth), height, depth, kind, 0, 0, interlaced)
    if interlaced:
        bytes_each = samples * depth // 8
        pixels = rows.reshape(height, -1, bytes_each)
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        parts = [pixels[top::down, left::right] for top, left, down, right in passes]
        lines = [line.tobytes() for part in parts if part.shape[1] for line in part]
    else:
        lines = [line.tobytes() for line in rows]
    data = b"".join(b"\0" + line for line in lines)
    body = b"".join(chunk(*one) for one in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def cut(image, width, height, scale=1.0):
    """A cut of that size from the middle, of the picture scaled down as far as that."""
    scale = scale * min(image.width / width, image.height / height)
    w, h = width * scale, height * scale
    left, top = (image.width - w) / 2, (image.height - h) / 2
    scaled = image.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, left + w, top + h))
    scaled.info.clear()
    return scaled


def photographs(golden, photos):
    """Photographs at ratios from 0.1 to 3, with every filter."""
    ratios = [(short, 12, "bilinear") for short in (12, 15, 40, 73, 97, 181, 256, 330, None)] + [(256, 224, "bilinear")]
    filters = [(short, 10, name) for name in ("bicubic", "lanczos", "hamming", "box", "nearest") for short in (40, 190)]
    filters += [(short, 64, "hamming") for short in (64, 73, 85, 97, 99, 105)]
    for (name, photo), size, options in zip(
        photos.items(),
        ((160, 120), (117, 155), (110, 110)),
        (dict(quality=90), dict(quality=94, subsampling=1), dict(quality=96, subsampling=0)),
    ):
        golden.add(f"photo-{name}.jpg", saved(cut(photo, *size), "JPEG", **options), ratios + filters)


def jpegs(golden, small):
    base = saved(small, "JPEG", quality=90)
    golden.add("grey.jpg", saved(small.convert("L"), "JPEG"))
    golden.add("colour-as-grey.jpg", base, channels=1)
    golden.add("grey-as-grey.jpg", saved(small.convert("L"), "JPEG"), channels=1)
    golden.add("progressive.jpg", saved(small, "JPEG", progressive=True))
    golden.add("progressive-grey.jpg", saved(small.convert("L"), "JPEG", progressive=True))
    golden.add("stored-rgb.jpg", saved(small, "JPEG", keep_rgb=True))
    golden.add("arithmetic.jpg", jpegtran(base, "-arithmetic"))
    golden.add("arithmetic-progressive.jpg", jpegtran(base, "-arithmetic", "-progressive"))
    golden.add("restarts.jpg", jpegtran(base, "-restart", "1"))
    golden.add("no-header-segment.jpg", base.replace(base[2:20], b"", 1))
    golden.add("vertical-chroma.jpg", jpegtran(saved(small, "JPEG", subsampling=1), "-rotate", "90", "-trim"))
    golden.add("trailing-bytes.jpg", base + b"after the picture")
    golden.add("damaged-data.jpg", base[:900] + bytes(v ^ 0x55 for v in base[900:916]) + base[916:], about="bytes in the middle changed")
    profile = bytes(3000)
    golden.add("profile.jpg", saved(small, "JPEG", icc_profile=profile))
    cmyk = saved(small.convert("CMYK"), "JPEG", quality=90)
    golden.add("cmyk.jpg", cmyk)
    golden.add("cmyk-as-grey.jpg", cmyk, channels=1)
    adobe = cmyk.index(b"Adobe") - 4
    golden.add("ycck.jpg", cmyk[: adobe + 15] + b"\x02" + cmyk[adobe + 16 :])
    golden.add("cmyk-no-adobe.jpg", cmyk[:adobe] + cmyk[adobe + 16 :])
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        tiny = small.crop((0, 0, 21, 13)).convert("L")
        golden.add(f"orientation-{orientation}.jpg", saved(tiny, "JPEG", exif=exif), ((10, 8, "bilinear"),))
    frame = base.index(b"\xff\xc0")
    golden.refuse("twelve-bit.jpg", base[: frame + 4] + b"\x0c" + base[frame + 5 :], "it is a JPEG of 12 bits a sample; only 8 are read")
    golden.refuse("lossless.jpg", base[: frame + 1] + b"\xc3" + base[frame + 2 :], "it is a lossless JPEG, which is not read")
    golden.refuse("two-components.jpg", base[: frame + 9] + b"\x02" + base[frame + 10 :], "it has 2 colour components")
    golden.refuse("no-end.jpg", base[:-2], "ends early|data is damaged or cut off")
    golden.refuse("cut-off.jpg", base[: len(base) // 2], "ends early|data is damaged or cut off")
    golden.refuse("no-picture.jpg", base[:300], "the file ends|cut off")
    bomb = base[: frame + 5] + struct.pack(">HH", 60000, 60000) + base[frame + 9 :]
    golden.refuse("bomb.jpg", bomb, "60000x60000 pixels are more than the 178956970 that are read at most")


def pngs(golden, small):
    grey = small.convert("L")
    colours = np.asarray(small)
    height, width = colours.shape[:2]
    noise = rng.integers(0, 256, (height, width), dtype=np.uint8)
    golden.add("rgb.png", saved(small, "PNG"))
    golden.add("rgb-interlaced.png", png(2, 8, colours.reshape(height, -1), interlaced=True))
    deep = np.dstack([colours, np.broadcast_to(noise[..., None], colours.shape)]).reshape(height, width, 2, 3)
    golden.add("rgb-16-bit.png", png(2, 16, deep.transpose(0, 1, 3, 2).reshape(height, -1)))
    golden.add("rgb-transparent-colour.png", saved(small, "PNG", transparency=tuple(int(v) for v in colours[3, 4])))
    for bits in (1, 2, 4):
        packed = rng.integers(0, 256, (height, width * bits // 8), dtype=np.uint8)
        golden.add(f"grey-{bits}-bit.png", png(0, bits, packed))
        palette = rng.integers(0, 256, 3 << bits, dtype=np.uint8).tobytes()
        golden.add(f"palette-{bits}-bit.png", png(3, bits, packed, (b"PLTE", palette)))
    golden.add("one-bit-saved.png", saved(small.convert("1"), "PNG"))
    golden.add("grey.png", saved(grey, "PNG"))
    golden.add("grey-transparent-colour.png", saved(grey, "PNG", transparency=100))
    wide = rng.integers(0, 700, (height, width)).astype(np.uint16)
    golden.add("grey-16-bit.png", saved(Image.fromarray(wide), "PNG"))
    golden.add("grey-16-bit-as-grey.png", saved(Image.fromarray(wide), "PNG"), channels=1)
    quantized = small.quantize(40)
    golden.add("palette-8-bit.png", saved(quantized, "PNG"))
    golden.add("palette-transparent.png", saved(quantized, "PNG", transparency=3))
    golden.add("palette-alpha.png", saved(quantized, "PNG", transparency=bytes(range(0, 240, 6))))
    for mode, image, kind in (("grey", grey, 4), ("rgb", small, 6)):
        image = image.copy()
        image.putalpha(Image.fromarray(noise))
        golden.add(f"{mode}-alpha.png", saved(image, "PNG"))
        samples = np.asarray(image)
        both = np.stack([samples, samples[::-1]], -1)
        golden.add(f"{mode}-alpha-16-bit.png", png(kind, 16, both.reshape(height, -1)))
    exif = Image.Exif()
    exif[0x0112] = 6
    golden.add("orientation-6.png", saved(small, "PNG", exif=exif))
    whole = saved(small, "PNG")
    header = b"IHDR" + struct.pack(">II", 60000, 60000) + whole[24:29]
    bomb = whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]
    golden.refuse("bomb.png", bomb, "60000x60000 pixels are more than the 178956970 that are read at most")
    golden.refuse("cut-off.png", saved(small, "PNG")[:700], "data is damaged or cut off")


def others(golden, small):
    alpha = small.copy()
    alpha.putalpha(Image.fromarray(rng.integers(0, 256, small.size[::-1], dtype=np.uint8)))
    golden.add("lossy.webp", saved(small, "WEBP", quality=90))
    golden.add("lossless.webp", saved(small, "WEBP", lossless=True))
    golden.add("alpha.webp", saved(alpha, "WEBP", lossless=True, exact=True))
    golden.add("rgb.tif", saved(small, "TIFF", compression="tiff_lzw"))
    golden.add("alpha.tif", saved(alpha, "TIFF", compression="tiff_lzw"))
    golden.add("cmyk.tif", saved(small.convert("CMYK"), "TIFF", compression="tiff_lzw"))
    golden.add("fax.tif", saved(small.convert("1"), "TIFF", compression="group4"))
    golden.add("palette.tif", saved(small.quantize(40), "TIFF", compression="tiff_lzw"))
    golden.add("grey-16-bit.tif", saved(Image.fromarray(rng.integers(0, 700, (18, 24)).astype(np.uint16)), "TIFF"))
    golden.add("inside-jpeg.tif", saved(small, "TIFF", compression="jpeg", quality=90))
    golden.add("palette.gif", saved(small.quantize(40), "GIF"))
    golden.add("animated.gif", saved(small.quantize(20), "GIF", save_all=True, append_images=[small.rotate(180).quantize(20)]))
    # Decoders of AVIF interpolate chroma each in its own way.
    golden.add("chroma-420.avif", saved(small, "AVIF", quality=90), tolerance=dict(mean=2, most=16))
    golden.add("float.tif", saved(Image.fromarray(rng.random((18, 24)).astype(np.float32)), "TIFF"))
    golden.add("transparent.gif", saved(small.quantize(40), "GIF", transparency=3))
    golden.add("bitmap.bmp", saved(small.crop((0, 0, 4, 4)), "BMP"))
    golden.refuse("pixels.ppm", saved(small.crop((0, 0, 4, 4)), "PPM"), "it is PPM, PGM or PBM, which is not read")


def sizes(golden, small):
    """Shapes that are rare: one pixel, lines, below and at the size that is wanted."""
    for name, (width, height), expect in (
        ("one-pixel", (1, 1), [(12, 8, "bilinear"), (256, (7, 9), "bicubic"), (None, 3, "bilinear")]),
        ("wide-line", (4000, 1), [(12, 8, "bilinear"), (256, 8, "bilinear")]),
        ("tall-line", (1, 4000), [(12, 8, "bilinear"), (256, 8, "bicubic")]),
        ("two-rows", (333, 2), [(12, 8, "bilinear"), (7, 12, "lanczos")]),
        ("exact", (12, 12), [(12, 8, "bilinear"), (12, 12, "bicubic")]),
        ("exact-height", (19, 12), [(12, 9, "bilinear"), (12, (12, 8), "bicubic")]),
        ("odd", (31, 17), [(24, 15, "bilinear"), (9, 8, "bilinear"), (51, 13, "bicubic"), (11, 16, "bilinear")]),
    ):
        image = small.resize((width, height), Image.Resampling.BICUBIC)
        golden.add(f"{name}.png", saved(image, "PNG", optimize=True), expect)
        golden.add(f"{name}.jpg", saved(image, "JPEG", quality=60), expect)


def large(golden, photos, count):
    """Cuts of the photographs as they come: sizes, ratios, filters and qualities by chance, whole transforms."""
    names = ["bilinear"] * 4 + ["bicubic", "lanczos", "box", "hamming", "nearest"]
    for number in range(count):
        photo = photos[list(photos)[number % len(photos)]]
        width, height = (int(v) for v in rng.integers(40, 640, 2))
        image = cut(photo, width, height, float(rng.uniform(0.5, 1)))
        short = max(4, round(min(width, height) * float(rng.uniform(0.1, 3))))
        options = dict(quality=int(rng.integers(60, 97)), subsampling=int(rng.integers(0, 3)), progressive=bool(rng.integers(0, 2)))
        crop = tuple(int(v) for v in rng.integers(max(1, short // 2), short + 9, 2))
        expect = [(short, crop, str(rng.choice(names))), (256, 224, "bilinear")]
        golden.add(f"{number:04}.jpg", saved(image, "JPEG", **options), expect)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=pathlib.Path, required=True)
    parser.add_argument("--large", type=int)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent / "fixtures" / "images")
    options = parser.parse_args()
    names = ("chelsea", "coffee", "astronaut")
    photos = {name: Image.open(options.photos / f"{name}.png").convert("RGB") for name in names}
    golden = Golden(options.out, hashes=not options.large)
    if options.large:
        large(golden, photos, options.large)
    else:
        photographs(golden, photos)
        small = cut(photos["astronaut"], 24, 18, 0.4)
        for part in (jpegs, pngs, others, sizes):
            part(golden, small)
        for part in (tiffs, gifs, bmps, avifs):
            part(golden, small, saved, rng)
    golden.write()


main()
