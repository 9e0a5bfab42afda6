import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

/** Peers in Python, where an interpreter has pyzmq, msgpack and numpy: `.ci/run` puts one into build/test-venv. */

const has = (python: string): boolean => spawnSync(python, ['-c', 'import zmq, msgpack, numpy']).status === 0;

const candidates = [process.env['VERNIER_PYTHON'], resolve('build/test-venv/bin/python'), 'python3'];
export const python = candidates.find((path): path is string => path !== undefined && has(path));

/** Runs a peer to its end. @returns what it printed, as JSON */
export async function runPeer(name: string, args: readonly string[]): Promise<Record<string, unknown>> {
  const child = spawn(python!, [resolve('tests/deploy/peers', name), ...args]);
  const [out, error] = [collect(child.stdout), collect(child.stderr)];
  const [status] = await once(child, 'close');
  if (status !== 0) throw new Error(`${name} ended with ${status}:\n${error()}`);
  return JSON.parse(out());
}

/** Starts a peer. @returns the first line it prints, which is its endpoint */
export async function startPeer(
  name: string,
  args: readonly string[],
): Promise<{ readonly child: ChildProcess; readonly endpoint: string }> {
  const child = spawn(python!, [resolve('tests/deploy/peers', name), ...args]);
  const error = collect(child.stderr);
  const line = await Promise.race([
    once(child.stdout, 'data').then(([chunk]) => String(chunk).trim()),
    once(child, 'close').then(([status]) => {
      throw new Error(`${name} ended with ${status}:\n${error()}`);
    }),
  ]);
  return { child, endpoint: line };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.on('data', (chunk) => {
    text += chunk;
  });
  return () => text;
}
