import { kinematicPeg } from '/work/wt/learn/tests/learn/kinematicPeg.ts';
import { collectDemos, labelDemos } from '#learn/collect';
import { cloneBase, chunkSpecOf } from '#learn/bc';
import { fitNormaliser } from '#policy/normaliser';
import { ChunkPolicy } from '#policy/chunkPolicy';
import { ResidualPolicy } from '#policy/residualPolicy';
import { Trainer } from '#learn/trainer';
import { evaluate } from '#learn/evaluate';
import { baseSchema, residualSchema, demosSchema, expandResidual } from '#spec/learningSchema';
const over = eval('(' + (process.argv[2] ?? '{}') + ')');
for (const seed of over.seeds ?? [0]) {
const problem = kinematicPeg();
const ds = demosSchema.parse({ episodes: 15, seed: 1000 + seed });
const bs = baseSchema.parse({ hidden: [128,128], steps: 3000, batch: 64, validation: 0, weight_decay: 0, seed, ...over.base });
const rs = residualSchema.parse(expandResidual({ seed, environments: 8, steps: 6000, ...over.residual }));
const c = await collectDemos(problem, { settings: ds });
const n = fitNormaliser(c!.demos.observation, problem.O, c!.demos.action, problem.A, { scale: rs.scale, rangeFloor: 0.1, stdFloor: 0.1 });
let t0 = performance.now();
const net = await cloneBase({ demos: c!.demos, normaliser: n, settings: bs, compile: {}, report: () => {}, stop: () => false });
console.log('bc', ((performance.now() - t0)/1000).toFixed(1), 's; expert', c!.successes, '/', c!.tried);
const spec = chunkSpecOf(bs, problem.O, problem.A);
const mk = (B: number) => new ChunkPolicy(B, spec, net!, n);
const evalEnv = await problem.makeEnv({ environments: 200, seed: 0 });
const b = await evaluate(evalEnv, mk(200), { episodes: 200, seed: 900000 });
console.log('base', b.rate);
const demos = await labelDemos(c!.demos, mk(1), { nStep: rs.n_step, gamma: rs.gamma });
const env = await problem.makeEnv({ environments: rs.environments, seed: rs.seed });
const tr = new Trainer({ env, base: mk(rs.environments), normaliser: n, demos, settings: rs, compile: {} });
await tr.begin();
const pol = new ResidualPolicy(mk(200), tr.agent.trained(), n, rs.scale);
t0 = performance.now(); let next = 1000;
while (!tr.finished) {
  await tr.advance();
  if (tr.counters.environmentSteps >= next) { next += 1000; const t = performance.now();
    const e = await evaluate(evalEnv, pol, { episodes: 200, seed: 900000 });
    console.log(seed, tr.counters.environmentSteps, tr.counters.criticUpdates, e.rate, ((performance.now() - t0)/1000).toFixed(1)+'s', 'eval', ((performance.now()-t)/1000).toFixed(2), JSON.stringify(tr.takeAverages())); }
}
}
