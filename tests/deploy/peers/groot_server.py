"""A policy server as Isaac GR00T's are, in small: REP socket, MessagePack, arrays as npy, ModalityConfig by class.

usage: groot_server.py n1.5|n1.6 [video]   prints its endpoint
The policy: action.arm[t] = state.tip[:2] * (t + 1) / 8, action.grip[t] = state.grip[0] - t / 8.
"""
import io
import json
import sys

import msgpack
import numpy as np
import zmq

version, *rest = sys.argv[1:]
H = 4


class ModalityConfig:
    def __init__(self, delta_indices, modality_keys):
        self.delta_indices, self.modality_keys = delta_indices, modality_keys


def encode(obj):
    if isinstance(obj, ModalityConfig):
        fields = {"delta_indices": obj.delta_indices, "modality_keys": obj.modality_keys}
        return {"__ModalityConfig_class__": True, "as_json": json.dumps(fields) if version == "n1.5" else fields}
    if isinstance(obj, np.ndarray):
        out = io.BytesIO()
        np.save(out, obj, allow_pickle=False)
        return {"__ndarray_class__": True, "as_npy": out.getvalue()}
    return obj


def decode(obj):
    if "__ndarray_class__" in obj:
        return np.load(io.BytesIO(obj["as_npy"]), allow_pickle=False)
    return obj


def chunk(tip, grip):
    assert tip.dtype == np.float32 and tip.ndim == 3 and tip.shape[1:] == (1, 3), (tip.dtype, tip.shape)
    assert grip.shape == (len(tip), 1, 2), grip.shape
    t = np.arange(H, dtype=np.float32)
    arm = tip[:, :, :2] * ((t + 1) / 8)[None, :, None]
    return arm.astype(np.float32), (grip[:, :, 0] - t[None, :] / 8).astype(np.float32)


def get_action_15(data):
    assert data["annotation.task"] == ["put it there"] * len(data["state.tip"]), data["annotation.task"]
    arm, grip = chunk(data["state.tip"], data["state.grip"])
    return {"action.arm": arm, "action.grip": grip}


def get_action_16(observation, options=None):
    state, language = observation["state"], observation["language"]
    assert language["task"] == [["put it there"]] * len(state["tip"]), language
    arm, grip = chunk(state["tip"], state["grip"])
    return {"arm": arm, "grip": grip[:, :, None]}, {}


def modality_config():
    prefix = (lambda modality, key: f"{modality}.{key}") if version == "n1.5" else (lambda _, key: key)
    config = {
        "state": ModalityConfig([0], [prefix("state", "tip"), prefix("state", "grip")]),
        "action": ModalityConfig(list(range(H)), [prefix("action", "arm"), prefix("action", "grip")]),
        "language": ModalityConfig([0], ["annotation.task" if version == "n1.5" else "task"]),
    }
    if "video" in rest:
        config["video"] = ModalityConfig([0], [prefix("video", "ego_view")])
    return config


socket = zmq.Context().socket(zmq.REP)
port = socket.bind_to_random_port("tcp://127.0.0.1")
print(f"tcp://127.0.0.1:{port}", flush=True)
while True:
    try:
        request = msgpack.unpackb(socket.recv(), object_hook=decode)
        endpoint, data = request.get("endpoint", "get_action"), request.get("data", {})
        if endpoint == "get_modality_config":
            answer = modality_config()
        elif endpoint == "get_action":
            answer = get_action_15(data) if version == "n1.5" else get_action_16(**data)
        else:
            raise ValueError(f"Unknown endpoint: {endpoint}")
    except Exception as error:  # as GR00T's server does
        answer = {"error": repr(error)}
    socket.send(msgpack.packb(answer, default=encode))
