import { VernierError } from '#core/errors';

/** Splits `--residual.scale=0.2` and `--residual.scale 0.2` from the rest of the command line: any flag with a dot
 * in its name is an override of the task file. `--set horizon=80` says the same for keys without a dot. The values
 * stay text: the task's schema gives them their types. */
export function splitOverrides(argv: readonly string[]): { rest: string[]; overrides: string[] } {
  const rest: string[] = [];
  const overrides: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    if (argument === '--') return { rest: [...rest, ...argv.slice(i)], overrides };
    const dotted = /^--([A-Za-z_]\w*(?:\.\w+)+)(?:=(.*))?$/s.exec(argument);
    const set = /^--set(?:=(.*))?$/s.exec(argument);
    if (!dotted && !set) {
      rest.push(argument);
      continue;
    }
    let value = dotted ? dotted[2] : set![1];
    if (value === undefined) value = argv[++i];
    if (value === undefined) throw missingValue(argument);
    overrides.push(dotted ? `${dotted[1]!}=${value}` : checkedSet(value));
  }
  return { rest, overrides };
}

function checkedSet(assignment: string): string {
  if (/^[A-Za-z_]\w*(\.\w+)*=/.test(assignment)) return assignment;
  throw new VernierError('USAGE', `--set expects key=value, got ${JSON.stringify(assignment)}`, {
    hint: 'for example --set horizon=80',
  });
}

function missingValue(flag: string): VernierError {
  return new VernierError('USAGE', `${flag} expects a value`, { hint: `for example ${flag}=0.2` });
}
