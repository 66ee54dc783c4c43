#!/usr/bin/env python3
"""Makes vectors.json after docs/formats.md alone: python3 vectors.py > vectors.json

Python's standard library is all it needs, and it shares nothing with the ledger.
The commitment and the box of the first event come from vault's vectors.
"""
import base64, hashlib, json, pathlib

# Ed25519, RFC 8032, sections 5.1 and 6.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE_Y = 4 * pow(5, -1, P) % P


def recover_x(y):
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P)
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return P - x if x % 2 else x


BASE = (recover_x(BASE_Y), BASE_Y)


def add(p, q):
    (x1, y1), (x2, y2) = p, q
    k = D * x1 * x2 * y1 * y2 % P
    return ((x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P)


def multiply(n, p):
    q = (0, 1)
    while n:
        if n & 1:
            q = add(q, p)
        p, n = add(p, p), n >> 1
    return q


def pack(p):
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


def number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def secret(seed):
    h = hashlib.sha512(seed).digest()
    return int.from_bytes(h[:32], "little") & (2**254 - 8) | 2**254, h[32:]


def public(seed):
    return pack(multiply(secret(seed)[0], BASE))


def sign(seed, message):
    a, prefix = secret(seed)
    r = number(prefix, message) % L
    point = pack(multiply(r, BASE))
    s = (r + number(point, public(seed), message) * a) % L
    return point + s.to_bytes(32, "little")


# Keys as NATS spells them: a byte for the kind, the key, CRC-16/XMODEM.
def nkey(seed):
    raw = bytes([20 << 3]) + public(seed)
    crc = 0
    for c in raw:
        crc ^= c << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return base64.b32encode(raw + crc.to_bytes(2, "little")).decode().rstrip("=")


sha = lambda b: hashlib.sha256(b).digest()
b64 = lambda b: base64.b64encode(b).decode()
seed_of = lambda who: sha(b"assent test seed of " + who.encode())
compact = lambda v: json.dumps(v, ensure_ascii=False, separators=(",", ":"))  # members as they stand
canonical = lambda v: json.dumps(v, separators=(",", ":"), sort_keys=True)  # RFC 8785, for words and whole numbers

VAULT = json.loads((pathlib.Path(__file__).parents[2] / "vault/testdata/vectors.json").read_text())
LEDGER = VAULT["ledger"]
BOX = VAULT["boxes"][0]


def event(n, etype, subject, time, actor, name, data, signed=True, decision=None, refusal=None, sealed=None, observed=None):
    command = "0191e7a4-9000-7000-8000-%012x" % n
    issued = "2026-03-01T17:00:00+08:00"
    event = canonical(data)
    message = "\n".join(["assent command v1", LEDGER, actor, command, issued, name, event])
    seed = seed_of(actor)
    proof = {"name": name, "issued": issued}
    if signed:
        proof["signature"] = b64(sign(seed, message.encode()))
    else:
        proof["connection"] = nkey(seed)
    members = {"decision": decision, "refusal": refusal, "proof": proof, "sealed": sealed, "observed": observed}
    rest = "".join(',"%s":%s' % (k, compact(v)) for k, v in members.items() if v is not None)
    attributes = compact({
        "specversion": "1.0", "id": "0191e7a4-8000-7000-8000-%012x" % n, "source": "urn:uuid:" + LEDGER, "type": etype,
        "subject": subject, "time": time, "datacontenttype": "application/json",
        "dataschema": "https://github.com/qtccc/assent/schema/%s/1" % etype,
        "sequence": "%020d" % n, "actor": actor, "command": command, "rules": 1,
    })
    context, _, whom = subject.partition("/")
    bucket = sha(whom.encode())[:1].hex() if whom else "00"
    return {
        "seed": seed.hex(), "publicKey": nkey(seed), "signed": message if signed else None,
        "natsSubject": "assent.evt.%s.%s.%s" % (context, bucket, etype),
        "document": '%s,"data":{"event":%s%s}}' % (attributes[:-1], event, rest),
    }


events = [
    event(42, "client.registered", "client/acme", "2026-03-01T09:00:00.25Z", "clerk", "client.register",
        {"client": "acme", "name": VAULT["commitments"][2]["commitment"], "contacts": ["li-wei"]},
        sealed={"of": "client/acme", "gen": 1, "boxes": {BOX["field"]: BOX["box"]}}),
    event(43, "access.granted", "client/acme", "2026-03-01T09:00:00.25Z", "gateway", "access.request",
        {"client": "acme", "record": "label", "party": "li-wei", "action": "consult", "purpose": "consultation"},
        signed=False,
        decision={"decision": "granted", "attempt": "0191e7a4-8000-7000-8000-00000000002b", "edition": 6, "rules": 1,
            "reasons": [{"clause": "IV.2", "code": "contact", "right": "contact/li-wei", "refs": [42], "evidence": []}]},
        observed={"clock": "2026-03-01T08:59:59.999999999Z"}),
    event(44, "command.refused", "client/acme", "2026-03-01T09:00:01Z", "officer", "authorization.issue",
        {"client": "acme", "authorization": "a1", "party": "clerk-wu", "scope": {"all": True}, "purposes": ["consultation"],
            "need": VAULT["commitments"][0]["commitment"]},
        refusal={"code": "refused", "clause": "II.2", "reason": "no-need"}, observed={"blank": ["/need"]}),
]
print(json.dumps({"ledger": LEDGER, "events": events}, ensure_ascii=False, indent=1))
