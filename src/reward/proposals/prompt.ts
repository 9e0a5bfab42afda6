import { functionNames } from '#expr/functions';
import { unitNames } from '#expr/unit';
import type { ProposalKind } from '#reward/proposals/proposal';
import type { ResolvedTask } from '#spec/resolved';

/** The question for a proposal: the task, its names and units, the language, what came of the proposals so far. */

const LANGUAGE = `The language has numbers, conditions (true, false), vectors [x, y, z] and their members .x .y .z. Operators: + - * / ^,
< <= > >= == !=, and, or, not, if(condition, a, b). No loops, no assignments, no own functions. Numbers may carry a unit
without a space inside it: 3 mm, 0.2 m/s, 20 deg. Both sides of +, - and of a comparison need the same unit; a number
without a unit takes the one of the other side. exp, log and tanh take numbers without a unit: tanh(lateral / 0.1 m).
Names of the model have members: X.position, X.velocity, X.yaw, X.quaternion of bodies and sites; J.position, J.velocity of
joints; ee.position, gripper.width; contact(a, b), force(a, b), distance(a, b), angle(a, b).`;

const FORMS: Readonly<Record<ProposalKind, string>> = {
  program: `Write a potential: one number without a unit that is 0 far from success, 1 at success, always within [0, 1], and rises
all the way there. Name its parts, so that each can be looked at. Answer with one block:
\`\`\`yaml
parts:
  near: "1 - tanh(norm(error) / 0.1 m)"
potential: "clamp(near, 0, 1)"
\`\`\``,
  factors: `Write up to 6 numbers by which a single step of an episode may be judged, such as distances, speeds, contacts. How they
weigh is learned. Answer with one block:
\`\`\`yaml
parts: {}
factors: ["norm(error) / 0.1 m", "if(contact(peg, hole), 1, 0)"]
\`\`\``,
  subgoals: `Write 2 to 6 conditions that a good episode reaches one after the other, the last one shortly before success. None may
hold at the start. Answer with one block:
\`\`\`yaml
parts: {}
subgoals: ["lateral < 20 mm", "lateral < 3 mm and error.z > -5 mm"]
\`\`\``,
};

export const systemText =
  'You write rewards for robots in a small expression language. You answer with one fenced YAML block and nothing else.';

export interface Attempt {
  readonly answer: string;
  /** Why it was refused, or its measures. */
  readonly outcome: string;
  /** Undefined where it never ran. */
  readonly curves: string | undefined;
}

/** @param attempts earlier ones, oldest first; the last two are shown */
export function proposalPrompt(task: ResolvedTask, kind: ProposalKind, attempts: readonly Attempt[]): string {
  const { spec, program, names, horizon, control } = task;
  const signals = program.signalNames.map(
    ({ name, length, unit }) => `${name} (${length === 1 ? '' : `${length}-vector, `}${unit})`,
  );
  const things = (list: readonly string[]) =>
    list
      .filter((name) => name !== '' && name !== 'world')
      .slice(0, 60)
      .join(', ');
  const lines = [
    `The task: ${spec.description}`,
    `An episode lasts at most ${horizon} steps of ${control.period} s. Success: ${spec.success ?? 'a formula'}`,
    `Signals with their units: ${signals.join(', ')}. They are defined as:`,
    ...Object.entries(spec.signals).map(([name, text]) => `  ${name}: ${text}`),
    `Bodies: ${things(names.body)}. Sites: ${things(names.site)}. Joints: ${things(names.joint)}.`,
    LANGUAGE,
    `Functions: ${functionNames.join(', ')}. Units: ${[...unitNames.keys()].join(', ')}.`,
    FORMS[kind],
  ];
  for (const { answer, outcome, curves } of attempts.slice(-2))
    lines.push(
      'An earlier answer was:',
      answer.slice(0, 3000),
      `What came of it: ${outcome}`,
      ...(curves ? [curves] : []),
    );
  if (attempts.length > 0) lines.push('Write a better one.');
  return lines.join('\n');
}
