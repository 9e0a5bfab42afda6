/** Time on one clock that never jumps, and what stamps of the system's clock mean on it. */
export interface SimClock {
  /** Seconds, monotonic. */
  now(): number;
  /** A stamp of ROS on this clock; undefined for the zero stamp, which means "on arrival". */
  fromStamp(stamp: RosTime): number | undefined;
  /** The stamp of a time on this clock. */
  toStamp(time: number): RosTime;
}

export interface RosTime {
  readonly sec: number;
  readonly nanosec: number;
}

/** Seconds by which the system's clock may run away before it is read anew. */
const MOST_DRIFT = 0.02;
/** Looks at both clocks until no more than so many milliseconds lie between, and the most of them. */
const CLOSE = 1;
const LOOKS = 5;

/** The process's monotonic clock, tied to the system's. The tie has the resolution of the process's start (a
 * microsecond or so), and follows when the system's clock is set. */
export function systemClock(
  monotonicMs: () => number = () => performance.now(),
  systemMs: () => number = () => Date.now(),
  originMs: number = performance.timeOrigin,
): SimClock {
  // Seconds of a whole origin and a remainder apart, so that nanoseconds survive.
  let origin = originMs;
  // A thread that waits for its turn between the two clocks would take the wait for drift.
  const drift = (): number => {
    for (let look = 0; look < LOOKS; look++) {
      const before = monotonicMs();
      const value = systemMs() - (origin + before);
      if (Math.abs(value) <= 1000 * MOST_DRIFT) return 0;
      if (monotonicMs() - before <= CLOSE) return value;
    }
    return 0;
  };
  const tie = () => {
    origin += drift();
    const whole = Math.floor(origin / 1000);
    return { whole, rest: (origin - 1000 * whole) / 1000 };
  };
  return {
    now: () => monotonicMs() / 1000,
    fromStamp: ({ sec, nanosec }) => {
      if (sec === 0 && nanosec === 0) return undefined;
      const { whole, rest } = tie();
      return sec - whole + 1e-9 * nanosec - rest;
    },
    toStamp: (time) => {
      const { whole, rest } = tie();
      const seconds = Math.floor(rest + time);
      const nanosec = Math.min(999_999_999, Math.round((rest + time - seconds) * 1e9));
      return { sec: whole + seconds, nanosec };
    },
  };
}
