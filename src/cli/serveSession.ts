import { createHash } from 'node:crypto';
import type { CliContext } from '#cli/context';
import { makeDisplay } from '#cli/display';
import { describeFailure } from '#cli/failure';
import { compact } from '#cli/format';
import { catchInterrupt } from '#cli/interrupt';
import { shownPath } from '#cli/runFolder';
import type { ServeFlags } from '#cli/serve';
import { loadSubject, requireBundle } from '#cli/subject';
import { readFileBytes } from '#core/container';
import { VernierError } from '#core/errors';
import { PolicyServer } from '#deploy/policyServer';
import { type PolicyService, policyService } from '#deploy/policyService';
import { makeBase, makePolicy } from '#policy/bundle';
import { readCurveKeys, readPublicKey, writeCurveKeys } from '#transport/zeromq/curveKeys';
import { type CurveServer, newCurveKeys, RouterSocket } from '#transport/zeromq/sockets';

const STATUS_MS = 1000;
/** A request is too small to be worth waking another core for. */
const ONE_THREAD = { threads: 1 };

export async function serveFromCommandLine(
  what: string | undefined,
  flags: ServeFlags,
  context: CliContext,
): Promise<void> {
  if (flags.newKeys !== undefined) return makeKeys(flags.newKeys, context);
  if (what === undefined)
    throw new VernierError('USAGE', 'missing: what to serve', {
      hint: 'vernier serve <run folder or bundle>',
    });
  const curve = curveServer(flags);
  const service = await bundleService(what, flags, context);
  const display = makeDisplay({ stream: process.stderr, plainIntervalMs: 60_000 });
  const interrupt = catchInterrupt((text) => display.line(text));
  try {
    const router = await RouterSocket.bind(`tcp://${flags.host}:${flags.port}`, curve);
    const onDefect = (error: unknown): void => display.line(describeFailure(error, true).text);
    const server = new PolicyServer({ router, service, arrays: flags.encoding, onDefect });
    if (curve === undefined && !isLoopback(flags.host)) display.line(WIDE(flags.host));
    context.out(describe(service, flags, server.endpoint));
    const ticking = setInterval(() => display.status(statusLine(server)), STATUS_MS);
    await untilAborted(interrupt.signal);
    clearInterval(ticking);
    display.status('');
    await server.close();
    context.out(`stopped: ${countsLine(server)}`);
  } finally {
    display.close();
    interrupt.dispose();
  }
}

async function makeKeys(name: string, context: CliContext): Promise<void> {
  const { files } = writeCurveKeys(name, await newCurveKeys());
  context.out(`${files[0]} is for clients, ${files[1]} for the server alone`);
}

function curveServer({ curveKeys, curveClients }: ServeFlags): CurveServer | undefined {
  if (curveKeys === undefined) {
    if (curveClients === undefined) return undefined;
    throw new VernierError('USAGE', '--curve-clients means nothing without --curve-keys');
  }
  const clients = curveClients && { clients: curveClients.map(readPublicKey) };
  return { keys: readCurveKeys(curveKeys), ...clients };
}

async function bundleService(what: string, flags: ServeFlags, context: CliContext): Promise<PolicyService> {
  const subject = await loadSubject(what, context.overrides, flags.task);
  if (subject.formula)
    throw new VernierError(
      'USAGE',
      `${shownPath(subject.formula.path)} plans in a simulation of its own: it is not served`,
    );
  const { path, policy: bundle } = requireBundle(subject);
  const { O, A } = bundle;
  const identity = {
    server: 'vernier',
    task: bundle.task,
    task_hash: bundle.taskHash,
    robot_hash: bundle.robotHash,
    control_period: bundle.controlPeriod,
    observation: bundle.observationFields,
    actions: bundle.actionNames,
    fingerprint: fingerprintOf(path, flags.policy),
  } as const;
  return policyService(identity, (B) =>
    flags.policy === 'base'
      ? makeBase(bundle.base, { B, O, A }, ONE_THREAD)
      : makePolicy(bundle, B, ONE_THREAD),
  );
}

/** Of the bundle and of which of its policies is served. */
function fingerprintOf(path: string, policy: string): string {
  return createHash('sha256').update(policy).update(readFileBytes(path)).digest('hex').slice(0, 16);
}

const WIDE = (host: string): string =>
  `warning: listening at ${host} without --curve-keys: whoever reaches this port can use the policy and read what is sent`;

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function describe({ info }: PolicyService, { policy, curveKeys }: ServeFlags, endpoint: string): string {
  const answer = info.stateful ? 'one action an answer, a state for every client' : `chunks of ${info.chunk}`;
  const how = curveKeys === undefined ? '' : ', encrypted';
  return `serving ${info.task}, ${policy}, at ${endpoint}${how}: ${answer} (Ctrl-C ends)`;
}

function countsLine({ counts }: PolicyServer): string {
  const { answered, refused, busy, expired } = counts;
  const parts = [`${compact(answered)} answered`, `${refused} refused`, `${busy} busy`, `${expired} expired`];
  return parts.filter((part, i) => i === 0 || !part.startsWith('0 ')).join(', ');
}

function statusLine(server: PolicyServer): string {
  const times = [...server.recent].sort((a, b) => a - b);
  if (times.length === 0) return 'no request yet';
  const [half, most] = [times[Math.floor(times.length / 2)]!, times[Math.floor(times.length * 0.99)]!];
  return `${countsLine(server)}; the last ${times.length}: p50 ${half.toFixed(2)} ms, p99 ${most.toFixed(2)} ms`;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
