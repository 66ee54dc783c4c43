#!/usr/bin/env python3
"""Makes vectors.json after docs/formats.md alone: python3 vectors.py > vectors.json

Python's standard library is all it needs, and it shares nothing with the ledger.
"""
import base64, hashlib, hmac, json, struct


def rounds(words):
    x = list(words)

    def quarter(a, b, c, d):
        for i, j, k, n in (a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7):
            x[i] = (x[i] + x[j]) & 0xFFFFFFFF
            x[k] ^= x[i]
            x[k] = (x[k] << n | x[k] >> 32 - n) & 0xFFFFFFFF

    for _ in range(10):
        for q in (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15):
            quarter(*q)
        for q in (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14):
            quarter(*q)
    return x


SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def stream(key, nonce, counter, size):  # RFC 8439, 2.4
    out = b""
    while len(out) < size:
        state = SIGMA + struct.unpack("<8I", key) + (counter,) + struct.unpack("<3I", nonce)
        out += struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(rounds(state), state)))
        counter += 1
    return out[:size]


def poly1305(key, text):  # RFC 8439, 2.5
    r, s = (int.from_bytes(k, "little") for k in (key[:16], key[16:]))
    r &= 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    acc = 0
    for i in range(0, len(text), 16):
        acc = (acc + int.from_bytes(text[i : i + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return ((acc + s) & (1 << 128) - 1).to_bytes(16, "little")


def xseal(key, nonce, text, ad):  # draft-irtf-cfrg-xchacha-03
    h = rounds(SIGMA + struct.unpack("<8I", key) + struct.unpack("<4I", nonce[:16]))
    key, nonce = struct.pack("<8I", *h[:4], *h[12:]), bytes(4) + nonce[16:]
    pad = lambda b: b + bytes(-len(b) % 16)
    sealed = bytes(a ^ b for a, b in zip(text, stream(key, nonce, 1, len(text))))
    mac = pad(ad) + pad(sealed) + struct.pack("<QQ", len(ad), len(sealed))
    return sealed + poly1305(stream(key, nonce, 0, 32), mac)


def hkdf(secret, info):  # RFC 5869, without salt, one block
    prk = hmac.new(bytes(32), secret, "sha256").digest()
    return hmac.new(prk, info + b"\1", "sha256").digest()


sha = lambda b: hashlib.sha256(b).digest()
b64 = lambda b: base64.b64encode(b).decode()
chance = lambda what: sha(b"assent test " + what.encode())  # fixed bytes, 32 of them

LEDGER = "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e4f"
EVENT = "0191e7a4-8000-7000-8000-00000000002a"

commitments = []
for value in "", "Acme Trading Co., Ltd.", "上海某某贸易有限公司", "two\nlines":
    salt = chance("salt of " + value)
    commitments.append({
        "salt": b64(salt), "value": value,
        "commitment": "sha256:" + sha(salt + value.encode()).hex(),
        "opening": (salt + value.encode()).hex(),
    })

shards = [chance("shard %03x" % i) for i in range(4096)]


def subject_key(subject, gen):
    n = int.from_bytes(sha(subject.encode())[:2], "big") >> 4
    info = "assent subject key v1\n%s\n%d\n%s" % (LEDGER, gen, subject)
    return n, hkdf(shards[n], info.encode())


keys = []
for subject, gen in ("client/acme", 1), ("client/acme", 2), ("party/p-17", 1), ("inquiry/i1", 1), ("ledger", 1):
    n, key = subject_key(subject, gen)
    keys.append({"subject": subject, "gen": gen, "shard": "%03x" % n, "secret": shards[n].hex(), "key": key.hex()})

boxes = []
for subject, field, text in (
    ("client/acme", "/name", bytes.fromhex(commitments[2]["opening"])),
    ("party/p-17", "/reason", b""),
    ("ledger", "/summary", b"x" * 63),
    ("inquiry/i1", "/text", b"x" * 64),
    ("inquiry/i1", "/from", b"\x80\0"),
):
    nonce = chance("nonce of " + field)[:24]
    padded = text + b"\x80" + bytes(63 - len(text) % 64)
    ad = "assent box v1\n%s\n%s\n%s\n" % (LEDGER, EVENT, field)
    boxes.append({
        "subject": subject, "gen": 1, "event": EVENT, "field": field, "plaintext": text.hex(),
        "padded": padded.hex(), "nonce": nonce.hex(), "associated": ad,
        "box": b64(nonce + xseal(subject_key(subject, 1)[1], nonce, padded, ad.encode())),
    })

epoch_key, root_nonce = chance("epoch 1"), chance("root")[:24]
epoch = ("assent epoch key v1\n%s\n1\n" % LEDGER).encode() + epoch_key
epoch += sha(epoch)
head = ("assent ring v1\n%s\n1\n" % LEDGER).encode()
entries = b"".join(struct.pack(">I", 1) + s for s in shards)
root = head + root_nonce + xseal(epoch_key, root_nonce, entries, head)

print(json.dumps({
    "ledger": LEDGER,
    "commitments": commitments,
    "keys": keys,
    "boxes": boxes,
    "ring": {
        "secretOfShard": "SHA-256 of \"assent test shard XXX\", XXX the shard's number in three hex digits; all of generation 1",
        "epochKey": epoch_key.hex(), "rootNonce": root_nonce.hex(),
        "epochSHA256": sha(epoch).hex(), "rootSHA256": sha(root).hex(),
    },
}, ensure_ascii=False, indent=1))
