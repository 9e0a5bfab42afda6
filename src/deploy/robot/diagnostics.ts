import type { TimingStats } from '#deploy/robot/controlLink';
import { header } from '#deploy/robot/stamp';
import { standardCodec } from '#transport/messages';
import type { Message } from '#transport/messageValue';
import type { Publisher, Quality, RobotTransport } from '#transport/robotTransport';

export const levels = { ok: 0, warn: 1, error: 2, stale: 3 } as const;

/** One line of /diagnostics. */
export interface Health {
  readonly level: keyof typeof levels;
  readonly message: string;
  readonly values: Readonly<Record<string, string | number>>;
}

const quality: Quality = { reliability: 'reliable', durability: 'volatile', depth: 10 };
const PERIOD_MS = 1000;

/** Tells /diagnostics once a second how the node is. */
export class Diagnostics {
  readonly #publisher: Publisher;
  readonly #timer: NodeJS.Timeout;
  readonly #codec = standardCodec('diagnostic_msgs/msg/DiagnosticArray');

  /** @param hardware what the node drives: the robot's name */
  constructor(
    transport: RobotTransport,
    hardware: string,
    health: () => Health,
    onSent: (topic: string, type: string, bytes: Uint8Array) => void,
  ) {
    this.#publisher = transport.publisher('/diagnostics', this.#codec.type, quality);
    const name = transport.node.replace(/^\//, '');
    this.#timer = setInterval(() => {
      const bytes = this.#codec.encode(diagnosticArray(name, hardware, health()));
      this.#publisher.write(bytes);
      onSent('/diagnostics', this.#codec.type, bytes);
    }, PERIOD_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#publisher.close();
  }
}

function diagnosticArray(name: string, hardware: string, { level, message, values }: Health): Message {
  return {
    header: header(),
    status: [
      {
        level: levels[level],
        name: `${name}: control`,
        message,
        hardware_id: hardware,
        values: Object.entries(values).map(([key, value]) => ({ key, value: String(value) })),
      },
    ],
  };
}

/** Milliseconds, for people. */
export function timingValues(stats: TimingStats | undefined): Record<string, string | number> {
  if (!stats) return {};
  const ms = (nanoseconds: number): string => (nanoseconds / 1e6).toFixed(3);
  const { ticks, missed, lateness, computation } = stats;
  return {
    ticks,
    'deadlines missed': missed,
    'lateness p50 (ms)': ms(lateness.p50),
    'lateness p99 (ms)': ms(lateness.p99),
    'lateness max (ms)': ms(lateness.max),
    'computation p50 (ms)': ms(computation.p50),
    'computation p99 (ms)': ms(computation.p99),
    'computation max (ms)': ms(computation.max),
  };
}
