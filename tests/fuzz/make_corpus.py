#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets to corpus/<target>/, the same bytes every time.

Inputs that once failed are kept beside them under names of their own (regression-*).
"""
import gzip
import json
import pathlib
import struct
import zlib

CORPUS = pathlib.Path(__file__).parent / "corpus"


def save(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def numbers(code, values):
    return struct.pack(f"<{len(values)}{code}", *values)


# Values where something changes, for float (24 bits) and double (53).
def special(code):
    bits, top, low = (24, 127, -149) if code == "f" else (53, 1023, -1074)
    u = 2.0 ** (1 - bits)
    return {
        "zero": 0.0, "minus-zero": -0.0, "denormal": 2.0**low,
        "min": 2.0 ** (1 - top), "max": (2 - u) * 2.0**top,
        "root-max": 2.0 ** (top // 2), "root-min": 2.0 ** (low // 2 + 1),
        "below-one": 1 - u / 2, "one": 1.0, "above-one": 1 + u,
        "inf": float("inf"), "nan": float("nan"),
    }


def metric():
    for bit, code in ((0, "f"), (8, "d")):
        for name, s in special(code).items():
            save("metric", f"{code}-c-{name}",
                 bytes([bit | 1]) + numbers(code, [s, .3, -.2, .1, .4, 1, -2]))
            save("metric", f"{code}-x-{name}",
                 bytes([bit | 1]) + numbers(code, [.7, s, .2, .1, -s, 1, s]))
            save("metric", f"{code}-one-{name}",
                 bytes([bit]) + numbers(code, [1, s, -s, s]))
        save("metric", f"{code}-same",
             bytes([bit | 2]) + numbers(code, [4, .1, .2, .3, .1, .2, .3, 0, 0, 0]))
        save("metric", f"{code}-opposite",
             bytes([bit | 7]) + numbers(code, [.01] + [.1] * 8 + [-.1] * 8 + [1] * 8))
        huge, tiny = (1e18, 1e-40) if code == "f" else (1e150, 1e-310)
        for name, x, y in (
                ("orthogonal", [.5, 0, 0], [0, .5, 0]), ("poles", [.5, 0, 0], [-.5, 0, 0]),
                ("rim", [.9999999, 0, 0], [-.9999999, 1e-4, 0]),
                ("huge", [huge, 0, 0], [-huge, huge, 0]), ("tiny", [tiny, 0, 0], [3 * tiny, 0, 0]),
                ("nearly-opposite", [1, 0, 0], [-1, tiny, 0])):
            save("metric", f"{code}-{name}",
                 bytes([bit | 2]) + numbers(code, [1] + x + y + [0, 1, 1]))


def loss():
    for bit, code in ((0, "f"), (8, "d")):
        rows = [((7 * k) % 11 - 5) / 20 for k in range(18)]
        labels = bytes([0, 1, 0, 2, 1, 0])
        for kind in range(6):
            save("loss", f"{code}-{kind}", bytes([bit | kind, 6, 6, 3]) +
                 numbers(code, [.2, .7]) + labels + numbers(code, rows + rows[::-1]))
        for name, s in special(code).items():
            save("loss", f"{code}-temperature-{name}", bytes([bit, 2, 0, 1]) +
                 numbers(code, [s, 1]) + bytes(2) + numbers(code, [.1, .2]))
            save("loss", f"{code}-c-{name}", bytes([bit | 3, 3, 0, 1]) +
                 numbers(code, [1, s]) + bytes(3) + numbers(code, [.1, .2, .3]))
            save("loss", f"{code}-x-{name}", bytes([bit | 4, 2, 2, 2]) +
                 numbers(code, [1, 1]) + bytes(2) + numbers(code, [s, .1, .2, s] * 2))
        save("loss", f"{code}-equal-rows", bytes([bit | 2, 4, 0, 2]) +
             numbers(code, [.5, 4]) + bytes(4) + numbers(code, [.1, .2] * 4))
        huge, tiny = (1e18, 1e-40) if code == "f" else (1e150, 1e-310)
        for name, pairs in (("opposite", [1, 0, 0, 1, -1, 0, 0, -1]),
                            ("opposite-classes", [.9, .1, .8, .2, -.9, -.1, -.8, -.2]),
                            ("nearly-opposite", [1, 0, 1, tiny, -1, tiny, -1, 0]),
                            ("unequal", [huge, 0, tiny, 1, 1, 1, 0, huge]),
                            ("tiny", [0, 0, tiny, 0, 2 * tiny, 0, 0, tiny])):
            for kind in range(6):
                save("loss", f"{code}-{name}-{kind}", bytes([bit | kind, 4, 4, 2]) +
                     numbers(code, [1, 1]) + bytes([0, 0, 1, 1]) + numbers(code, pairs * 2))
        save("loss", f"{code}-label", bytes([bit | 2, 2, 0, 1]) +
             numbers(code, [.5, 4]) + b"\xff\x01" + numbers(code, [.1, .2]))


def cifar():
    for kind, label_bytes in ((0, 1), (1, 2)):
        record = bytes([9] * label_bytes) + bytes(k * 7 % 251 for k in range(3072))
        good = bytes([kind, 1]) + record
        save("cifar", f"{label_bytes}-good", good)
        save("cifar", f"{label_bytes}-empty", bytes([kind, 0]))
        save("cifar", f"{label_bytes}-short", good[:-1])
        save("cifar", f"{label_bytes}-long", good + b"x")
        save("cifar", f"{label_bytes}-none", good[:2])
        save("cifar", f"{label_bytes}-many", bytes([kind, 255]) + record[:40])
        save("cifar", f"{label_bytes}-label", bytes([kind, 1]) + b"\xff" * label_bytes +
             record[label_bytes:])
    save("cifar", "nothing", b"")


def idx():
    labels = struct.pack(">II", 0x801, 3) + bytes([0, 5, 9])

    def images(n, h, w, data):
        return struct.pack(">IIII", 0x803, n, h, w) + data

    def pack(data):
        return gzip.compress(data, mtime=0)

    def pair(name, names, pictures, packed=0):
        save("idx", name, struct.pack("<BH", packed, len(names)) + names + pictures)

    good = images(3, 4, 5, bytes(range(60)))
    pair("good", labels, good)
    pair("good-28", labels[:4] + struct.pack(">I", 1) + b"\1", images(1, 28, 28, bytes(784)))
    pair("gzip-labels", pack(labels), good, 1)
    pair("gzip-images", labels, pack(good), 2)
    pair("gzip", pack(labels), pack(good), 3)
    pair("gzip-short", pack(labels)[:-1], pack(good), 3)
    pair("gzip-long", pack(labels) + b"x", pack(good), 3)
    pair("gzip-crc", pack(labels)[:-8] + bytes(8), pack(good), 3)
    pair("gzip-bomb", labels, pack(images(3, 4, 5, bytes(1 << 20))), 2)
    pair("gzip-none", b"", b"", 3)
    pair("nothing", b"", b"")
    pair("header", labels[:7], good)
    pair("short", labels, good[:-1])
    pair("long", labels, good + b"x")
    pair("magic", b"\1" + labels[1:], good)
    pair("label", labels[:-1] + b"\x0a", good)
    pair("count", labels[:-1].replace(b"\3", b"\2"), good)
    pair("zero", labels, images(3, 0, 5, b""))
    pair("wide", labels, images(3, 1, 33, bytes(99)))
    pair("huge", labels, images(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, b""))
    pair("huge-labels", struct.pack(">II", 0x801, 1 << 30), good)


def checkpoint():
    def crc(data):
        return f"{zlib.crc32(data):08x}"

    def dump(root):
        return json.dumps(root, separators=(",", ":"), sort_keys=True).encode()

    def file(root, data):
        text = root if isinstance(root, bytes) else dump(root)
        return struct.pack("<Q", len(text)) + text + data

    def entry(dtype, shape, begin, end):
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    data = numbers("Q", [2**64 - 1]) + numbers("q", [-5, 1]) + \
        numbers("f", [1, -2, 3.5, 0, 1e-30, 7])
    tensors = {"key": entry("U64", [], 0, 8), "step": entry("I64", [2], 8, 24),
               "weight": entry("F32", [2, 3], 24, 48), "none": entry("F32", [0, 4], 24, 24)}
    notes = {"note": "caf\u00e9"}
    for name, t in tensors.items():
        begin, end = t["data_offsets"]
        notes["crc32:" + name] = crc(data[begin:end])

    # The writer's text is UTF-8, so that json.dumps must not escape it for the checksum.
    def signed(root):
        def raw(r):
            return json.dumps(r, separators=(",", ":"), sort_keys=True,
                              ensure_ascii=False).encode()
        root["__metadata__"]["crc32"] = crc(raw(root))
        return raw(root)

    good = file(signed({**tensors, "__metadata__": notes}), data)
    save("checkpoint", "good", b"\0" + good)
    save("checkpoint", "short", b"\0" + good[:-1])
    save("checkpoint", "long", b"\0" + good + b"x")
    save("checkpoint", "changed", b"\0" + good[:-1] + b"\xff")
    save("checkpoint", "header", b"\0" + good[:100])
    save("checkpoint", "unsigned", b"\1" + file(tensors, data))
    save("checkpoint", "nothing", b"")
    save("checkpoint", "length", b"\0" + good[:5])
    save("checkpoint", "huge", b"\0" + struct.pack("<Q", 2**64 - 1) + b"{}")
    save("checkpoint", "hundred-million", b"\0" + struct.pack("<Q", 10**8) + b"{}")
    headers = {
        "no-json": b"{", "array": b"[]", "empty": b"{}", "deep": b'{"a":' * 99,
        "deep-array": b'{"a":' + b"[" * 99, "not-utf8": b'{"\xff":1}',
        "number": b'{"a":1e999}', "twice": b'{"a":{},"a":{}}',
        "metadata": b'{"__metadata__":[]}', "metadata-number": b'{"__metadata__":{"a":1}}',
        "left-over": b'{"__metadata__":{"crc32:a":"0"}}',
    }
    for name, text in headers.items():
        save("checkpoint", f"header-{name}", b"\1" + file(text, b""))
    entries = {
        "dtype": entry("F31", [1], 0, 4), "shape": entry("F32", [-1], 0, 4),
        "fraction": entry("F32", [1.5], 0, 4), "overflow": entry("F32", [2**62, 4], 0, 4),
        "product": entry("F32", [2**32, 2**32], 0, 4), "range": entry("F32", [1], 4, 0),
        "beyond": entry("F32", [1], 0, 2**62), "hole": entry("F32", [1], 4, 8),
        "wide": entry("F32", [0] * 500, 0, 0),
    }
    for name, t in entries.items():
        save("checkpoint", f"entry-{name}", b"\1" + file({"weight": t}, bytes(4)))


for make in (metric, loss, cifar, idx, checkpoint):
    make()
