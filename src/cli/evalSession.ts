import type { PolicyName } from '#cli/arguments';
import { describeBackends } from '#cli/backends';
import type { CliContext } from '#cli/context';
import type { EvalFlags } from '#cli/eval';
import { EXIT } from '#cli/failure';
import { table } from '#cli/format';
import { catchInterrupt } from '#cli/interrupt';
import { shownPath } from '#cli/runFolder';
import { loadSubject, makeNamedPolicy, requireBundle, type Subject } from '#cli/subject';
import { formatPaired, formatScore } from '#cli/trainView';
import { orCheckpoint } from '#cli/unfinished';
import { filmPolicies, videoPath } from '#cli/video';
import { makeEnv } from '#env/makeEnv';
import type { VectorEnv } from '#env/vectorEnv';
import { type Evaluation, type EvaluationOptions, evaluate } from '#learn/evaluate';
import { scoreOf } from '#learn/events';
import { comparePaired } from '#learn/statistics';

const TITLES: Readonly<Record<PolicyName, string>> = {
  policy: 'base + residual',
  base: 'base',
  expert: 'expert, with its noise',
  zero: 'zero',
  random: 'random',
};

async function evaluateNamed(
  subject: Subject,
  name: PolicyName,
  env: VectorEnv,
  options: EvaluationOptions,
): Promise<Evaluation> {
  const policy = await makeNamedPolicy(subject, name, env, options.seed);
  try {
    return await evaluate(env, policy, options);
  } finally {
    policy.close();
  }
}

export async function evaluateFromCommandLine(
  what: string,
  flags: EvalFlags,
  context: CliContext,
): Promise<void> {
  const loaded = await loadSubject(what, context.overrides, flags.task);
  const subject = orCheckpoint(loaded, (text) => process.stderr.write(`${text}\n`));
  const settings = subject.task.spec.evaluation;
  const { episodes = settings.episodes, seed = settings.seed, threads } = flags;
  const compared: readonly PolicyName[] = subject.formula ? ['policy'] : ['base', 'policy'];
  const names = flags.policy ? [flags.policy] : compared;
  const needsBundle = names.includes('base') || (names.includes('policy') && !subject.formula);
  if (needsBundle) requireBundle(subject);
  const video = flags.video === undefined ? undefined : videoPath(flags.video, subject.run?.folder ?? '.');
  const env = await makeEnv(subject.task, {
    environments: Math.min(settings.environments, episodes),
    seed,
    ...(threads === undefined ? {} : { threads }),
  });
  const interrupt = catchInterrupt((text) => process.stderr.write(`${text}\n`));
  try {
    if (!flags.json)
      context.out(`${subject.task.name}, ${episodes} episodes of seed ${seed}; ${describeBackends(threads)}`);
    const evaluations: Evaluation[] = [];
    for (const name of names) {
      evaluations.push(await evaluateNamed(subject, name, env, { episodes, seed, signal: interrupt.signal }));
    }
    if (video !== undefined) await filmPolicies(subject, names, video);
    const [first, second] = evaluations;
    const paired = first && second ? comparePaired(first.perEpisode, second.perEpisode) : undefined;
    const scores = evaluations.map(scoreOf);
    if (flags.json) {
      const policies = Object.fromEntries(names.map((name, i) => [name, scores[i]]));
      context.out(JSON.stringify({ task: subject.task.name, seed, policies, paired }, null, 2));
      return;
    }
    const rows = names.map((name, i) => [
      subject.formula && name === 'policy' ? 'policy' : TITLES[name],
      formatScore(scores[i]!),
      `${scores[i]!.meanLength.toFixed(1)} steps`,
    ]);
    for (const line of table(rows)) context.out(line);
    if (paired) context.out(formatPaired(paired));
    if (video !== undefined) context.out(`film: ${shownPath(video)}`);
    const faults = evaluations.reduce((sum, evaluation) => sum + evaluation.faults, 0);
    if (faults > 0) context.out(`${faults} simulations broke off and count as failures`);
  } catch (error) {
    // An interrupted evaluation is no error, and half of one is no result.
    if (!interrupt.requested) throw error;
    context.setExitCode(EXIT.interrupted);
  } finally {
    interrupt.dispose();
    env.close();
  }
}
