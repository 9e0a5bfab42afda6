"""PyTorch peer of the engine benchmark: the same update, ensembles by baddbmm, foreach Adam and Polyak, everything
else as torch users write it. Talks with bench/engine.mjs in lines: reads "burst SECONDS", answers with
updates per second of that burst.

    python torch_peer.py redq|td3|actor THREADS eager|compile
"""
import sys
import time

import torch
import torch.nn.functional as F

kind, threads, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(threads)
torch.manual_seed(0)
B, O, A, H = 256, 30, 7, 256
E, layer_norm = (10, True) if kind == "redq" else (2, False)
RATE, TAU, GAMMA = 3e-4, 0.005, 0.99


def parameters(members, sizes, norm):
    out = []
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        limit = n**-0.5
        lead = () if members is None else (members,)
        bias = (m,) if members is None else (members, 1, m)
        out.append(torch.empty(*lead, n, m).uniform_(-limit, limit))
        out.append(torch.empty(*bias).uniform_(-limit, limit))
        if norm and i + 2 < len(sizes):
            out += [torch.ones(*bias), torch.zeros(*bias)]
    return [p.requires_grad_() for p in out]


def actor_forward(p, x):
    x = F.relu(torch.addmm(p[1], x, p[0]))
    x = F.relu(torch.addmm(p[3], x, p[2]))
    return torch.tanh(torch.addmm(p[5], x, p[4]))


def critic_forward(p, x):
    step = 4 if layer_norm else 2
    x = x.expand(p[0].shape[0], -1, -1)
    for i in range(0, 2 * step, step):
        x = torch.baddbmm(p[i + 1], x, p[i])
        if layer_norm:
            x = torch.addcmul(p[i + 3], F.layer_norm(x, (H,)), p[i + 2])
        x = F.relu(x)
    return torch.baddbmm(p[-1], x, p[-2])


actor, critic = parameters(None, (O, H, H, A), False), parameters(E, (O + A, H, H, 1), layer_norm)
actor_target = [p.detach().clone() for p in actor]
critic_target = [p.detach().clone() for p in critic]
obs, nxt = torch.randn(B, O), torch.randn(B, O)
action, reward = torch.rand(B, A) * 2 - 1, torch.randn(B, 1)
done = (torch.rand(B, 1) < 0.05).float()
noise = (torch.randn(B, A) * 0.2).clamp(-0.5, 0.5)
critic_adam = torch.optim.Adam(critic, lr=RATE, foreach=True)
actor_adam = torch.optim.Adam(actor, lr=RATE, foreach=True)
chosen = torch.tensor([3, 7])


def critic_loss():
    with torch.no_grad():
        next_action = (actor_forward(actor_target, nxt) + noise).clamp(-1, 1)
        target = critic_target
        if kind == "redq":
            target = [p.index_select(0, chosen) for p in critic_target]
        next_q = critic_forward(target, torch.cat([nxt, next_action], 1)).amin(0)
        y = reward + GAMMA * (1 - done) * next_q
    q = critic_forward(critic, torch.cat([obs, action], 1))
    return (q - y).square().mean((1, 2)).sum()


def actor_loss():
    judges = critic if kind == "redq" else [p[:1] for p in critic]
    return -critic_forward(judges, torch.cat([obs, actor_forward(actor, obs)], 1)).mean()


if mode == "compile":
    critic_loss, actor_loss = torch.compile(critic_loss), torch.compile(actor_loss)


def update():
    critic_loss_value = critic_loss()
    grads = torch.autograd.grad(critic_loss_value, critic)
    for p, g in zip(critic, grads):
        p.grad = g
    critic_adam.step()
    grads = torch.autograd.grad(actor_loss(), actor)
    for p, g in zip(actor, grads):
        p.grad = g
    actor_adam.step()
    with torch.no_grad():
        torch._foreach_lerp_(critic_target, critic, TAU)
        torch._foreach_lerp_(actor_target, actor, TAU)


def burst(seconds):
    count, start, last, fastest = 0, time.perf_counter(), 0.0, float("inf")
    while True:
        update()
        count += 1
        passed = time.perf_counter() - start
        fastest, last = min(fastest, passed - last), passed
        if passed >= seconds:
            return f"{count / passed} {1 / fastest}"


@torch.inference_mode()
def act_times(count):
    one, times = torch.randn(1, O), []
    for _ in range(count):
        start = time.perf_counter()
        actor_forward(actor, one)
        times.append(time.perf_counter() - start)
    times.sort()
    return f"{times[count // 2] * 1e6:.2f} {times[count * 99 // 100] * 1e6:.2f}"


if kind == "actor":
    act_times(2000)
else:
    for _ in range(3):
        update()
print(f"ready torch {torch.__version__}", flush=True)
for line in sys.stdin:
    value = float(line.split()[1])
    print(act_times(int(value)) if kind == "actor" else burst(value), flush=True)
