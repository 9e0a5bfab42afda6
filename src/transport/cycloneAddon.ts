import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VernierError } from '#core/errors';

/** The sole loader of the addon over Cyclone DDS. */

const ABI = 2;
const build = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'build');

export interface NativeQuality {
  readonly reliable: boolean;
  readonly transientLocal: boolean;
  readonly depth: number;
  /** Nanoseconds; 0: none. */
  readonly deadline: number;
  /** What the other side sees beside the endpoint. */
  readonly userData: string;
}

/** A message's reader, bytes (the receiver's), time of sending (nanoseconds since 1970), age since it came
 * (nanoseconds), and the handle of its writer. */
export type OnNativeMessage = (
  reader: number,
  bytes: Uint8Array,
  sent: bigint,
  age: number,
  writer: bigint,
) => void;

/** A participant of DDS; endpoints are numbers. Errors are of codes BACKEND, STATE, TIMEOUT, USAGE. */
export interface NativeParticipant {
  addWriter(topic: string, type: string, quality: NativeQuality): number;
  addReader(topic: string, type: string, quality: NativeQuality): number;
  remove(endpoint: number): void;
  write(writer: number, message: Uint8Array): void;
  matched(endpoint: number): number;
  deadlineMisses(reader: number): number;
  /** The policy by which the last one did not fit; empty where all fitted. */
  misfit(endpoint: number): string;
  /** @shape [16] */
  guid(endpoint?: number): Uint8Array;
  /** Whether what `writer` sends reaches the one whose request came from `requester` at `reader`. */
  reaches(reader: number, requester: bigint, writer: number): boolean;
  close(): void;
}

interface CycloneAddon {
  readonly abi: number;
  /** Of the headers that it was built with. */
  readonly version: string;
  readonly Participant: new (
    domain: number,
    userData: string,
    onMessage: OnNativeMessage,
  ) => NativeParticipant;
}

export type CycloneStatus =
  | { readonly kind: 'loaded'; readonly addon: CycloneAddon }
  | { readonly kind: 'missing'; readonly reason: string };

let cached: CycloneStatus | undefined;

/** Loads the addon once; a missing one is a value with its reason. */
export function cycloneStatus(): CycloneStatus {
  cached ??= load();
  return cached;
}

/** The line that brings the addon. */
export const cycloneFix = 'apt-get install cyclonedds-dev, then npm run build';

function load(): CycloneStatus {
  const path = join(build, 'Release', 'vernier_dds.node');
  if (!existsSync(path)) return { kind: 'missing', reason: whyNotBuilt() };
  try {
    const addon = createRequire(import.meta.url)(path) as CycloneAddon;
    if (addon.abi === ABI) return { kind: 'loaded', addon };
    return { kind: 'missing', reason: `it was built for another version (abi ${addon.abi}, need ${ABI})` };
  } catch (error) {
    return { kind: 'missing', reason: `it does not load: ${(error as Error).message}` };
  }
}

function whyNotBuilt(): string {
  const notes = join(build, 'dds-notes.json');
  const [note] = existsSync(notes) ? (JSON.parse(readFileSync(notes, 'utf8')) as string[]) : [];
  return note?.split(/[;\n]/)[0] ?? 'it has not been built';
}

/** @throws BACKEND where the addon is not there, with the line that brings it */
export function requireCyclone(): CycloneAddon {
  const status = cycloneStatus();
  if (status.kind === 'loaded') return status.addon;
  throw new VernierError('BACKEND', `the transport over Cyclone DDS is not available: ${status.reason}`, {
    hint: cycloneFix,
  });
}
