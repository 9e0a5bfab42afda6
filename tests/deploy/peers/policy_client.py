"""Clients of a policy server as they are written in Python: GR00T's and openpi's packers over a REQ socket.

usage: policy_client.py <endpoint> [<server key> <public key> <secret key>]   prints what it received, as JSON
"""
import io
import json
import sys

import msgpack
import numpy as np
import zmq


def groot_encode(obj):
    if isinstance(obj, np.ndarray):
        out = io.BytesIO()
        np.save(out, obj, allow_pickle=False)
        return {"__ndarray_class__": True, "as_npy": out.getvalue()}
    return obj


def groot_decode(obj):
    return np.load(io.BytesIO(obj["as_npy"]), allow_pickle=False) if "__ndarray_class__" in obj else obj


def openpi_encode(obj):
    if isinstance(obj, np.ndarray):
        return {b"__ndarray__": True, b"data": obj.tobytes(), b"dtype": obj.dtype.str, b"shape": obj.shape}
    return obj


def openpi_decode(obj):
    if b"__ndarray__" in obj:
        return np.ndarray(buffer=obj[b"data"], dtype=np.dtype(obj[b"dtype"]), shape=obj[b"shape"])
    return obj


endpoint, *keys = sys.argv[1:]
socket = zmq.Context().socket(zmq.REQ)
socket.setsockopt(zmq.LINGER, 0)
socket.setsockopt(zmq.RCVTIMEO, 10_000)
if keys:
    socket.curve_serverkey, socket.curve_publickey, socket.curve_secretkey = (key.encode() for key in keys)
socket.connect(endpoint)


def call(name, data=None, encode=groot_encode, decode=groot_decode):
    socket.send(msgpack.packb({"endpoint": name, "data": data or {}}, default=encode))
    return msgpack.unpackb(socket.recv(), object_hook=decode)


metadata = call("metadata")
fields = {field["name"]: field["length"] for field in metadata["observation"]}
row = np.sin(np.arange(sum(fields.values())) * 1.7).astype(np.float32)
parts = dict(zip(fields, np.split(row, np.cumsum(list(fields.values()))[:-1])))

whole = call("get_action", {"observation": row})["actions"]
openpi = call("get_action", {"observation": row[None]}, openpi_encode, openpi_decode)["actions"]
n15 = call("get_action", {f"state.{name}": part[None].astype(np.float64) for name, part in parts.items()})["actions"]
image = np.asfortranarray(np.zeros((1, 1, 32, 32, 3), np.uint8))
n16 = call(
    "get_action",
    {
        "observation": {
            "state": {name: part[None, None] for name, part in parts.items()},
            "video": {"front": image},
            "language": {"task": [["go"]]},
        },
        "options": None,
    },
)
print(
    json.dumps(
        {
            "ping": call("ping"),
            "reset": call("reset", {"options": None}),
            "unknown": call("get_acton"),
            "whole": whole.tolist(),
            "dtype": whole.dtype.str,
            "openpi": openpi.tolist(),
            "n15": n15.tolist(),
            "n16": n16[0]["actions"].tolist(),
        }
    )
)
