import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { ensureBuild } from './cli.js';

/** A child that saves for a moment when it is told to stop; it prints a line for each stage. */
async function child(saveMs: number) {
  ensureBuild();
  const code = `
    const { catchInterrupt } = await import(${JSON.stringify(pathToFileURL(resolve('dist/cli/interrupt.js')).href)});
    const interrupt = catchInterrupt((text) => console.log(text));
    const alive = setInterval(() => {}, 1000);
    interrupt.signal.addEventListener('abort', () => setTimeout(() => {
      console.log('saved');
      clearInterval(alive);
      interrupt.dispose();
    }, ${saveMs}));
    console.log('running');
  `;
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  process_.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const said = async (text: string) => {
    while (!output.includes(text)) await once(process_.stdout, 'data');
  };
  await said('running');
  return { process: process_, said, output: () => output };
}

it.each(['SIGINT', 'SIGTERM'] as const)(
  'lets the command save and end after the first %s',
  async (signal) => {
    const running = await child(50);
    running.process.kill(signal);
    const [status] = await once(running.process, 'close');
    expect(running.output()).toContain('Ctrl-C again exits at once');
    expect(running.output()).toContain('saved');
    expect(status).toBe(0);
  },
);

it('exits at once after the second', async () => {
  const running = await child(60_000);
  running.process.kill('SIGINT');
  await running.said('stopping');
  running.process.kill('SIGINT');
  const [status] = await once(running.process, 'close');
  expect(running.output()).not.toContain('saved');
  expect(status).toBe(130);
});
