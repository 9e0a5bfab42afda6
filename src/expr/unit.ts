/** Units as exponents of metre, radian, second and kilogram. A `bare` number was written without a unit and takes
 * that of what it meets; `unknown` is a quantity whose unit the model does not tell, and goes with everything. */
export interface Dimension {
  readonly m: number;
  readonly rad: number;
  readonly s: number;
  readonly kg: number;
}
export type Unit = Dimension | 'bare' | 'unknown';

function dimension(m: number, rad: number, s: number, kg: number): Dimension {
  return { m, rad, s, kg };
}

export const one = dimension(0, 0, 0, 0);
export const metre = dimension(1, 0, 0, 0);
export const radian = dimension(0, 1, 0, 0);
export const second = dimension(0, 0, 1, 0);
export const newton = dimension(1, 0, -2, 1);
export const newtonMetre = dimension(2, 0, -2, 1);
export const metrePerSecond = dimension(1, 0, -1, 0);
export const radianPerSecond = dimension(0, 1, -1, 0);

/** Units a number may carry, with the factor to SI. */
export const unitNames: ReadonlyMap<string, { readonly factor: number; readonly unit: Dimension }> = new Map([
  ['m', { factor: 1, unit: metre }],
  ['cm', { factor: 1e-2, unit: metre }],
  ['mm', { factor: 1e-3, unit: metre }],
  ['um', { factor: 1e-6, unit: metre }],
  ['rad', { factor: 1, unit: radian }],
  ['mrad', { factor: 1e-3, unit: radian }],
  ['deg', { factor: Math.PI / 180, unit: radian }],
  ['s', { factor: 1, unit: second }],
  ['ms', { factor: 1e-3, unit: second }],
  ['us', { factor: 1e-6, unit: second }],
  ['ns', { factor: 1e-9, unit: second }],
  ['Hz', { factor: 1, unit: dimension(0, 0, -1, 0) }],
  ['kg', { factor: 1, unit: dimension(0, 0, 0, 1) }],
  ['g', { factor: 1e-3, unit: dimension(0, 0, 0, 1) }],
  ['N', { factor: 1, unit: newton }],
  ['kN', { factor: 1e3, unit: newton }],
  ['mN', { factor: 1e-3, unit: newton }],
  ['Nm', { factor: 1, unit: newtonMetre }],
]);

/** The unit both sides of a sum, a comparison or a choice have; undefined when they disagree. Where lengths are
 * involved the radian is 1, so that a turn rate times an arm is a speed. */
export function unify(a: Unit, b: Unit): Unit | undefined {
  if (a === 'unknown' || b === 'unknown') return 'unknown';
  if (a === 'bare') return b;
  if (b === 'bare') return a;
  const sameRadian = a.rad === b.rad || (a.m !== 0 && b.m !== 0);
  return a.m === b.m && a.s === b.s && a.kg === b.kg && sameRadian ? a : undefined;
}

export function multiplyUnits(a: Unit, b: Unit): Unit {
  return combine(a, b, 1);
}

export function divideUnits(a: Unit, b: Unit): Unit {
  return combine(a, b, -1);
}

function combine(a: Unit, b: Unit, sign: number): Unit {
  if (a === 'unknown' || b === 'unknown') return 'unknown';
  if (a === 'bare' && b === 'bare') return 'bare';
  const x = a === 'bare' ? one : a;
  const y = b === 'bare' ? one : b;
  return dimension(x.m + sign * y.m, x.rad + sign * y.rad, x.s + sign * y.s, x.kg + sign * y.kg);
}

export function powerUnit(a: Unit, exponent: number): Unit {
  if (typeof a === 'string') return a;
  return dimension(a.m * exponent, a.rad * exponent, a.s * exponent, a.kg * exponent);
}

/** No unit, or radians: what sin, exp and the like take. */
export function isPlain(a: Unit): boolean {
  return typeof a === 'string' || (a.m === 0 && a.s === 0 && a.kg === 0);
}

/** `m`, `rad/s`, `kg m^2`; `1` without a unit, `?` where it is not known. */
export function formatUnit(unit: Unit): string {
  if (unit === 'bare') return '1';
  if (unit === 'unknown') return '?';
  for (const [name, known] of [['N', newton] as const, ['N m', newtonMetre] as const]) {
    if (sameDimension(unit, known)) return name;
  }
  const parts = (['kg', 'm', 'rad', 's'] as const).map((key) => [key, unit[key]] as const);
  const above = parts.filter(([, exponent]) => exponent > 0).map(([key, exponent]) => factor(key, exponent));
  const below = parts.filter(([, exponent]) => exponent < 0).map(([key, exponent]) => factor(key, -exponent));
  const top = above.length > 0 ? above.join(' ') : '1';
  if (below.length === 0) return top;
  return `${top}/${below.length > 1 ? `(${below.join(' ')})` : below[0]}`;
}

function factor(key: string, exponent: number): string {
  return exponent === 1 ? key : `${key}^${exponent}`;
}

function sameDimension(a: Dimension, b: Dimension): boolean {
  return a.m === b.m && a.rad === b.rad && a.s === b.s && a.kg === b.kg;
}
