"""Kinds of TIFF, GIF and BMP that Pillow reads and does not write, byte by byte; used by make_image_golden.py;
and turned AVIF, which others turn and Pillow does not."""

import struct

import numpy as np
from PIL import Image


def tiff(samples, kind, photometric=1, orientation=1, order="<"):
    """An uncompressed TIFF of one channel; `kind` of its samples: 1 whole, 2 signed, 3 float."""
    height, width = samples.shape
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    data += b"\0" * (len(data) % 2)
    tags = [(256, width), (257, height), (258, samples.dtype.itemsize * 8), (259, 1), (262, photometric), (273, 8)]
    tags += [(274, orientation), (277, 1), (278, height), (279, samples.nbytes), (339, kind)]
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack(order + "H", len(tags)) + entries + bytes(4)
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data)) + data + directory


def packed(indices, bits):
    """LZW as GIF has it, with a clear code before the table would grow."""
    clear, taken = 1 << bits, (1 << bits) - 2
    codes = []
    for at, index in enumerate(indices):
        if at % taken == 0:
            codes.append(clear)
        codes.append(index)
    codes.append(clear + 1)
    number = sum(code << (at * (bits + 1)) for at, code in enumerate(codes))
    data = number.to_bytes((len(codes) * (bits + 1) + 7) // 8, "little")
    blocks = (data[at : at + 255] for at in range(0, len(data), 255))
    return bytes([bits]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def gif(canvas, frame, indices, table=b"", own=b"", transparent=None, before=b""):
    """A frame of 16 colours at (left, top, width, height) of a canvas; tables of 48 bytes."""

    def flags(colours):
        return 0x83 if colours else 0

    screen = b"GIF89a" + struct.pack("<HHBBB", *canvas, flags(table), 5, 0) + table
    control = b"" if transparent is None else b"!\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0"
    image = b"," + struct.pack("<HHHHB", *frame, flags(own)) + own
    return screen + before + control + image + packed(indices, 4) + b";"


def bmp(bits, rows, palette=b"", compression=0, masks=b"", header=40, size=(0, 0), colours=0):
    """`rows` from the bottom, each padded to whole words here; masks are in headers that have room for them."""
    data = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    fields = struct.pack("<IiiHHIIiiII", header, *size, 1, bits, compression, len(data), 2835, 2835, colours, 0)
    fields += masks if header == 40 else masks.ljust(header - 40, b"\0")
    start = 14 + len(fields) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + fields + palette + data


def tiffs(golden, small, saved, rng):
    floats = (rng.random((18, 24)) * 400 - 70).astype(np.float32)
    floats[0, :7] = np.nan, np.inf, -np.inf, 254.9999, 0.99999, 1e20, -1e20
    golden.add("float-odd.tif", tiff(floats, 3))
    golden.add("float-big-endian.tif", tiff(floats, 3, order=">"), channels=1)
    whole = rng.integers(-300, 600, (18, 24))
    golden.add("int32.tif", tiff(whole.astype(np.int32), 2))
    golden.add("int32-wide.tif", tiff(rng.integers(-(2**31), 2**31, (18, 24)).astype(np.int32), 2, order=">"))
    golden.add("uint32.tif", tiff(rng.integers(0, 2**32, (18, 24)).astype(np.uint32), 1))
    golden.add("int16.tif", tiff(whole.astype(np.int16), 2))
    golden.add("int8.tif", tiff(rng.integers(-128, 128, (18, 24)).astype(np.int8), 2))
    golden.refuse("half.tif", tiff(rng.random((18, 24)).astype(np.float16), 3), "1 channel of 16-bit float samples, which are not read")
    expect = ((10, 8, "bilinear"),)
    golden.add("orientation-6-float.tif", tiff(floats, 3, orientation=6), expect)
    golden.add("orientation-5-16-bit.tif", tiff(whole.clip(0).astype(np.uint16), 1, orientation=5), expect)
    for orientation in range(2, 9):
        tiny = small.crop((0, 0, 21, 13))
        options = dict(tiffinfo={274: orientation}, compression="tiff_lzw")
        golden.add(f"orientation-{orientation}.tif", saved(tiny, "TIFF", **options), expect)
    golden.add("orientation-6-cmyk.tif", saved(tiny.convert("CMYK"), "TIFF", tiffinfo={274: 6}), expect)
    golden.add("orientation-7-fax.tif", saved(tiny.convert("1"), "TIFF", tiffinfo={274: 7}, compression="group4"), expect)
    # These draw nothing at random, so that what is drawn after them stays.
    ramp = np.arange(18 * 24).reshape(18, 24)
    golden.add("white-is-0-16-bit.tif", tiff(ramp.astype(np.uint16), 1, photometric=0))
    golden.add("white-is-0-8-bit.tif", tiff((ramp % 256).astype(np.uint8), 1, photometric=0))


def gifs(golden, small, saved, rng):
    table, own = (rng.integers(0, 256, 48, dtype=np.uint8).tobytes() for _ in range(2))
    canvas, frame = (24, 18), (5, 3, 14, 12)
    part = rng.integers(0, 16, 14 * 12).tolist()
    whole = rng.integers(0, 16, 24 * 18).tolist()
    golden.add("transparent-interlaced.gif", saved(small.quantize(40), "GIF", transparency=7, interlace=1))
    golden.add("transparent-as-grey.gif", saved(small.quantize(40), "GIF", transparency=0), channels=1)
    golden.add("transparent-own-table.gif", gif(canvas, (0, 0, *canvas), whole, table, own, 3))
    golden.add("part.gif", gif(canvas, frame, part, table))
    golden.add("part-transparent.gif", gif(canvas, frame, part, table, transparent=3))
    golden.add("part-only-table.gif", gif(canvas, frame, part, own=own, transparent=9))
    golden.add("part-beyond-table.gif", gif(canvas, frame, part, table, transparent=200))
    comment = b"!\xfe\x05hello\0" + b"!\xf9\x04\x01\0\0\x02\0"
    golden.add("part-two-controls.gif", gif(canvas, frame, part, table, transparent=4, before=comment))
    golden.add("part-outside.gif", gif(canvas, (17, 9, 14, 12), part, table, transparent=4))
    golden.refuse("no-table.gif", gif(canvas, frame, part, transparent=3), "it is a GIF without colours, which is not read")


def bmps(golden, small, saved, rng):
    (width, height), size = small.size, small.size
    colours = rng.integers(0, 256, (256, 4), dtype=np.uint8)
    palette = colours.tobytes()
    bytewise = rng.integers(0, 256, (height, width), dtype=np.uint8)
    rows = [row.tobytes() for row in bytewise]
    words = [row.tobytes() for row in rng.integers(0, 2**32, (height, width)).astype("<u4")]
    golden.add("rgb.bmp", saved(small.crop((0, 0, 23, 18)), "BMP"))
    golden.add("grey.bmp", saved(small.convert("L"), "BMP"))
    golden.add("palette-as-grey.bmp", bmp(8, rows, palette, size=size), channels=1)
    golden.add("palette-beyond-end.bmp", bmp(8, rows, palette[:80], size=size, colours=20))
    golden.add("palette-4-bit.bmp", bmp(4, [row[:12] for row in rows], palette[:64], size=size))
    golden.add("palette-1-bit.bmp", bmp(1, [row[:3] for row in rows], palette[:8], size=size))
    golden.add("from-the-top.bmp", bmp(8, rows, palette, size=(width, -height)))
    golden.add("rgb-32.bmp", bmp(32, words, size=size))
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    golden.add("alpha-v4.bmp", bmp(32, words, compression=3, masks=masks, header=108, size=size))
    masks = struct.pack("<IIII", 0xFF000000, 0xFF0000, 0xFF00, 0xFF)
    golden.add("alpha-v5.bmp", bmp(32, words, compression=3, masks=masks, header=124, size=size))
    golden.refuse("deep.bmp", bmp(16, [row * 2 for row in rows], size=size), "it is a BMP of 16 bits a pixel, which is not read")
    runs = bmp(8, [b"\x18\x07\0\0" * 18 + b"\0\1"], palette, compression=1, size=size)
    golden.refuse("runs.bmp", runs, "it is a BMP with run lengths, which is not read; convert it to PNG")
    golden.refuse("cut-off.bmp", saved(small, "BMP")[:900], "its data is cut off")
    golden.refuse("bomb.bmp", bmp(24, rows, size=(60000, 60000)), "60000x60000 pixels are more than the 67108864")
    os2 = b"BM" + struct.pack("<IHHIIHHHH", 26 + 768 + 432, 0, 0, 26 + 768, 12, width, height, 1, 8) + palette[:768]
    golden.refuse("os2.bmp", os2 + b"".join(rows), "it is a BMP of OS/2, which is not read")


def avifs(golden, small, saved, rng):
    for orientation in (2, 4, 5, 6, 7, 8):
        exif = Image.Exif()
        exif[0x0112] = orientation
        tiny = small.crop((0, 0, 21, 13))
        # As of others, decoders differ a little.
        tolerance = dict(mean=1, most=4)
        content = saved(tiny, "AVIF", quality=95, subsampling="4:4:4", exif=exif)
        golden.add(f"orientation-{orientation}.avif", content, ((10, 8, "bilinear"),), tolerance=tolerance)
