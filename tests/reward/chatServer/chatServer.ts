import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTinyVlm, type Readout } from './tinyVlm.js';

/** A chat server over a real model on the loopback, for tests: started, killed, started again on the same port or not. */
export interface ChatServer {
  /** `http://127.0.0.1:port/v1` */
  readonly endpoint: string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** Why tests with the server are left out here; undefined where they run. */
export const chatServerMissing: string | undefined = (() => {
  const { resolve } = createRequire(import.meta.url);
  try {
    resolve('@fugood/llama.node');
    resolve(`@fugood/node-llama-${process.platform}-${process.arch}/package.json`);
    return undefined;
  } catch {
    return '@fugood/llama.node is not installed';
  }
})();

/** @param options `key`: the API key it asks for; `untrained`: without what was learned */
export async function startChatServer(
  options: { readonly key?: string; readonly untrained?: boolean } = {},
): Promise<ChatServer> {
  const folder = mkdtempSync(join(tmpdir(), 'vernier-chat-'));
  const { model, projector } = makeTinyVlm(options.untrained ? undefined : readout());
  writeFileSync(join(folder, 'model.gguf'), model);
  writeFileSync(join(folder, 'projector.gguf'), projector);
  const child = fork('tests/reward/chatServer/server.ts', [folder], {
    execArgv: ['--conditions=vernier-src', '--import', './tests/tools/typescript.mjs'],
    env: { ...process.env, ...(options.key === undefined ? {} : { CHAT_SERVER_KEY: options.key }) },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  void ended.then(() => rmSync(folder, { recursive: true, force: true }));
  const endpoint = await listening(child);
  return {
    endpoint,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function readout(): Readout {
  return JSON.parse(readFileSync(new URL('readout.json', import.meta.url), 'utf8')) as Readout;
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let complaint = '';
    child.stderr!.on('data', (data: Buffer) => {
      complaint += data.toString();
    });
    child.on('message', (address) => resolve(address as string));
    child.on('close', (code) => reject(new Error(`the chat server ended with ${code}: ${complaint}`)));
  });
}
