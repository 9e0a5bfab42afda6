import { table } from '#cli/format';
import type { ResolvedTask } from '#spec/resolved';

interface Named {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly unit: string;
}

const range = ({ offset, length }: Named): string =>
  length === 1 ? `${offset}` : `${offset}..${offset + length - 1}`;

function slots(title: string, names: readonly Named[]): string[] {
  if (names.length === 0) return [];
  const rows = names.map((slot) => ['', range(slot), slot.name, slot.unit === '1' ? '' : slot.unit]);
  return ['', title, ...table(rows)];
}

/** What a task is made of, as text: sizes, names and units, in the order the policy sees them. */
export function describeTask(task: ResolvedTask): string[] {
  const { control, program, robot, spec } = task;
  const seconds = (task.horizon * control.period).toFixed(1);
  const facts = [
    ['file', task.file],
    ['hash', task.hash.slice(0, 16)],
    ['robot', `${robot.spec.name}, ${robot.arm.joints.length} joints${robot.gripper ? ', gripper' : ''}`],
    ['scene', spec.scene ?? 'the robot alone'],
    [
      'control',
      `${control.mode}, ${control.period} s per step of ${control.substeps} substeps of ${control.timestep} s`,
    ],
    ['horizon', `${task.horizon} steps, ${seconds} s`],
    ...(spec.success === undefined
      ? []
      : [['success', `${spec.success}${task.successHold > 1 ? `, for ${task.successHold} steps` : ''}`]]),
    ...(task.monitors?.specification ? [['spec', task.monitors.specification.text]] : []),
    ...(task.monitors?.guards.map(({ name, terminates }) => [
      'guard',
      `${name}, ${terminates ? 'ends the episode' : 'is counted'}`,
    ]) ?? []),
    ...(spec.failure === undefined ? [] : [['failure', String(spec.failure)]]),
    ['action', `${task.actionLength}: ${task.actionNames.join(', ')}, each in [-1, 1]`],
    ['randomised', task.randomize.map(({ kind }) => kind).join(', ') || 'nothing'],
    [
      'expert',
      task.expert ? `way-points ${task.expert.waypoints.map(({ name }) => name).join(', ')}` : 'none',
    ],
  ];
  return [
    `task ${task.name}${spec.description ? `: ${spec.description}` : ''}`,
    ...table(facts.map((row) => ['', ...row])),
    ...slots(`observation, ${task.observationLength} numbers`, program.observationNames),
    ...slots('signals', program.signalNames),
    ...slots('reward terms', program.rewardNames),
  ];
}
