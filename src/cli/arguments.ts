import { InvalidArgumentError, Option } from 'commander';

/** A whole number from the command line. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}

/** `640x480`. */
export function pictureSize(text: string): { readonly width: number; readonly height: number } {
  const match = /^(\d+)x(\d+)$/.exec(text);
  const [width, height] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || width < 16 || height < 16) {
    throw new InvalidArgumentError('Expected width x height in pixels, for example 640x480.');
  }
  return { width, height };
}

const POLICY_NAMES = ['policy', 'base', 'expert', 'zero', 'random'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/** `--policy`: who acts in the episodes of a run, a bundle or a task. */
export function policyOption(description = 'who acts (default: policy, or expert for a task)'): Option {
  return new Option('--policy <name>', description).choices(POLICY_NAMES);
}

/** The same for several. */
export function policiesOption(description: string): Option {
  return new Option('--policy <names...>', description).choices(POLICY_NAMES);
}

/** `--video [file]`: true where no file is named. */
export function videoOption(what: string): Option {
  return new Option(
    '--video [file]',
    `${what}: .mp4 where ffmpeg is installed, .apng needs nothing (default: video.mp4 or video.apng)`,
  );
}
