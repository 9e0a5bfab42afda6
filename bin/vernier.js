#!/usr/bin/env node
// Stays thin and unbuilt, so that npx can link it in a clone before anything is compiled.
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (Number.parseInt(process.versions.node, 10) < 20) {
  console.error(`vernier needs Node 20 or later, this is ${process.versions.node}`);
  process.exitCode = 3;
} else if (!existsSync(main)) {
  console.error('vernier is not built yet: run `npm ci` in its folder first');
  process.exitCode = 3;
} else {
  const { runCli } = await import(main.href);
  process.exitCode = await runCli(process.argv.slice(2));
}
