import { execFileSync } from 'node:child_process';
import { packageRoot } from '#native/addon';

const git = (...parameters: string[]): string =>
  execFileSync('git', parameters, { cwd: packageRoot, encoding: 'utf8', stdio: 'pipe' }).trim();

/** Of what a bench measures: the commit, `unknown` outside a checkout, and whether the sources differ from it. */
export function commit(): string {
  try {
    return git('rev-parse', '--short', 'HEAD');
  } catch {
    return 'unknown';
  }
}

export function commitWithChanges(): string {
  return `${commit()}${git('status', '--porcelain', 'src', 'native', 'bench') ? ' with changes' : ''}`;
}
