"""Writes test/fixtures/images: Parquet files as the Hugging Face hub has them, tar files as webdataset writes them, and
NumPy arrays to be damaged.

    python test/oracle/make_image_shards.py

Made with pyarrow 25.0.1, NumPy 2.4.6, Pillow 12.3.0 and Python's tarfile. Image i of every file is 10 x 8 pixels of one colour,
(20 * i, 255 - 20 * i, 7), as PNG, so that decoding is exact.
"""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

OUT = Path(__file__).parent.parent / "fixtures" / "images"
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def png(i: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (10, 8), (20 * i, 255 - 20 * i, 7)).save(file, "PNG")
    return file.getvalue()


def hub(rows: range, compression: str, name: str) -> None:
    """Columns and metadata as `datasets` writes them: image {bytes, path}, label as ClassLabel."""
    table = pa.table(
        {
            "image": pa.array([{"bytes": png(i), "path": f"{i}.png"} for i in rows], STRUCT),
            "label": pa.array([i % 3 for i in rows], pa.int64()),
        }
    )
    features = {"image": {"_type": "Image"}, "label": {"names": ["ant", "bee", "cow"], "_type": "ClassLabel"}}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, OUT / name, row_group_size=5, compression=compression)


def packed(name: str, codec: str, version: str, encoding: str) -> None:
    """Images 0 and 1 as other writers store them: each way of packing has a decoder of its own."""
    table = pa.table({"image": pa.array([png(i) for i in range(2)], pa.binary())})
    packing = {"use_dictionary": False, "column_encoding": {"image": encoding}} if encoding else {}
    pq.write_table(table, OUT / name, compression=codec, data_page_version=version, **packing)


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def shard(name: str, rows: range, form: int, label: str) -> None:
    with tarfile.open(OUT / name, "w", format=form) as tar:
        for i in rows:
            # Over 100 bytes and beyond ASCII: needs a pax header or GNU's long name.
            key = f"photos/{'long-' * 25}ä{i:04d}" if i % 2 else f"photos/{i:04d}"
            add(tar, f"{key}.png", png(i))
            text = str(i % 3) if label == "cls" else json.dumps({"label": i % 3, "caption": "a colour"})
            add(tar, f"{key}.{label}", text.encode())


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    hub(range(0, 8), "snappy", "hub-00000-of-00002.parquet")
    hub(range(8, 12), "zstd", "hub-00001-of-00002.parquet")
    pq.write_table(
        pa.table(
            {
                "img": pa.array([png(i) for i in range(3)], pa.binary()),
                "fine_label": pa.array([5, 6, 7], pa.int32()),
                "coarse_label": pa.array([0, 0, 1], pa.int64()),
            }
        ),
        OUT / "two-labels.parquet",
        compression="gzip",
    )
    pq.write_table(
        pa.table({"image": pa.array([{"bytes": png(1), "path": "1.png"}, {"bytes": None, "path": "2.png"}], STRUCT)}),
        OUT / "missing.parquet",
        compression="none",
    )
    pq.write_table(pa.table({"text": ["a", "b"], "label": [0, 1]}), OUT / "text.parquet")
    text = pa.array(["cow", "ant", "cow", "bee"])
    for name, label in (
        ("names", text),
        ("names-dictionary", text.dictionary_encode()),
        ("names-bytes", text.cast(pa.binary())),
        ("names-of-synsets", pa.array(["n01443537", "n01440764", "n15075141", "n01440764"])),
        ("names-missing", pa.array(["cow", None, "ant", "bee"])),
        ("labels-of-lists", pa.array([[1], [2, 3], [], [0]], pa.list_(pa.int64()))),
        ("labels-of-doubles", pa.array([1.0, 2.0, 0.0, 1.0])),
    ):
        table = pa.table({"image": pa.array([png(i) for i in range(4)], pa.binary()), "label": label})
        # pyarrow's own schema would tell what bytes are.
        pq.write_table(table, OUT / f"{name}.parquet", compression="none", store_schema=False)
    packed("brotli-v2.parquet", "brotli", "2.0", "")
    packed("gzip-v2.parquet", "gzip", "2.0", "")
    packed("lz4-delta.parquet", "lz4", "1.0", "DELTA_BYTE_ARRAY")
    shard("pax-000000.tar", range(0, 4), tarfile.PAX_FORMAT, "cls")
    shard("pax-000001.tar", range(4, 6), tarfile.PAX_FORMAT, "cls")
    shard("gnu.tar", range(6, 8), tarfile.GNU_FORMAT, "json")
    pixels = np.stack([np.full((10, 8, 3), (20 * i, 255 - 20 * i, 7), np.uint8) for i in range(4)])
    np.save(OUT / "images.npy", pixels)
    np.savez(OUT / "stored.npz", images=pixels, labels=np.arange(4))
    np.savez_compressed(OUT / "deflated.npz", images=pixels, labels=np.arange(4))


main()
