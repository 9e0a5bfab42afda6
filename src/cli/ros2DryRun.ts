import type { CliContext } from '#cli/context';
import type { Ros2Flags } from '#cli/ros2';
import type { Subject } from '#cli/subject';
import { type DryTick, dryRun } from '#deploy/robot/dryRun';
import type { Prepared } from '#deploy/robot/robotProcess';

/** `vernier ros2 ... --dry-run bag.mcap`. */
export async function dryRunFromCommandLine(
  { subject, deployment, bundle }: Prepared & { readonly subject: Subject },
  flags: Ros2Flags,
  context: CliContext,
): Promise<void> {
  const { task } = subject;
  const joints = task.robot.arm.names;
  const guards = (task.monitors?.guards ?? []).map(({ name }) => name);
  if (flags.json !== true) {
    const columns = ['   time', 'step', ...joints.map((name) => name.slice(0, 8).padStart(8)), 'gripper'];
    context.out([...columns, ...guards, 'verdict'].join('  '));
  }
  const counts = new Map<string, number>();
  for await (const tick of dryRun({ task, deployment, bundle, bag: flags.dryRun! })) {
    counts.set(tick.verdict, (counts.get(tick.verdict) ?? 0) + 1);
    context.out(flags.json === true ? JSON.stringify(tick) : row(tick, joints.length, guards));
  }
  if (flags.json === true) return;
  const summary = [...counts].sort((a, b) => b[1] - a[1]).map(([verdict, count]) => `${verdict} ${count}`);
  context.out(`ticks by verdict: ${summary.join(', ')}`);
}

function row(tick: DryTick, joints: number, guards: readonly string[]): string {
  const { time, step, target, gripper, verdict, ended } = tick;
  const cells = target ? target.map((q) => q.toFixed(4).padStart(8)) : Array<string>(joints).fill('       -');
  const flags = guards.map((name) => (tick.guards[name] ? 'VIOLATED' : 'holds').padEnd(name.length));
  const hand = (gripper === undefined ? '-' : gripper.toFixed(4)).padStart(7);
  const end = ended === undefined ? '' : `; the episode ends: ${ended}`;
  return [
    time.toFixed(3).padStart(7),
    String(step).padStart(4),
    ...cells,
    hand,
    ...flags,
    `${verdict}${end}`,
  ].join('  ');
}
