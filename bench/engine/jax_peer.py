"""JAX peer of the engine benchmark: the whole update in one jit with donated state, ensembles by vmap. Talks with
bench/engine.mjs in lines as torch_peer.py does.

    python jax_peer.py redq|td3 THREADS
"""
import sys
import time

kind = sys.argv[1]

import jax
import jax.numpy as jnp

B, O, A, H = 256, 30, 7, 256
E, layer_norm = (10, True) if kind == "redq" else (2, False)
RATE, TAU, GAMMA = 3e-4, 0.005, 0.99
keys = iter(jax.random.split(jax.random.PRNGKey(0), 64))


def parameters(lead, sizes, norm):
    out = []
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        limit = n**-0.5
        layer = [
            jax.random.uniform(next(keys), (*lead, n, m), minval=-limit, maxval=limit),
            jax.random.uniform(next(keys), (*lead, m), minval=-limit, maxval=limit),
        ]
        if norm and i + 2 < len(sizes):
            layer += [jnp.ones((*lead, m)), jnp.zeros((*lead, m))]
        out.append(layer)
    return out


def forward(p, x):
    for i, layer in enumerate(p):
        x = x @ layer[0] + layer[1]
        if len(layer) == 4:
            mean = x.mean(-1, keepdims=True)
            variance = ((x - mean) ** 2).mean(-1, keepdims=True)
            x = (x - mean) * jax.lax.rsqrt(variance + 1e-5) * layer[2] + layer[3]
        if i + 1 < len(p):
            x = jax.nn.relu(x)
    return x


ensemble = jax.vmap(forward, (0, None))


def adam(p, g, state):
    first, second, t = state
    t = t + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, g)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, g)
    step, scale = RATE / (1 - 0.9**t), 1 / jnp.sqrt(1 - 0.999**t)
    p = jax.tree.map(lambda p, m, v: p - step * m / (jnp.sqrt(v) * scale + 1e-8), p, first, second)
    return p, (first, second, t)


def polyak(target, source):
    return jax.tree.map(lambda t, s: t + TAU * (s - t), target, source)


def update(state, batch):
    actor, critic, actor_target, critic_target, actor_state, critic_state = state
    obs, action, reward, nxt, done, noise, chosen = batch
    next_action = jnp.clip(jnp.tanh(forward(actor_target, nxt)) + noise, -1, 1)
    judges = jax.tree.map(lambda p: p[chosen], critic_target) if kind == "redq" else critic_target
    next_q = ensemble(judges, jnp.concatenate([nxt, next_action], 1)).min(0)
    y = reward + GAMMA * (1 - done) * next_q

    def critic_loss(p):
        q = ensemble(p, jnp.concatenate([obs, action], 1))
        return ((q - y) ** 2).mean((1, 2)).sum()

    critic_value, g = jax.value_and_grad(critic_loss)(critic)
    critic, critic_state = adam(critic, g, critic_state)

    def actor_loss(p):
        x = jnp.concatenate([obs, jnp.tanh(forward(p, obs))], 1)
        used = critic if kind == "redq" else jax.tree.map(lambda p: p[:1], critic)
        return -ensemble(used, x).mean()

    actor_value, g = jax.value_and_grad(actor_loss)(actor)
    actor, actor_state = adam(actor, g, actor_state)
    state = (actor, critic, polyak(actor_target, actor), polyak(critic_target, critic), actor_state, critic_state)
    return state, critic_value, actor_value


actor, critic = parameters((), (O, H, H, A), False), parameters((E,), (O + A, H, H, 1), layer_norm)


def fresh(p):
    return jax.tree.map(jnp.array, p)


def moments(p):
    return jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.float32(0)


state = (actor, critic, fresh(actor), fresh(critic), moments(actor), moments(critic))
normal = lambda *shape: jax.random.normal(next(keys), shape)
batch = (
    normal(B, O),
    jax.random.uniform(next(keys), (B, A), minval=-1, maxval=1),
    normal(B, 1),
    normal(B, O),
    (jax.random.uniform(next(keys), (B, 1)) < 0.05).astype(jnp.float32),
    jnp.clip(0.2 * normal(B, A), -0.5, 0.5),
    jnp.array([3, 7]),
)
step = jax.jit(update, donate_argnums=0)


def burst(seconds):
    global state
    count, start, last, fastest = 0, time.perf_counter(), 0.0, float("inf")
    while True:
        state, value, _ = step(state, batch)
        value.block_until_ready()
        count += 1
        passed = time.perf_counter() - start
        fastest, last = min(fastest, passed - last), passed
        if passed >= seconds:
            return f"{count / passed} {1 / fastest}"


burst(0)
burst(0)
print(f"ready jax {jax.__version__}", flush=True)
for line in sys.stdin:
    print(burst(float(line.split()[1])), flush=True)
