import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CliContext } from '#cli/context';
import { shownPath } from '#cli/runFolder';
import { loadSubject, requireBundle } from '#cli/subject';
import { type Container, decodeContainer, readFileBytes } from '#core/container';
import type { FormulaBundle } from '#learn/tgpo/formulaBundle';
import type { BaseModel, PolicyBundle } from '#policy/bundle';

/** What each network takes and gives, in the words of policy.json. */
const NETWORKS = {
  base: {
    array: 'base.onnx',
    use: 'observation [1,O] -> actions [1,H*A]: the next H actions, in [-1, 1]; ask again when they are used up',
  },
  residual: {
    array: 'actor.onnx',
    use:
      'observation [1,O], phase [1,1] = k/H of the action taken from the chunk, base [1,A], scale [1] -> residual ' +
      '[1,A]; executed action = clip(base + actionHalf * residual, -1, 1)',
  },
} as const;

function contract(
  bundle: PolicyBundle,
  networks: readonly (keyof typeof NETWORKS)[],
): Record<string, unknown> {
  const { base, normaliser, trained, O, A, scale, made, ...header } = bundle;
  return {
    ...header,
    observationLength: O,
    actionLength: A,
    residualScale: scale,
    base: baseContract(base),
    ...(trained ? { residual: trained.actor.spec, actionHalf: Array.from(normaliser.actionHalf) } : {}),
    networks: Object.fromEntries(
      networks.map((name) => [name, { file: `${name}.onnx`, use: NETWORKS[name].use }]),
    ),
    made,
  };
}

function baseContract(base: BaseModel): Record<string, unknown> {
  if (base.kind === 'chunk') return { kind: base.kind, ...base.spec };
  return base.kind === 'remote' ? { ...base } : { kind: base.kind };
}

/** What the networks of a formula take and give, and how the task's plan comes in. */
function formulaContract(bundle: FormulaBundle): Record<string, unknown> {
  const { networks, settings, ...header } = bundle;
  const { O, A } = networks.shape;
  const input = `observation [1,${O}]: the task's, behind it the plan's as StageTracker.observe writes it`;
  return {
    ...header,
    observationLength: O,
    actionLength: A,
    settings,
    networks: {
      policy: { file: 'policy.onnx', use: `${input} -> action [1,A], to be clipped to [-1, 1]` },
      value: { file: 'value.onnx', use: `${input} -> value [1]` },
    },
  };
}

export async function exportFromCommandLine(
  what: string,
  flags: { readonly task?: string; readonly out?: string },
  context: CliContext,
): Promise<void> {
  const subject = await loadSubject(what, context.overrides, flags.task);
  const { formula } = subject;
  const { path } = formula ?? requireBundle(subject);
  const folder = flags.out ?? join('export', subject.task.name);
  mkdirSync(folder, { recursive: true });
  const { arrays }: Container = decodeContainer(readFileBytes(path), { code: 'CHECKPOINT', label: path });
  const write = (name: string, array: string): boolean => {
    const onnx = arrays.get(array);
    if (onnx) writeFileSync(join(folder, `${name}.onnx`), onnx.data);
    return onnx !== undefined;
  };
  const written = formula
    ? (['policy', 'value'] as const).filter((name) => write(name, `${name}.onnx`))
    : (['base', 'residual'] as const).filter((name) => write(name, NETWORKS[name].array));
  const described = formula
    ? formulaContract(formula.policy)
    : contract(requireBundle(subject).policy, written as (keyof typeof NETWORKS)[]);
  writeFileSync(join(folder, 'policy.json'), `${JSON.stringify(described, null, 2)}\n`);
  copyFileSync(path, join(folder, 'policy.vrn'));
  const files = ['policy.vrn', 'policy.json', ...written.map((name) => `${name}.onnx`)];
  for (const file of files) context.out(shownPath(join(folder, file)));
}
