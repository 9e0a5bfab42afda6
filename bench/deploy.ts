import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { VernierError } from '#core/errors';
import { packageRoot } from '#native/addon';
import { commitWithChanges } from './commit.js';
import type { Latency } from './deploy/latency.js';
import { measureMessages } from './deploy/messages.js';
import { measureInference, measureMessage, measurePolicy, policyCases } from './deploy/policy.js';
import { type Lateness, measureTicks } from './deploy/ticks.js';
import { measureTransport } from './deploy/transport.js';

/** `npm run bench:deploy`: what lies between a policy and an arm. Round trips per transport beside C on the same Cyclone
 * DDS, lateness of the control thread, cost of messages, round trips of the policy server beside bare ZeroMQ; what is
 * compared is run in turns. Writes docs/results/deploy.md. */

const { values: options } = parseArgs({
  options: {
    turns: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '5' },
    'no-write': { type: 'boolean', default: false },
  },
});
const turns = Number(options.turns);
const seconds = Number(options.seconds);
const rates = [100, 500];

const number = (x: number): string => String(Number(x.toPrecision(3)));
const row = (cells: readonly string[]): string => {
  console.log(cells.join(' | '));
  return `| ${cells.join(' | ')} |`;
};
const both = ({ p50, p99 }: Latency): string[] => [number(p50), number(p99)];

async function transportTable(): Promise<string> {
  try {
    const { floor, addon, ratio } = await measureTransport({ turns });
    return [
      '| | p50 | p99 | p50 / C |',
      '|---|---|---|---|',
      row(['C to C', ...both(floor), '1']),
      row(['addon to addon, encoded and decoded', ...both(addon), number(ratio)]),
    ].join('\n');
  } catch (error) {
    if (!(error instanceof VernierError) || error.code !== 'BACKEND') throw error;
    console.log(error.message);
    return `Not measured on this machine: ${error.message}.`;
  }
}

async function tickRows(): Promise<string[]> {
  const rows: string[] = [];
  for (const rate of rates) {
    const { ticks, missed, floor, lateness, computation } = await measureTicks(rate, { seconds });
    const three = ({ p50, p99, max }: Lateness): string[] => [p50, p99, max].map(number);
    const computed = [number(computation.p50), number(computation.p99)];
    rows.push(
      row([`${rate} Hz`, String(ticks), ...three(floor), ...three(lateness), ...computed, String(missed)]),
    );
  }
  return rows;
}

function messageRows(): string[] {
  return measureMessages().map(({ name, bytes, encode, decode, json }) =>
    row([
      name,
      ...[String(bytes), number(encode), number(decode), number(json.encode), number(json.decode)],
      ...[number(json.encode / encode), number(json.decode / decode)],
    ]),
  );
}

async function policyRows(): Promise<string[]> {
  const rows: string[] = [];
  for (const one of policyCases) {
    const { name, requestBytes, answerBytes, floor, server, ratio } = await measurePolicy(one, { turns });
    const { encode, decode } = measureMessage(one);
    const sizes = [String(requestBytes), String(answerBytes)];
    rows.push(
      row([name, ...sizes, ...both(floor), ...both(server), number(ratio), number(encode), number(decode)]),
    );
  }
  return rows;
}

const before = loadavg()[0]!.toFixed(1);
const transport = await transportTable();
const ticks = await tickRows();
const messages = messageRows();
const inference = await measureInference();
const policy = await policyRows();

const report = `# From a policy to an arm

\`npm run bench:deploy\`, commit ${commitWithChanges()}, ${cpus()[0]!.model.trim()}, ${cpus().length} cores, load ${before} before and ${loadavg()[0]!.toFixed(1)} after the run (averages
of a minute), Node ${process.versions.node}. Microseconds unless said otherwise. What is compared ran in turns within this run, ${turns - 1} of each
after one that is not counted.

## Round trips over DDS

A \`sensor_msgs/JointState\` of 7 joints to another process and back, reliable, over the loopback; ours is encoded and decoded on
either side, the one in C is copied.

${transport}

## The control thread

How long after its deadline a tick begins, beside a thread that sleeps to the same deadlines and does nothing (bare), and what
it then computes (inputs, twin, policy, inverse kinematics, safety filter, trajectory); ms. Four turns of ${seconds} s of each, while the
main thread moves an arm and writes its state a thousand times a second: percentiles of the worse of the middle two
turns, the largest of all. Ticks that a late one passes over count as missed, not as late.

| rate | ticks | bare p50 | p99 | largest | lateness p50 | p99 | largest | computation p50 | p99 | missed deadlines |
|---|---|---|---|---|---|---|---|---|---|---|
${ticks.join('\n')}

## Messages

One core, the best of short stretches; JSON of the same content in the same process. Text costs this codec more to write than
JSON; the message that is all text goes out once a second.

| message | bytes of CDR | encode | decode | JSON encode | JSON decode | JSON / encode | JSON / decode |
|---|---|---|---|---|---|---|---|
${messages.join('\n')}

## The policy server

\`get_action\` to another process and back; the policy has widths 256 and 256 and answers 16 actions of 7 numbers, which takes
${number(inference)} us by itself. Beside it bare ZeroMQ (REQ and REP) with as many bytes either way, which are not looked at. The last two columns
are writing and reading the request.

| observation | bytes there | back | ZeroMQ p50 | p99 | server p50 | p99 | p50 / ZeroMQ | encode | decode |
|---|---|---|---|---|---|---|---|---|---|
${policy.join('\n')}
`;
if (!options['no-write']) {
  const out = join(packageRoot, 'docs', 'results', 'deploy.md');
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, report);
  console.log(`wrote ${out}`);
}
