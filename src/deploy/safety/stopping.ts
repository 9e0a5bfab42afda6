import type { CommandState } from '#deploy/safety/commandState';
import type { MotionLimits } from '#deploy/safety/limits';

/** The stop of one joint, limited in acceleration and jerk: the law that brakes as hard as it can still release in
 * time, and where it leads, in closed form. Everything here is in ticks: `speed` is the last step, v h; `bend` the
 * change of steps, a h^2; `mostBend` and `mostTwist` are A h^2 and J h^3. A tick draws a new bend; speed += bend;
 * position += speed.
 * @source the discrete counterpart of the three-phase profile in Biagiotti & Melchiorri, Trajectory Planning for
 * Automatic Machines and Robots, 2008, Sec. 3.4; differs: on the grid of ticks, so that sums take the place of
 * integrals and the end is reached exactly */

/** What lies between the present and the rest; displacements from the present position. */
export interface StopPath {
  rest: number;
  lowest: number;
  highest: number;
  /** Extreme speeds, the present one included. */
  slowest: number;
  fastest: number;
  /** Ticks until speed and bend are zero. */
  ticks: number;
}

export function createStopPath(): StopPath {
  return { rest: 0, lowest: 0, highest: 0, slowest: 0, fastest: 0, ticks: 0 };
}

/** The speed that is still gained or lost while a bend of size x > 0 goes to zero as fast as it can. */
function released(x: number, twist: number): number {
  const n = Math.floor(x / twist);
  return n * x - (twist * n * (n + 1)) / 2;
}

/** The largest bend that can be taken against a speed >= 0 without passing through zero. */
function largestBrake(speed: number, twist: number): number {
  const n = Math.floor((Math.sqrt(1 + (8 * speed) / twist) - 1) / 2);
  return speed / (n + 1) + (twist * n) / 2;
}

/** The next bend of the stop. */
export function stopBend(speed: number, bend: number, mostBend: number, mostTwist: number): number {
  const goal = speed > 0 ? -largestBrake(speed, mostTwist) : largestBrake(-speed, mostTwist);
  const low = Math.max(bend - mostTwist, -mostBend);
  const high = Math.min(bend + mostTwist, mostBend);
  return goal < low ? low : goal > high ? high : goal;
}

/** Where stopping from here leads. */
export function stopPath(
  speed: number,
  bend: number,
  mostBend: number,
  mostTwist: number,
  out: StopPath,
): void {
  const final = speed + Math.sign(bend) * released(Math.abs(bend), mostTwist);
  if (final >= 0) {
    stopForward(speed, bend, mostBend, mostTwist, out);
    return;
  }
  stopForward(-speed, -bend, mostBend, mostTwist, out);
  const { lowest, slowest } = out;
  out.rest = -out.rest;
  out.lowest = -out.highest;
  out.highest = -lowest;
  out.slowest = -out.fastest;
  out.fastest = -slowest;
}

/** The same where letting go of the bend would leave a speed >= 0: the joint comes to rest from below. */
function stopForward(speed: number, bend: number, mostBend: number, twist: number, out: StopPath): void {
  // A bend forwards is let go of first.
  const letGo = bend > 0 ? Math.floor(bend / twist) : 0;
  let at = travelled(letGo, speed, bend, twist);
  const backwards = speed < 0 ? travelled(ticksBelowZero(speed, bend, twist, letGo), speed, bend, twist) : 0;
  const peak = speed + letGo * bend - (twist * letGo * (letGo + 1)) / 2;
  const rest = bend - letGo * twist;

  // Then it turns to braking at full twist, until it must release or brakes at most.
  const turn = turningTicks(peak, rest, mostBend, twist);
  at += travelled(turn, peak, rest, twist);
  const atTurn = peak + turn * rest - (twist * turn * (turn + 1)) / 2;

  // Then it brakes at most, and at last releases.
  const hold = Math.max(0, Math.floor((atTurn - released(mostBend, twist)) / mostBend));
  at += hold * atTurn - (mostBend * hold * (hold + 1)) / 2;
  const atRelease = Math.max(0, atTurn - hold * mostBend);
  const brake = largestBrake(atRelease, twist);
  const release = Math.floor(brake / twist);
  at += atRelease - brake + (brake * release * (release - 1)) / 2;
  at -= (twist * (release - 1) * release * (release + 1)) / 3;

  out.rest = at;
  out.lowest = Math.min(0, backwards);
  out.highest = Math.max(0, at);
  out.slowest = Math.min(0, speed);
  out.fastest = Math.max(speed, peak);
  // One to begin the release, one to end it, and two for what rounding leaves.
  out.ticks = letGo + turn + hold + release + 4;
}

/** Way of n ticks at full twist against the bend. */
function travelled(n: number, speed: number, bend: number, twist: number): number {
  return n * speed + (bend * n * (n + 1)) / 2 - (twist * n * (n + 1) * (n + 2)) / 6;
}

/** Of the first `most` ticks those that end with a speed below zero, which rises in them. */
function ticksBelowZero(speed: number, bend: number, twist: number, most: number): number {
  const linear = bend - twist / 2;
  const root = linear * linear + 2 * twist * speed;
  let n = root > 0 ? Math.floor((linear - Math.sqrt(root)) / twist) : most;
  n = Math.min(Math.max(n, 0), most);
  const after = (k: number) => speed + k * bend - (twist * k * (k + 1)) / 2;
  while (n < most && after(n + 1) < 0) n++;
  while (n > 0 && after(n) >= 0) n--;
  return n;
}

/** Ticks at full twist after which the joint can still release in time, from a bend < twist; the brake stays below
 * its most. */
function turningTicks(speed: number, bend: number, mostBend: number, twist: number): number {
  const most = Math.max(0, Math.floor((bend + mostBend) / twist));
  const left = (n: number) => {
    const brake = n * twist - bend;
    return speed - n * -bend - (twist * n * (n + 1)) / 2 - (brake > 0 ? released(brake, twist) : 0);
  };
  const root = (bend * bend) / 2 - (twist * bend) / 2 + twist * speed;
  let n = Math.floor((bend + Math.sqrt(Math.max(0, root))) / twist);
  n = Math.min(Math.max(n, 0), most);
  while (n < most && left(n + 1) >= 0) n++;
  while (n > 0 && left(n) < 0) n--;
  return n;
}

const path = createStopPath();

/** How far and how long each joint moves if the arm stops now.
 * @param outDistance [joints] rad or m, of the command's way from here to rest, signed
 * @param outTime [joints] s, until the command is at rest */
export function stopping(
  limits: MotionLimits,
  state: CommandState,
  outDistance: Float64Array,
  outTime: Float64Array,
): void {
  const h = limits.period;
  for (let i = 0; i < limits.names.length; i++) {
    const mostBend = limits.acceleration[i]! * h * h;
    stopPath(state.speed[i]!, state.bend[i]!, mostBend, limits.jerk[i]! * h * h * h, path);
    outDistance[i] = path.rest;
    outTime[i] = path.ticks * h;
  }
}
