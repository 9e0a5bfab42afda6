import { Command } from 'commander';
import type { CliContext } from '#cli/context';

export function exportCommand(context: CliContext): Command {
  return new Command('export')
    .description('a trained policy as ONNX networks and one JSON that says how to use them')
    .argument('<what>', 'a run folder or a bundle (.vrn)')
    .option('--task <file>', 'the task of a bundle that was not trained on a shipped one')
    .option('--out <folder>', 'where to (default: export/<task>)')
    .addHelpText(
      'after',
      `
Writes policy.vrn, which Vernier loads, and for everything else base.onnx, residual.onnx and policy.json:
observation order with units, action names, scales, chunk length, control period, hashes of task and robot.

Examples:
  $ vernier export runs/demo
  $ vernier export runs/demo --out /tmp/policy
`,
    )
    .action(async (what: string, flags: { task?: string; out?: string }) => {
      const { exportFromCommandLine } = await import('#cli/exportSession');
      await exportFromCommandLine(what, flags, context);
    });
}
