import { VernierError } from '#core/errors';
import { add, broadcastTo } from '#nn/ops';
import { sameShape } from '#nn/shape';
import { constant, type Tensor } from '#nn/tensor';

/** Every node the roots depend on, inputs before users; what is `known` is left out, with all it depends on alone. */
export function topologicalOrder(roots: Iterable<Tensor>, known?: { has(node: Tensor): boolean }): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  const stack: { node: Tensor; next: number }[] = [];
  for (const root of roots) {
    if (seen.has(root) || known?.has(root)) continue;
    seen.add(root);
    stack.push({ node: root, next: 0 });
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const child = top.node.inputs[top.next++];
      if (!child) {
        order.push(top.node);
        stack.pop();
      } else if (!seen.has(child) && !known?.has(child)) {
        seen.add(child);
        stack.push({ node: child, next: 0 });
      }
    }
  }
  return order;
}

/** Reverse-mode derivatives of a scalar with respect to each tensor of `wrt`, as new graph nodes.
 * A tensor the loss does not depend on gets zeros. */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (loss.size !== 1) {
    throw new VernierError('SHAPE', `grad: the loss has shape [${loss.shape}], it must be one number`, {
      hint: 'reduce it with mean() or sum()',
    });
  }
  const order = topologicalOrder([loss]);
  const depends = new Set<Tensor>(wrt);
  for (const node of order) {
    if (node.pullback && node.inputs.some((i) => depends.has(i))) depends.add(node);
  }
  const gradients = new Map<Tensor, Tensor>([[loss, broadcastTo(constant(1), loss.shape)]]);
  for (const node of order.reverse()) {
    const gradient = gradients.get(node);
    if (!gradient || !node.pullback || !depends.has(node) || !node.inputs.some((i) => depends.has(i)))
      continue;
    accumulate(gradients, node, node.pullback(gradient, node), depends);
  }
  return wrt.map((w) => gradients.get(w) ?? broadcastTo(constant(0), w.shape));
}

function accumulate(
  gradients: Map<Tensor, Tensor>,
  node: Tensor,
  parts: readonly (Tensor | undefined)[],
  depends: ReadonlySet<Tensor>,
): void {
  parts.forEach((part, i) => {
    const target = node.inputs[i]!;
    if (!part || !depends.has(target)) return;
    // A gradient that is the same for every element may come unbroadcast (where(c, g, 0) of a scalar g).
    const full = sameShape(part.shape, target.shape) ? part : broadcastTo(part, target.shape);
    const sofar = gradients.get(target);
    gradients.set(target, sofar ? add(sofar, full) : full);
  });
}
