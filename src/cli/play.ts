import { Command } from 'commander';
import { type PolicyName, pictureSize, policyOption, videoOption, wholeNumber } from '#cli/arguments';
import type { CliContext } from '#cli/context';

export interface PlayFlags {
  readonly policy?: PolicyName;
  readonly task?: string;
  readonly episodes: number;
  readonly seed?: number;
  readonly out?: string;
  readonly size: { readonly width: number; readonly height: number };
  readonly camera?: readonly string[];
  readonly frames: number;
  readonly strip?: boolean;
  readonly video?: string | true;
}

export function playCommand(context: CliContext): Command {
  return new Command('play')
    .description('pictures and films of episodes: a PNG strip each, an mp4 where ffmpeg is installed')
    .argument('<what>', 'a run folder, a bundle (.vrn), or a task')
    .addOption(policyOption())
    .option('--task <file>', 'the task of a bundle that was not trained on a shipped one')
    .option('--episodes <n>', 'how many', wholeNumber, 3)
    .option('--seed <n>', 'seed of the starts (default: evaluation.seed)', wholeNumber)
    .option('--out <folder>', 'where to (default: the run folder, or play/<task>)')
    .option('--size <WxH>', 'of a frame, in pixels', pictureSize, { width: 640, height: 480 })
    .option(
      '--camera <view>',
      'a camera of the task or the model, or x,y,z,distance,azimuth,elevation; again for more, side by side (default: the whole model)',
      (view: string, before: readonly string[] = []) => [...before, view],
    )
    .option('--frames <n>', 'of a strip', wholeNumber, 6)
    .option('--strip', 'no mp4')
    .addOption(videoOption('one film of all episodes, in the place of one each'))
    .addHelpText(
      'after',
      `
Examples:
  $ vernier play runs/demo
  $ vernier play runs/demo --policy base --episodes 5
  $ vernier play lift --policy expert --size 320x240
  $ vernier play runs/demo --video demo.mp4 --camera overview --camera side
`,
    )
    .action(async (what: string, flags: PlayFlags) => {
      const { playFromCommandLine } = await import('#cli/playSession');
      await playFromCommandLine(what, flags, context);
    });
}
