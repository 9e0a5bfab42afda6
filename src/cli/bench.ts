import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { CliContext } from '#cli/context';
import { nearestName, VernierError } from '#core/errors';
import { packageRoot } from '#native/addon';

const PREFIX = 'bench:';

/** The benchmarks of the package: its npm scripts `bench:<name>`. */
function benchmarks(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  return Object.keys(scripts)
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => name.slice(PREFIX.length));
}

/** Runs a benchmark in the package's folder; resolves to its exit code. */
function runBenchmark(name: string, args: readonly string[]): Promise<number> {
  const command = ['run', '--silent', `${PREFIX}${name}`, ...(args.length > 0 ? ['--', ...args] : [])];
  const child = spawn('npm', command, {
    cwd: packageRoot,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  return new Promise((resolve, reject) => {
    child.on('error', (cause) =>
      reject(
        new VernierError('BACKEND', 'npm did not start', {
          hint: 'benchmarks run from a clone with npm',
          cause,
        }),
      ),
    );
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

export function benchCommand(context: CliContext): Command {
  return new Command('bench')
    .description('run a benchmark of this machine; each prints ratios against a peer in the same run')
    .argument('[name]', 'which one; without it, they are listed')
    .argument('[args...]', 'passed on, after --')
    .addHelpText(
      'after',
      `
Examples:
  $ vernier bench
  $ vernier bench physics
`,
    )
    .action(async (name: string | undefined, args: readonly string[]) => {
      const known = benchmarks();
      if (name === undefined) {
        for (const each of known) context.out(each);
        return;
      }
      if (!known.includes(name)) {
        const near = nearestName(name, known);
        throw new VernierError(
          'USAGE',
          `no benchmark ${JSON.stringify(name)}; there are: ${known.join(', ')}`,
          {
            ...(near ? { hint: `did you mean ${near}?` } : {}),
          },
        );
      }
      context.setExitCode(await runBenchmark(name, args));
    });
}
