import type { Message } from '#transport/messageValue';

/** Milliseconds of a header's stamp; undefined where it was not set. */
export function stampMs(header: Message): number | undefined {
  const { sec, nanosec } = header['stamp'] as { readonly sec: number; readonly nanosec: number };
  return sec === 0 && nanosec === 0 ? undefined : sec * 1000 + nanosec / 1e6;
}

/** builtin_interfaces/Time or Duration of milliseconds. */
export function timeOf(ms: number): { readonly sec: number; readonly nanosec: number } {
  const sec = Math.floor(ms / 1000);
  return { sec, nanosec: Math.min(999_999_999, Math.round((ms - 1000 * sec) * 1e6)) };
}

/** A std_msgs/Header of now. */
export function header(frame = '', ms = Date.now()): Message {
  return { stamp: timeOf(ms), frame_id: frame };
}
